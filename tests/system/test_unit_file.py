"""The systemd unit: systemd understands it, it is shut in, and it says what the program relies on."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent import app, cli, holdings
from edge_agent.agent import agent
from edge_agent.scheduler import lane
from edge_agent.terminal.exits import EXIT_CONFIG

PACKAGING = Path(__file__).parents[2] / "packaging"
UNIT = PACKAGING / "edge-agent.service"
MOST_EXPOSED = 1.2
"""Of systemd's scale from 0 to 10; a plain service has 9.6."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here: apt-get install systemd"
)


@pytest.fixture(scope="module")
def service() -> dict[str, list[str]]:
    """Each key of [Service] with its values, in order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def installable(folder: Path, text: str) -> Path:
    """A copy of the unit whose program exists on this machine."""
    copy = folder / UNIT.name
    copy.write_text(re.sub(r"^(ExecStart=)\S+", rf"\g<1>{sys.executable}", text, flags=re.M))
    return copy


def verified(unit: Path) -> tuple[int, str]:
    """What systemd says of a unit: exit code and complaints."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit],
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, "\n".join(line for line in done.stderr.splitlines() if unit.name in line)


def exposure(unit: Path, threshold: float) -> tuple[int, str]:
    """Exit code of systemd's review, above 0 where the exposure is above the threshold, and its last line."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={round(10 * threshold)}", unit],
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout.strip().splitlines()[-1]


@needs_systemd
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    assert verified(installable(tmp_path, UNIT.read_text())) == (0, "")


@needs_systemd
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("WatchdogSec=30", "WatchdogSecs=30"),
        ("RestartPreventExitStatus=78", "RestartPreventExitStatus=EX_CONF"),
        ("Type=notify", "Type=notfy"),
    ],
)
def test_a_slip_in_the_unit_is_noticed(tmp_path: Path, right: str, wrong: str) -> None:
    text = UNIT.read_text()
    assert f"\n{right}\n" in text

    assert verified(installable(tmp_path, text.replace(right, wrong))) != (0, "")


@needs_systemd
def test_the_service_is_shut_in(record_property: Callable[[str, object], None]) -> None:
    code, said = exposure(UNIT, MOST_EXPOSED)
    record_property("exposure", said)

    assert code == 0, said


@needs_systemd
def test_a_service_that_is_not_shut_in_is_noticed(tmp_path: Path) -> None:
    plain = tmp_path / UNIT.name
    plain.write_text(f"[Service]\nExecStart={sys.executable}\n")

    assert exposure(plain, MOST_EXPOSED)[0] != 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("Restart", "on-failure"),
        ("RestartPreventExitStatus", str(EXIT_CONFIG)),
        ("User", "edge-agent"),
        ("StateDirectory", "edge-agent"),
        ("StateDirectoryMode", "0700"),
        ("PrivateNetwork", "yes"),
        ("RestrictAddressFamilies", "AF_UNIX"),
        ("Environment", "ORT_DISABLE_TELEMETRY=1"),
    ],
)
def test_the_unit_says_what_the_program_relies_on(service: dict[str, list[str]], key: str, value: str) -> None:
    assert service[key] == [value]


def permitted(service: dict[str, list[str]]) -> set[str]:
    """The system calls that the unit allows: lists count one after the other, as in systemd.exec(5)."""
    denied = set(calls_of("@clock")) if service.get("ProtectClock") == ["yes"] else set()
    allowed: set[str] = set()
    for value in service["SystemCallFilter"]:
        calls = {call for word in value.removeprefix("~").split() for call in calls_of(word)}
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed - denied


def calls_of(word: str) -> list[str]:
    """A system call, or those of a group."""
    if not word.startswith("@"):
        return [word]
    said = subprocess.run(["systemd-analyze", "syscall-filter", word], check=True, capture_output=True, text=True)
    words = [line.strip() for line in said.stdout.splitlines() if line.startswith("    ") and "#" not in line]
    return [call for each in words for call in calls_of(each)]


MAY_ASK, MAY_SET = {"adjtimex", "clock_adjtime"}, {"clock_settime", "settimeofday"}


@needs_systemd
def test_the_service_may_ask_for_the_clock_and_not_set_it(service: dict[str, list[str]]) -> None:
    allowed = permitted(service)

    assert allowed >= MAY_ASK | {"openat", "fsync"}
    assert not allowed & (MAY_SET | {"setuid", "mount"})
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == [""]  # adjtimex could set it with one


@needs_systemd
@pytest.mark.parametrize(
    "wrong",
    [
        {"ProtectClock": ["yes"]},
        {"SystemCallFilter": ["@system-service", "~@privileged"]},
        {"SystemCallFilter": ["@system-service", "adjtimex clock_adjtime", "~@privileged"]},
    ],
)
def test_a_service_that_may_not_ask_for_the_clock_is_noticed(
    service: dict[str, list[str]], wrong: dict[str, list[str]]
) -> None:
    assert not permitted({**service, **wrong}) & MAY_ASK


def test_the_unit_starts_the_station_as_a_person_would(service: dict[str, list[str]]) -> None:
    program, *words = service["ExecStart"][0].split()
    arguments = cli.parser().parse_args(words)

    assert Path(program).name == "edge-agent"
    assert arguments.config.is_absolute()


def test_the_unit_has_more_patience_than_the_program(service: dict[str, list[str]]) -> None:
    seconds = {key: float(values[0]) for key, values in service.items() if key.endswith("Sec")}

    assert seconds["WatchdogSec"] >= 2 * app.WATCHDOG_PERIOD_S
    assert seconds["TimeoutStartSec"] > lane.LOAD_TIMEOUT_S
    assert seconds["TimeoutStopSec"] > agent.STOP_TIMEOUT_S + holdings.CLOSE_TIMEOUT_S


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed here")
def test_the_user_of_the_unit_is_made(service: dict[str, list[str]]) -> None:
    done = subprocess.run(
        ["systemd-sysusers", "--dry-run", PACKAGING / "edge-agent.sysusers.conf"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, service["User"]) == (0, ["edge-agent"])
