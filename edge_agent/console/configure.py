"""The verb that changes the settings of a station: `configure`."""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from edge_agent import strictjson
from edge_agent.config.uplink import UplinkConfig
from edge_agent.console.keyfile import load_key
from edge_agent.console.lines import shown
from edge_agent.console.request import pairs_of
from edge_agent.console.visit import console_door, visit
from edge_agent.console.watch import client_id
from edge_agent.console.wishing import ConfigState, is_settled, next_wish, settings_of, wanted_of, way_out
from edge_agent.desired import Wish
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.terminal.printing import say, say_json
from edge_agent.trust import signing
from edge_agent.trust.file import read_keys
from edge_agent.uplink.message import Door, Happening, Inbound, Outgoing
from edge_agent.uplink.topics import Topics

LISTEN_S: Final = 1.0
"""How long what lies at the broker is waited for: it comes with the subscription [s]."""


@dataclass(frozen=True)
class Change:
    """What was typed.

    Attributes:
        station: whose settings.
        given: `key=value` words.
        dropped: settings that are to be as the station's file says.
        by: who wants it.
        sign: file of the key that signs; None: only look.
        trusted: file with the keys that may sign besides; None: only the one that signs.
        anew: what was wanted before does not matter.
        dry_run: only ask what it would change.
        wait_s: how long the station's word is waited for [s].
    """

    station: str
    given: Sequence[str]
    dropped: Sequence[str]
    by: str
    sign: Path | None
    trusted: Path | None
    anew: bool
    dry_run: bool
    wait_s: float


class Wishing:
    """Learns what was wanted, wants something else, and waits for the station's word.

    Attributes:
        before: what was wanted; None where nothing lay at the broker.
        state: what the station said last.
        wish: what was said; None before that, and where nothing is to be said.
        is_taken: the broker has it.
        signed_by: id of the key that is said to have signed what lies at the broker; "" where nothing does.
        refusal: why it could not be.

    Args:
        topics: of the station.
        change: what was typed.
        changed: the settings in it.
        key: signs; None: only look.
        known: public keys of those who may want something, by id.
        now: host monotonic time [s].
    """

    def __init__(
        self,
        topics: Topics,
        change: Change,
        changed: Mapping[str, Any],
        key: signing.SigningKey | None,
        known: Mapping[str, bytes],
        now: float,
    ) -> None:
        self.before: Wish | None = None
        self.state: ConfigState | None = None
        self.wish: Wish | None = None
        self.is_taken = False
        self.signed_by = ""
        self.refusal: EdgeAgentError | None = None
        self._unread: BadData | None = None
        self._topic, self._states = topics.desired("config"), topics.state("config")
        self._change, self._changed, self._key, self._known = change, changed, key, known
        self._heard_s = float("inf")
        self._until_s = now + change.wait_s
        self._is_said = False

    def connected(self, door: Door, now: float) -> None:
        """Wait for what lies at the broker; what was said and not taken is said again."""
        self._heard_s = now + LISTEN_S
        self._is_said = self.is_taken

    def happened(self, happenings: Sequence[Happening], door: Door, now: float) -> None:
        """Take what was wanted, what the station says, and the broker's word."""
        for happening in happenings:
            if isinstance(happening, Inbound):
                self._take(happening)
                door.acknowledge(happening)
            elif happening.reason >= 0x80:
                said = f"the broker does not let this console write to {self._topic} (0x{happening.reason:02x})"
                self.refusal = Unavailable(said, hint="see packaging/mosquitto/edge-agent.acl for an example")
            else:
                self.is_taken = True

    def step(self, door: Door, now: float) -> float | None:
        """Say the wish when it is known what was wanted before."""
        if self.over(now):
            return None
        if self.wish is None and now >= self._heard_s and self._key is not None:
            try:
                self.wish = self._made()
            except BadData as error:
                self.refusal = error
                return None
        if self.wish is not None and self._key is not None and not self._is_said:
            self._is_said = True
            payload = signing.sealed(msgspec.json.encode(self.wish).decode(), self._topic, self._key)
            door.publish(Outgoing(self._topic, payload, retain=not self.wish.dry_run))
        return min(self._until_s, self._heard_s) if self.wish is None else self._until_s

    def over(self, now: float) -> bool:
        """It was judged, or has been waited for long enough, or there is nothing more to hear."""
        if self.refusal is not None or now >= self._until_s:
            return True
        if self._key is None:
            return now >= self._heard_s
        return self.wish is not None and self.state is not None and is_settled(self.state, self.wish)

    def _made(self) -> Wish:
        if self._unread is not None and not self._change.anew:
            raise self._unread
        before, state = self.before, self.state
        if self._change.anew:
            newest = max(0 if before is None else before.version, 0 if state is None else state.newest)
            before, state = Wish(1, max(newest, 1), {}, self._change.by), None
        made = next_wish(before, state, self._changed, self._change.dropped, self._change.by)
        return msgspec.structs.replace(made, dry_run=self._change.dry_run)

    def _take(self, inbound: Inbound) -> None:
        try:
            if inbound.topic == self._states:
                self.state = strictjson.decode(inbound.payload, ConfigState)
            elif inbound.topic == self._topic and self.wish is None and inbound.payload:
                self.signed_by = strictjson.decode(inbound.payload, signing.Envelope).key
                self.before, self._unread = wanted_of(inbound.payload, self._topic, self._known), None
        except BadData as error:
            self._unread = BadData(
                f"what lies on {inbound.topic} does not count: {error.message}",
                hint="name those who may sign: --trusted FILE; or want everything anew: --anew",
            )


