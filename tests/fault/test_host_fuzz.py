"""Bytes nobody would send: the host library in C does not die, grow, or lose count of a pulse."""

from __future__ import annotations

import functools
import random
import subprocess
from pathlib import Path

import pytest
from host_drivers import LIBRARY
from mcu_drivers import FIRMWARE, SANITIZED, compile_c, shared_folder

from firmware_bridge.layout import encode_message
from firmware_bridge.messages import Edge, Hello, Log, Message, RejectAck, RejectDone, Status

RAW, PASS, STEP, REJECT, ROOM, HOLD, PORT, ANSWER, FRAMED = range(9)
"""The steps of an input of `fuzz_host.c`."""


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_folder(tmp_path_factory)


def compile_replay(output: Path, *sources: Path) -> Path:
    return compile_c(output, list(sources), *SANITIZED, "-DEB_REPLAY", "-I", str(FIRMWARE))


@functools.cache
def replay_program(workshop: Path) -> Path:
    return compile_replay(workshop / "replay_host", *(FIRMWARE / name for name in (*LIBRARY, "fuzz_host.c")))


def replayed(program: Path, inputs: list[bytes], folder: Path) -> subprocess.CompletedProcess[str]:
    for index, data in enumerate(inputs):
        (folder / f"{index:04}").write_bytes(data)
    paths = sorted(map(str, folder.iterdir()))
    return subprocess.run([program, *paths], capture_output=True, text=True, check=False, timeout=60)


def test_random_bytes_do_the_host_no_harm(workshop: Path, tmp_path: Path) -> None:
    seed = random.Random(1)
    inputs = [seed.randbytes(seed.randrange(3000)) for _ in range(300)]

    done = replayed(replay_program(workshop), inputs, tmp_path)

    assert (done.returncode, done.stdout) == (0, f"{len(inputs)} inputs held\n"), done.stderr


def framed(message: Message) -> bytes:
    """Give a step that brings a message, rightly framed and numbered."""
    payload = encode_message(message, 0).payload
    return bytes([FRAMED + 9 * encode_message(message, 0).type, len(payload)]) + payload


def likely_steps(seed: random.Random) -> bytes:
    """Give steps of a busy session, of which some bytes are wrong."""
    steps = [bytes([STEP, 0, ANSWER, 0, ANSWER, 0])] + [bytes([PASS, 35, STEP, 0, ANSWER, 0])] * 11
    edges = 0
    for _ in range(seed.randrange(400)):
        edges += seed.random() < 0.3
        number = seed.randrange(1, 60)
        steps += [
            bytes([PASS, seed.randrange(30), STEP, 0, HOLD, 0]),
            framed(
                seed.choice(
                    (
                        Edge(edges, edges * 1000, 0, 1, 0),
                        RejectAck(number, seed.randrange(9)),
                        RejectDone(number, 5),
                        Status(0, edges, 0, 0, 0, 0, 0, 0, 0, seed.choice((1, 3, 3, 5))),
                        Log(0, "line"),
                        Hello(1, 1, seed.choice((0, 0, 0, 1)), 1_000_000),
                    )
                )
            ),
            bytes([seed.choice((REJECT, REJECT, ANSWER, ROOM, PORT)), seed.randrange(256)]),
        ]
    data = bytearray(b"".join(steps))
    for _ in range(seed.choice((0, 1, 5))):
        data[seed.randrange(len(data))] = seed.randrange(256)
    return bytes(data)


def test_likely_and_damaged_sessions_do_the_host_no_harm(workshop: Path, tmp_path: Path) -> None:
    seed = random.Random(2)
    inputs = [likely_steps(seed) for _ in range(300)]

    done = replayed(replay_program(workshop), inputs, tmp_path)

    assert (done.returncode, done.stdout) == (0, f"{len(inputs)} inputs held\n"), done.stderr


MUTANTS = {
    "it reports a pulse and keeps it open": (
        "host_rejects.c",
        "    slot->state = EH_SLOT_FREE; /* first, so that whoever hears the report can use it */\n",
        "",
    ),
    "it tells of a restart before it greets": (
        "host_session.c",
        "        eh_link_reset(host);\n        greet_anew(host, now);\n"
        "        eh_rejects_rebooted(host);\n        tell_kind(host, EH_HAS_REBOOTED);\n",
        "        eh_rejects_rebooted(host);\n        tell_kind(host, EH_HAS_REBOOTED);\n"
        "        eh_link_reset(host);\n        greet_anew(host, now);\n",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_replay_has_teeth(name: str, tmp_path: Path) -> None:
    file, guard, broken = MUTANTS[name]
    text = (FIRMWARE / file).read_text()
    assert text.count(guard) == 1
    (tmp_path / file).write_text(text.replace(guard, broken))
    sources = [FIRMWARE / name for name in (*LIBRARY, "fuzz_host.c") if name != file]
    program = compile_replay(tmp_path / "replay", *sources, tmp_path / file)
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    seed = random.Random(2)

    done = replayed(program, [likely_steps(seed) for _ in range(100)], inputs)

    assert done.returncode != 0
