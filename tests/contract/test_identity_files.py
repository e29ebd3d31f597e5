"""The identity on a real disk, as the verb leaves it, and what the machine says of itself."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from authority import NOW, Authority

from edge_agent import cli
from edge_agent.runtime import clock
from edge_agent.runtime.disk import RealDisk
from edge_agent.trust.identity import Hardware, Identities, hardware_of

UTC = NOW.timestamp()


def no_agent(make: Callable[[], object]) -> int:
    raise AssertionError("this verb runs no agent")


def run(*words: object) -> int:
    return cli.main(["identity", *map(str, words)], no_agent)


@pytest.fixture(autouse=True)
def _at_a_known_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock.SystemClock, "utc", lambda _: UTC)


def test_the_verb_leads_from_nothing_to_a_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state, request, signed, ca = (tmp_path / name for name in ("state", "a.csr", "a.pem", "ca.pem"))
    authority = Authority()
    ca.write_bytes(authority.pem)
    assert run("show", "--state", state) == 2
    state.mkdir()
    assert run("show", "--state", state) == 1
    assert run("make", "--state", state) == 0
    assert run("make", "--state", state) == 78
    assert run("request", request, "--state", state) == 0
    signed.write_bytes(authority.signed(request.read_bytes()))
    assert run("install", signed, "--state", state) == 78  # nobody said whose signature counts
    assert run("install", signed, "--ca", ca, "--state", state) == 0
    assert 'certificate = "' in capsys.readouterr().out
    assert run("show", "--state", state, "--json") == 0
    shown = json.loads(capsys.readouterr().out)

    assert shown["days_left"] == 365.0
    assert shown["key"] == shown["certificate"]["key"]
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in (state / "identity").iterdir()} == {
        "station.pem": 0o600,
        "ca.pem": 0o600,
    }
    assert run("renew", tmp_path / "b.csr", "--state", state, "--json") == 0
    assert json.loads(capsys.readouterr().out)["days_left"] == 365.0


def test_wrong_usage_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("install", "--state", tmp_path) == 2
    assert run("show", tmp_path / "x", "--state", tmp_path) == 2
    assert run("install", tmp_path / "gone.pem", "--state", tmp_path) == 1
    (tmp_path / "huge.pem").write_bytes(b"x" * 70_000)
    assert run("install", tmp_path / "huge.pem", "--state", tmp_path) == 1
    assert run("request", tmp_path / "no" / "a.csr", "--state", tmp_path) == 1
    said = capsys.readouterr().err

    for words in ("install needs a FILE", "show takes no FILE", "gone.pem", "more than 65536 bytes", "no folder"):
        assert words in said


def test_two_stations_have_two_keys(tmp_path: Path) -> None:
    made = {Identities(RealDisk(tmp_path / name), name).make() for name in ("a", "b")}

    assert len(made) == 2


def test_what_can_be_read_of_the_machine_is_read(tmp_path: Path) -> None:
    for name, text in {
        "etc/machine-id": "3d1219c7c4c5404aaa1f6d2a48adfda4\n",
        "proc/cpuinfo": "processor\t: 0\nSerial\t\t: 00000000ab12cd34\nModel\t\t: a board\n",
        "sys/class/net/lo/address": "00:00:00:00:00:00\n",
        "sys/class/net/eth0/address": "02:fc:00:00:00:01\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert hardware_of(tmp_path) == Hardware(
        "3d1219c7c4c5404aaa1f6d2a48adfda4", None, "00000000ab12cd34", "02:fc:00:00:00:01"
    )
    assert hardware_of(tmp_path / "nothing") == Hardware(None, None, None, None)