def configure_station(config: UplinkConfig, change: Change, *, as_json: bool) -> int:
    """Change settings of a station, or show what is wanted of it, and wait for its word.

    Args:
        config: the way to the broker.
        change: what was typed.
        as_json: print JSON.

    Returns:
        0 when the station tries it, or would; 1 when it refuses or says nothing.

    Raises:
        BadData: it would be refused as wrong.
        Unavailable: the broker is not there.
    """
    clock = SystemClock()
    changed = settings_of(pairs_of(change.given, "setting"))
    if (changed or change.dropped) and change.sign is None:
        raise BadData("a change needs a signature", hint="--sign KEYFILE")
    if change.sign is not None and not (changed or change.dropped or change.anew):
        raise BadData("nothing is to be changed", hint="write KEY=VALUE, or --drop KEY")
    key = None if change.sign is None else load_key(change.sign)
    wishing = _followed(config, change, changed, key, clock)
    if wishing.refusal is not None:
        raise wishing.refusal
    settled = wishing.wish is None or (wishing.state is not None and is_settled(wishing.state, wishing.wish))
    if as_json:
        say_json({"settled": settled, "wanted": wishing.wish or wishing.before, "state": wishing.state})
    else:
        _print(wishing, change, settled)
    last = None if wishing.state is None else wishing.state.last
    refused = settled and wishing.wish is not None and last is not None and last.phase in ("refused", "taken_back")
    return 0 if settled and not refused else 1


def _followed(
    config: UplinkConfig, change: Change, changed: Mapping[str, Any], key: signing.SigningKey | None, clock: Clock
) -> Wishing:
    topics = Topics(config.root, change.station)
    wishing = Wishing(topics, change, changed, key, _known(change.trusted, key), clock.now())
    door = console_door(config, clock, client_id(clock), (topics.desired("config"), topics.state("config")))
    visit(door, wishing, clock, lambda error: None, patient=False)
    return wishing


def _known(trusted: Path | None, key: signing.SigningKey | None) -> dict[str, bytes]:
    """Give the keys whose wishes count here: the one that signs, and those that administer in a file."""
    known = {} if key is None else {signing.key_id(signing.public_bytes(key)): signing.public_bytes(key)}
    if trusted is not None:
        keys = read_keys(trusted)
        known |= {each.id: base64.b64decode(each.public) for each in keys if each.role == "administer"}
    return known


def _print(wishing: Wishing, change: Change, settled: bool) -> None:
    wanted, state = wishing.wish or wishing.before, wishing.state
    for key, value in ({} if wanted is None else wanted.settings).items():
        say(f"  wanted  {shown(key)} = {shown(msgspec.json.encode(value).decode())}")
    if wishing.wish is None:
        if state is None:
            say(f"{change.station} has said nothing of its settings")
        else:
            trial = ", on trial" if state.trial else ""
            say(f"{change.station} runs by " + (f"wish {state.version}{trial}" if state.version else "its own file"))
        if wishing.before is None and wishing.signed_by:
            key = shown(wishing.signed_by)
            say(f"what lies at the broker is signed by {key}, which is not known here; see --trusted")
        return
    if not settled or state is None or state.last is None:
        lies = wishing.is_taken and not change.dry_run
        again = f"; wish {wishing.wish.version} lies at the broker and is found when it connects" if lies else ""
        sys.stderr.write(f"edge-console: {change.station} has said nothing for {change.wait_s:g} s{again}\n")
        return
    for made in state.last.changes:
        key, before, after = (shown(made.get(word)) for word in ("key", "before", "after"))
        say(f"  changes {key}: {before} → {after}")
    for error in state.last.errors:
        sys.stderr.write(f"edge-console: {change.station}: {shown(error)}\n")
    if (out := way_out(wishing.wish, state.last)) and not change.dry_run:
        sys.stderr.write(f"  {shown(out)}\n")
    said = {
        "checked": "it would change this; nothing was changed",
        "trial": "it is tried, and holds after a minute of judging",
        "holds": "it holds",
        "refused": "it is refused",
        "taken_back": "it was tried and taken back",
    }
    say(f"{change.station}: wish {wishing.wish.version}: {said[state.last.phase]}")
