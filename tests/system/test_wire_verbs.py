"""`python -m firmware_bridge` as a person uses it, with a simulated microcontroller in place of a device."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import document, section

from firmware_bridge.__main__ import parser
from firmware_bridge.sim.decodetrial import DAMAGES
from tests.running_station import wait_until

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
SOON_S = 120.0
RECORDED_BYTES = 200_000
"""More than a second of samples, and all that is said at the beginning."""


def program(*typed: str) -> list[str]:
    return [sys.executable, "-m", "firmware_bridge", *typed]


def run(*typed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(program(*typed), cwd=ROOT, capture_output=True, text=True, timeout=SOON_S, check=False)


@contextlib.contextmanager
def running(*typed: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(program(*typed), cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "sensor"
    with running("simulate", str(path), "--wire", "noisy", "--parts-per-s", "10") as child:
        assert child.stdout is not None
        assert str(path) in child.stdout.readline()
        yield path


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A recording of a second and more, ended by ctrl-C."""
    folder = tmp_path_factory.mktemp("recording")
    with running("simulate", str(folder / "sensor"), "--wire", "noisy", "--parts-per-s", "10") as child:
        assert child.stdout is not None
        child.stdout.readline()
        with running("record", str(folder / "sensor"), str(folder / "wire")) as recording:
            assert recording.stdout is not None
            while not recording.stdout.readline().startswith("up"):
                assert recording.poll() is None
            wait_until(lambda: (folder / "wire").stat().st_size > RECORDED_BYTES)
            recording.send_signal(signal.SIGINT)
            assert recording.wait(SOON_S) == 0
    return (folder / "wire").read_bytes()


def test_monitor_tells_of_the_wire_line_by_line_and_never_arms(device: Path) -> None:
    with running("monitor", str(device), "--json") as child:
        first = _read_until(child, lambda row: row["up"])
        second = _read_until(child, lambda row: row["samples"] > first["samples"] and row["edges"] > first["edges"])
        child.send_signal(signal.SIGINT)
        assert child.wait(SOON_S) == 0

    assert first["sensor"] == "simulated"
    assert second["samples_hz"] > 0.0
    assert second["lost"] == second["edges_lost"] == 0


def test_a_recording_is_never_overwritten(device: Path, tmp_path: Path) -> None:
    file = tmp_path / "wire"
    file.write_text("mine")

    done = run("record", str(device), str(file), "--seconds", "1.5")

    assert (done.returncode, file.read_text()) == (1, "mine")
    assert done.stderr.splitlines()[0] == f"firmware_bridge: {file} exists"


def test_what_was_recorded_is_shown_message_by_message(recording: bytes, tmp_path: Path) -> None:
    file = tmp_path / "wire"
    file.write_bytes(recording)

    shown = run("show", str(file))

    rows = [json.loads(row) for row in shown.stdout.splitlines()]
    said = {(row.get("to"), row["type"]) for row in rows}
    assert {("mcu", "CONFIG"), ("mcu", "PING"), ("host", "BLOCK"), ("host", "EDGE"), ("host", "ACK")} <= said
    assert not {"ARM", "HEARTBEAT", "REJECT"} & {kind for _, kind in said}
    assert [row["t"] for row in rows] == sorted(row["t"] for row in rows)


def test_a_recording_that_was_cut_is_shown_up_to_there(recording: bytes, tmp_path: Path) -> None:
    file = tmp_path / "wire"
    file.write_bytes(recording[:-3])

    shown = run("show", str(file))

    assert shown.returncode == 0
    assert len(shown.stdout.splitlines()) > 50
    assert "was cut off or damaged" in shown.stderr


def test_a_recording_that_is_full_ends_with_what_to_do(device: Path, tmp_path: Path) -> None:
    done = run("record", str(device), str(tmp_path / "wire"), "--seconds", "120", "--max-mib", "1")

    assert done.returncode == 1
    assert "has reached its 1 MiB" in done.stderr
    assert "--max-mib" in done.stderr
    assert (tmp_path / "wire").stat().st_size <= 1 << 20


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_simulation_and_takes_its_link_away(tmp_path: Path, stop: signal.Signals) -> None:
    path = tmp_path / "sensor"
    with running("simulate", str(path)) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert path.is_symlink()
        child.send_signal(stop)

        assert child.wait(SOON_S) == 0
        assert not path.is_symlink()


