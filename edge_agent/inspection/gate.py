"""The reject gate at the end of a wire: moves it for the parts that are to go, and hears what became of that.

A component of the loop: its step tells the microcontroller that the loop turns, so that a loop that stands still lets
the gate go to its safe level.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from edge_agent.config.wire import RecipeGateConfig
from edge_agent.errors import StateDamaged
from edge_agent.records import Action, BeltTime, Gated
from edge_agent.runtime.disk import Disk, Missing, load_checked, save_checked
from edge_agent.runtime.mailbox import Mailbox
from edge_agent.sources.wirerecords import News

HOLDS: Final = 8
"""The microcontroller hears so often within a lease that the loop turns."""
BYPASSED: Final = "bypassed"
"""The word for a part that was let pass because the gate is bypassed."""
TRIAL_AFTER: Final = BeltTime(0.2)
"""A movement without a part begins so far after it was asked for."""
NO_PART: Final = 0
"""The number of a movement without a part."""
BYPASS_FILE: Final = "gate"
"""File in the state directory that says whether the gate is bypassed."""


class Outputs(Protocol):
    """Where pulses are asked for: `sources.wire.WireSource`."""

    reports: Mailbox[Gated]
    news: Mailbox[News]

    def hold(self, now: float, *, bypassed: bool) -> None:
        """Say that the loop turns, and whether every part is to pass."""

    def pulse(self, series: str, number: int, distance: BeltTime, pulse_s: float, output: int) -> str:
        """Ask the gate to move; give "", or the word for why it cannot be asked."""


@dataclass(frozen=True)
class GateStatus:
    """The gate, for people.

    Attributes:
        bypassed: every part passes, whatever its verdict.
        asked: movements asked for since the start.
        fates: what became of them, by word.
        worst_off_us: how much later than asked for it moved at worst [us].
    """

    bypassed: bool
    asked: int
    fates: Mapping[str, int]
    worst_off_us: float


class Gate:
    """A `RejectOutput` that moves a gate.

    Args:
        outputs: where pulses are asked for.
        lease_s: how long the gate follows without a word [s].
        record: takes what became of a part for the ledger; must not block.
        note: takes news; must not block.
        bypassed: let every part pass.
    """

    name = "gate"

    def __init__(
        self,
        outputs: Outputs,
        lease_s: float,
        record: Callable[[Gated], object],
        note: Callable[[News], object],
        *,
        bypassed: bool = False,
    ) -> None:
        self.bypassed = bypassed
        self._outputs = outputs
        self._period_s = lease_s / HOLDS
        self._record = record
        self._note = note
        self._asked = 0
        self._fates: Counter[str] = Counter()
        self._worst_off_us = 0.0
        self._trials: deque[Callable[[Gated], None]] = deque()

    def act(self, series: str, number: int, action: Action, gate: RecipeGateConfig) -> None:
        """Let the part pass, or have the gate move when the part is there."""
        if action is Action.PASS:
            return
        if self.bypassed:
            self._became(Gated(series, number, BYPASSED))
            return
        self._asked += 1
        refusal = self._outputs.pulse(series, number, gate.distance, gate.pulse_ms / 1e3, gate.output)
        if refusal:
            self._became(Gated(series, number, refusal))

    def try_out(self, gate: RecipeGateConfig, then: Callable[[Gated], None]) -> None:
        """Move the gate once, without a part and whether bypassed or not.

        Args:
            gate: which output, and for how long.
            then: hears what became of it.
        """
        refusal = self._outputs.pulse("", NO_PART, TRIAL_AFTER, gate.pulse_ms / 1e3, gate.output)
        if refusal:
            then(Gated("", NO_PART, refusal))
        else:
            self._trials.append(then)

    def step(self, now: float) -> float:
        """Say that the loop turns; record what became of the parts."""
        self._outputs.hold(now, bypassed=self.bypassed)
        self.settle()
        return now + self._period_s

    def settle(self) -> None:
        """Record what became of the parts so far; once more when the wire has ended, for the last of them."""
        for report in self._outputs.reports.take_all():
            self._became(report)
        for news in self._outputs.news.take_all():
            self._note(news)

    def status(self) -> GateStatus:
        """Say what the gate did."""
        return GateStatus(self.bypassed, self._asked, dict(self._fates), self._worst_off_us)

    def _became(self, report: Gated) -> None:
        if report.number == NO_PART:
            if self._trials:
                self._trials.popleft()(report)
            return
        self._fates[report.gate] += 1
        self._worst_off_us = max(self._worst_off_us, abs(report.off_us or 0.0))
        self._record(report)


class Bypass:
    """Whether the gate is bypassed, kept on the disk so that a restart does not change it.

    Args:
        disk: the state directory.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def load(self, damaged: Callable[[str], object] = lambda reason: None) -> bool:
        """Say whether it is; a damaged file means that it is not, and `damaged` hears of it."""
        try:
            return load_checked(self._disk, BYPASS_FILE) == BYPASSED.encode()
        except Missing:
            return False
        except StateDamaged as error:
            damaged(error.message)
            return False

    def save(self, bypassed: bool) -> None:
        """Keep it; raises `Unavailable` when the disk fails."""
        save_checked(self._disk, BYPASS_FILE, BYPASSED.encode() if bypassed else b"")
