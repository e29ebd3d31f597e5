"""The console changes the settings of a running station, over a real broker: tried, refused, never from strangers."""

import base64
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from broker import broker
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from peer import Peer, peer

from edge_agent import api
from edge_agent.desired import Wish
from edge_agent.errors import Unavailable
from edge_agent.ledger import Reader
from edge_agent.records import Outcome
from edge_agent.trust.file import key_of, write_keys
from edge_agent.trust.signing import public_bytes, sealed
from tests.running_station import wait_until

pytestmark = pytest.mark.system

KEY, STRANGER = Ed25519PrivateKey.from_private_bytes(b"k" * 32), Ed25519PrivateKey.from_private_bytes(b"s" * 32)
DESIRED, CONFIG = "insp/v1/press-3/desired/config", "insp/v1/press-3/state/config"


def written(folder: Path, port: int) -> Path:
    path = folder / "station.toml"
    path.write_text(
        f'[station]\nname = "press-3"\n[recipe]\nbundle = "castings"\n[uplink]\nbroker = "mqtt://127.0.0.1:{port}"\n'
    )
    public = base64.b64encode(public_bytes(KEY)).decode()
    (folder / "state").mkdir()
    write_keys(folder / "state" / "trusted.toml", [key_of("ada", "administer", public)])
    return path


def judges(state_dir: Path) -> bool:
    try:
        status = api.call(state_dir / "api.sock", "status")
    except Unavailable:
        return False
    return any(lane["state"] == "in use" for lane in status["dispatch"]["lanes"])


@contextmanager
def station(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "edge_agent", "run", "-c", path], stderr=subprocess.PIPE)
    try:
        yield process
        wait_until(lambda: judges(path.parent / "state"))  # a model that is being loaded may take too long to end
    finally:
        process.terminate()
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()


def wish_of(version: int, **settings: object) -> str:
    wish = Wish(1, version, {name.replace("__", "."): value for name, value in settings.items()}, "ada")
    return msgspec.json.encode(wish).decode()


def wants(console: Peer, version: int, key: Ed25519PrivateKey = KEY, **settings: object) -> None:
    console.say(DESIRED, sealed(wish_of(version, **settings), DESIRED, key), retain=True)


def reported(console: Peer, version: int, phase: str) -> dict:
    give_up_at = time.monotonic() + 120.0
    while time.monotonic() < give_up_at:
        state = msgspec.json.decode(console.hear(120.0).payload)
        if state["last"] is not None and (state["last"]["version"], state["last"]["phase"]) == (version, phase):
            return state
    raise AssertionError(f"it never said that {version} is {phase}")


def tried(console: Peer, version: int) -> None:
    """Wait until the station has begun anew with a wish."""
    runs_by(console, version, reported(console, version, "trial"))


def runs_by(console: Peer, version: int, state: dict) -> None:
    while not (state["trial"] and state["version"] == version):
        state = msgspec.json.decode(console.hear(120.0).payload)


def test_a_wish_is_tried_by_the_running_station_and_another_one_is_refused_with_its_reason(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto, peer(mosquitto.port, CONFIG) as console:
        path = written(tmp_path, mosquitto.port)
        with station(path) as process:
            before = msgspec.json.decode(console.hear(120.0).payload)
            wants(console, 1, STRANGER, recipe__false_reject=0.05)
            wants(console, 2, recipe__false_reject=0.05)
            taken = reported(console, 2, "trial")
            wants(console, 3, pairing__wait_ms=400.0)
            refused = reported(console, 3, "refused")
            runs_by(console, 2, refused)
            assert process.poll() is None
    with Reader(tmp_path / "state") as reader:
        events = [(event.kind, event.message) for event in reader.events(200)]
        parts = list(reader.parts())

    assert (before["version"], before["trial"]) == (0, False)
    assert taken["last"]["changes"] == [{"key": "recipe.false_reject", "before": 0.01, "after": 0.05}]
    assert "recipe.deadline_ms: must be more than pairing.wait_ms" in refused["errors"][0]
    strange, later = [message for kind, message in reversed(events) if kind == "desired_refused"]
    assert "not trusted here" in strange
    assert "wish 3 of " in later and " was refused: " in later and "pairing.wait_ms" in later
    assert "recipe.false_reject 0.01 → 0.05" in dict(events)["desired_trial"]
    numbers = sorted(part.trigger.number for part in parts)
    assert numbers == list(range(1, len(numbers) + 1))
    assert {part.verdict.cause for part in parts if part.verdict.outcome is Outcome.MISSED} <= {"restart"}


def test_a_station_that_was_off_converges_when_it_connects(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto, peer(mosquitto.port, CONFIG) as console:
        path = written(tmp_path, mosquitto.port)
        wants(console, 7, recipe__draw_one_in=50)
        with station(path):
            tried(console, 7)


def console_says(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_agent.console", "configure", "press-3", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)


def test_the_console_asks_changes_and_keeps_what_it_wanted_before(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        key = tmp_path / "ada.key"
        key.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        key.chmod(0o600)
        at, signed = ("--broker", f"mqtt://127.0.0.1:{mosquitto.port}", "--wait", "200"), ("--sign", str(key))
        path = written(tmp_path, mosquitto.port)
        absent = console_says("recipe.draw_one_in=50", *signed, *at, "--wait", "2")
        with station(path), peer(mosquitto.port, CONFIG) as ear:
            tried(ear, 1)
            asked = console_says("recipe.false_reject=0.05", *signed, *at, "--dry-run")
            changed = console_says("recipe.false_reject=0.05", *signed, *at, "--json")
            forged = wish_of(9, recipe__draw_one_in=7), Ed25519PrivateKey.generate()
            ear.say(DESIRED, sealed(forged[0], DESIRED, forged[1]), retain=True)
            spoiled = console_says("recipe.draw_one_in=20", *signed, *at)
            anew = console_says("recipe.draw_one_in=20", *signed, *at, "--anew", "--json")
            tried(ear, msgspec.json.decode(anew.stdout)["wanted"]["version"])
        wanted = console_says(*at)

    assert absent.returncode == 1
    assert "lies at the broker" in absent.stderr
    assert (asked.returncode, changed.returncode, wanted.returncode) == (0, 0, 0), (asked.stderr, changed.stderr)
    assert "changes recipe.false_reject: 0.01 → 0.05" in asked.stdout
    answer = msgspec.json.decode(changed.stdout)
    assert answer["state"]["last"]["phase"] == "trial"
    assert answer["wanted"]["settings"] == {"recipe.draw_one_in": 50, "recipe.false_reject": 0.05}
    assert (spoiled.returncode, anew.returncode) == (2, 0), (spoiled.stderr, anew.stderr)
    assert "is not trusted here" in spoiled.stderr
    assert msgspec.json.decode(anew.stdout)["wanted"]["settings"] == {"recipe.draw_one_in": 20}
    assert "which is not known here" in wanted.stdout