def test_a_simulation_that_was_killed_may_be_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "sensor"
    with running("simulate", str(path)) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.kill()
        child.wait(SOON_S)
    if path.exists():
        pytest.skip("another terminal has got the name of the pty meanwhile")

    assert run("simulate", str(path), "--seconds", "0.2").returncode == 0


def test_a_monitor_says_that_the_device_is_gone_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "sensor"
    with running("simulate", str(path)) as sim:
        assert sim.stdout is not None
        sim.stdout.readline()
        with running("monitor", str(path), "--json") as watching:
            assert watching.stdout is not None
            assert json.loads(watching.stdout.readline())["up"]
            sim.send_signal(signal.SIGINT)
            sim.wait(SOON_S)
            seen = _read_until(watching, lambda row: not row["up"])
            assert seen["error"] and seen["hint"]
            with running("simulate", str(path)):
                _read_until(watching, lambda row: row["up"] and row["sessions"] > 1)
            watching.send_signal(signal.SIGINT)
            assert watching.wait(SOON_S) == 0


def _read_until(child: subprocess.Popen[str], wanted) -> dict:
    assert child.stdout is not None
    give_up_at = time.monotonic() + SOON_S
    while time.monotonic() < give_up_at:
        row = json.loads(child.stdout.readline())
        if wanted(row):
            return row
    raise AssertionError("it never came")


ERRORS = {
    "no device": (["monitor", "/dev/nobody"], 1, "no such device", "plug it in"),
    "no tty": (["monitor", "/dev/null"], 1, "not a usable serial device", "/dev/serial/by-id"),
    "no device to record": (["record", "/dev/nobody", "FOLDER/wire"], 1, "no such device", "plug it in"),
    "no file": (["show", "FOLDER/missing"], 1, "No such file", "record"),
    "no recording": (["show", str(ROOT / "README.md")], 1, "README.md: this is no recording", "record"),
    "a folder": (["show", "FOLDER"], 1, "Is a directory", "record"),
    "a path that exists": (["simulate", "FOLDER"], 1, "exists", "name a path"),
    "a folder that does not": (["simulate", "FOLDER/no/sensor"], 1, "no link can be made", "another folder"),
    "no verb": ([], 2, "required", ""),
    "no number": (["soak", "--minutes", "many"], 2, "many is not a number above 0", ""),
    "no bits": (["monitor", "x", "--safe-levels", "512"], 2, "between 0 and 255", ""),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_a_person_can_get_wrong_is_one_line_and_a_hint(case: str, tmp_path: Path) -> None:
    typed, code, message, hint = ERRORS[case]

    done = run(*(word.replace("FOLDER", str(tmp_path)) for word in typed))

    assert done.returncode == code
    assert message in done.stderr and hint in done.stderr
    assert "Traceback" not in done.stderr
    assert code == 2 or len(done.stderr.splitlines()) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_soak_accounts_for_everything_and_says_so() -> None:
    done = run("soak", "--minutes", "0.05", "--wire", "bad", "--json")

    document = json.loads(done.stdout)
    (soak,) = document["soaks"]
    assert done.returncode == 0, done.stdout
    assert soak["samples_received"] + soak["samples_dropped"] + soak["samples_lost"] == soak["samples_spanned"]
    assert sum(soak["fates"].values()) == soak["pulses"] > 0
    assert soak["rule_broken"] == soak["blocks_wrong"] == soak["edges_false"] == 0
    assert set(document["decoder"]["lost"]) == set(DAMAGES)
    assert max(document["decoder"]["lost"].values()) <= 2


def test_a_reader_that_has_read_enough_is_no_error(recording: bytes, tmp_path: Path) -> None:
    (tmp_path / "wire").write_bytes(recording)
    with subprocess.Popen(
        program("show", str(tmp_path / "wire")), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        threading.Event().wait(0.1)

        assert child.wait(SOON_S) == 0
        assert child.stderr.read() == b""


def test_every_verb_is_in_the_document_with_an_example_and_its_options() -> None:
    text = section(document("wire.md"), "Trying it")
    verbs = next(action for action in parser()._actions if action.choices).choices

    for name, verb in verbs.items():
        assert f"python -m firmware_bridge {name}" in text
        for action in verb._actions:
            for option in action.option_strings:
                assert option in text or option in {"-h", "--help"}, (name, option)
