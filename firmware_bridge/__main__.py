"""The wire on the command line: watch it, record it, simulate the other end, put it to the test.

Takes what was typed, owns signals, clock and terminal; everything else is in the modules below.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import secrets
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.live import Live

from firmware_bridge import monitor, typed
from firmware_bridge.bridge import Bridge
from firmware_bridge.errors import BridgeError, PortRefused
from firmware_bridge.port import Port, SerialPort
from firmware_bridge.recording import MAX_BYTES, BadRecording, Reader, RecordedPort, Recorder, read_entries
from firmware_bridge.session import Session
from firmware_bridge.sim import clocktrial, decodetrial, soak, soakfigures
from firmware_bridge.sim.belt import Belt, humming
from firmware_bridge.sim.mcu import Mcu
from firmware_bridge.sim.stand import Stand
from firmware_bridge.sim.wire import BAD_CABLE, CLEAN, NOISY_USB, QUIET_USB, Faults

EXIT_FAILED: Final = 1
STOP_SIGNALS: Final = {signal.SIGTERM, signal.SIGINT}
WIRES: Final[dict[str, Faults]] = {"clean": CLEAN, "quiet": QUIET_USB, "noisy": NOISY_USB, "bad": BAD_CABLE}
SOAKED: Final = ("noisy", "bad")
EVERY_S: Final = 1.0
"""Between two lines, or pictures, of a wire [s]."""
JOIN_S: Final = 5.0


def main(typed: Sequence[str] | None = None) -> int:
    """Run a verb; give the exit code. What a person can cause is one line and a hint."""
    arguments = parser().parse_args(typed)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except BridgeError as error:
        hint = f"\n  {error.hint}" if error.hint else ""
        sys.stderr.write(f"firmware_bridge: {error.message}{hint}\n")
        return EXIT_FAILED
    except BrokenPipeError:  # whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def parser() -> argparse.ArgumentParser:
    """Give the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m firmware_bridge", description="The wire to the microcontroller.")
    verbs = top.add_subparsers(required=True, metavar="verb")

    def verb(name: str, run: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=summary, description=f"{summary}.")
        made.set_defaults(run=run)
        return made

    for name, run, summary in (
        ("monitor", _monitor, "show what comes over a wire; never arms the outputs"),
        ("record", _record, "the same, and everything that goes over the wire into a file"),
    ):
        made = verb(name, run, summary)
        made.add_argument("port", metavar="PORT", help="the device, best one of /dev/serial/by-id")
        if run is _record:
            made.add_argument("file", metavar="FILE", type=Path, help="must not exist")
            made.add_argument(
                "--max-mib", type=typed.positive_int, default=MAX_BYTES >> 20, metavar="N", help="of the file"
            )
        typed.wire_options(made)
        made.add_argument("--seconds", type=typed.positive, metavar="S", help="end after so long")
        made.add_argument("--json", action="store_true", help="one line of JSON a second")
    shown = verb("show", _show, "print the messages of a recording as lines of JSON")
    shown.add_argument("file", metavar="FILE", type=Path)
    simulated = verb("simulate", _simulate, "run a simulated microcontroller under a path until ctrl-C")
    simulated.add_argument("path", metavar="PATH", type=Path, help="a symbolic link that is made and removed")
    simulated.add_argument("--wire", choices=WIRES, default="quiet", help="how bad it is (quiet)")
    simulated.add_argument(
        "--parts-per-s", type=typed.not_negative, default=2.0, metavar="N", help="that pass; 0: none (2)"
    )
    simulated.add_argument("--seconds", type=typed.positive, metavar="S", help="end after so long")
    soaked = verb("soak", _soak, "run a bridge against a simulated microcontroller and account for everything")
    soaked.add_argument("--minutes", type=typed.positive, default=10.0, metavar="N", help="on all wires together (10)")
    soaked.add_argument("--wire", choices=WIRES, action="append", help=f"may be repeated ({' and '.join(SOAKED)})")
    soaked.add_argument("--parts-per-s", type=typed.positive, default=10.0, metavar="N", help="that pass (10)")
    soaked.add_argument("--json", action="store_true", help="one document of JSON at the end")
    trial = verb("clocktrial", _clocktrial, "hold the clock against the truth, in virtual time")
    trial.add_argument("--json", action="store_true", help="one document of JSON")
    return top


def _monitor(arguments: argparse.Namespace) -> int:
    return _watch(arguments, lambda port: port, lambda: None)


def _record(arguments: argparse.Namespace) -> int:
    SerialPort(arguments.port, arguments.baud).close()  # a port that is not there leaves no file behind
    recorder = Recorder(arguments.file, arguments.max_mib << 20)
    try:
        code = _watch(arguments, lambda port: RecordedPort(port, recorder, time.monotonic), lambda: recorder.error)
    finally:
        recorder.close()
    sys.stderr.write(f"recorded {recorder.bytes} bytes in {arguments.file}\n")
    return code


def _watch(
    arguments: argparse.Namespace, wrap: Callable[[Port], Port], failed: Callable[[], BridgeError | None]
) -> int:
    """Show a wire until a signal, the end of the time, or something that only a person can mend."""
    config = typed.config(arguments)
    watcher = monitor.Monitor(time.monotonic())
    session = Session(config, lambda: secrets.randbits(64))
    with _stop_signals() as stop:
        bridge = Bridge(lambda: wrap(SerialPort(arguments.port, arguments.baud)), session, time.monotonic, watcher.hear)
        bridge.start()
        try:
            with _printer(arguments) as say:
                for _ in _turns(stop, EVERY_S, arguments.seconds):
                    if bridge.failure is not None:
                        raise bridge.failure
                    error = failed() or (watcher.last_down.error if watcher.last_down and not watcher.was_up else None)
                    if error is not None:
                        raise error
                    say(watcher.figures(bridge, time.monotonic()))
        finally:
            bridge.stop()
            bridge.join(JOIN_S)
    return 0


def _is_live(arguments: argparse.Namespace) -> bool:
    return sys.stdout.isatty() and not arguments.json


@contextmanager
def _printer(arguments: argparse.Namespace) -> Iterator[Callable[[monitor.Figures], None]]:
    if arguments.json:
        yield lambda figures: _say(msgspec.json.encode(monitor.as_json(figures)).decode())
    elif not _is_live(arguments):
        yield lambda figures: _say(monitor.line(figures))
    else:
        with Live(console=Console(), auto_refresh=False) as live:
            yield lambda figures: live.update(monitor.table(figures, arguments.port), refresh=True)


def _show(arguments: argparse.Namespace) -> int:
    path: Path = arguments.file
    try:
        file = path.open("rb")
    except OSError as error:
        raise BadRecording(f"{path}: {error.strerror}", hint="name a file of the verb record") from None
    reader = Reader()
    with file:
        try:
            for entry in read_entries(file):
                for row in reader.rows(entry):
                    _say(msgspec.json.encode(row).decode())
        except BadRecording as error:
            raise BadRecording(f"{path}: {error.message}", hint=error.hint) from None
        left = path.stat().st_size - file.tell()
    if left:
        sys.stderr.write(f"firmware_bridge: {path} was cut off or damaged: {left} bytes at its end say nothing\n")
    return 0


def _simulate(arguments: argparse.Namespace) -> int:
    path: Path = arguments.path
    if path.exists() or (path.is_symlink() and not _is_pty(path)):
        raise PortRefused(f"{path} exists", hint="name a path that does not, or remove it")
    if not os.access(path.parent, os.W_OK):
        raise PortRefused(f"{path.parent}: no link can be made there", hint="name another folder, such as /tmp")
    with _stop_signals() as stop:
        stand = Stand(path, _boot, time.monotonic, Belt(arguments.parts_per_s), soak.DRIFT_PPM)
        stand.to_host.faults = stand.to_mcu.faults = WIRES[arguments.wire]
        stand.start()
        try:
            _say(f"a microcontroller is at {path}, on a {arguments.wire} wire; ctrl-C ends it")
            for _ in _turns(stop, EVERY_S, arguments.seconds):
                if stand.failure is not None:
                    raise stand.failure
        finally:
            stand.close()
    return 0


def _is_pty(path: Path) -> bool:
    """Say whether a link that leads nowhere was left behind by a simulation that was killed."""
    return str(path.readlink()).startswith("/dev/pts/")


def _boot(number: int, ticks: int) -> Mcu:
    boot_id = secrets.randbits(48) << 16 | number
    return Mcu(boot_id, sensor=humming, rate_error=soak.RATE_ERROR, start_ticks=ticks)


def _soak(arguments: argparse.Namespace) -> int:
    wires = arguments.wire or list(SOAKED)
    seconds = 60.0 * arguments.minutes / len(wires)
    decoded = decodetrial.measure(time.thread_time)
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for name in wires:
            figures.append(
                soak.soak(
                    name, WIRES[name], seconds, arguments.parts_per_s, Path(folder), time.monotonic, time.thread_time
                )
            )
            if not arguments.json:
                _say(soakfigures.report(figures[-1]))
    if arguments.json:
        document = {"soaks": [dataclasses.asdict(f) for f in figures], "decoder": dataclasses.asdict(decoded)}
        _say(msgspec.json.encode(document).decode())
    else:
        _say(decodetrial.report(decoded))
    return 0 if all(f.samples_hold and f.edges_hold and f.pulses_hold for f in figures) else EXIT_FAILED


def _clocktrial(arguments: argparse.Namespace) -> int:
    figures = clocktrial.trials(600.0)
    if arguments.json:
        _say(msgspec.json.encode([dataclasses.asdict(f) for f in figures]).decode())
    else:
        _say(clocktrial.table(figures))
    return 0


@contextmanager
def _stop_signals() -> Iterator[int]:
    """Take the stop signals, on whatever thread they come; give a descriptor that can be read when one has."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    wakeup = signal.set_wakeup_fd(writable)
    handlers = {number: signal.signal(number, lambda *_: None) for number in STOP_SIGNALS}
    try:
        yield readable
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(readable)
        os.close(writable)


def _turns(stop: int, every_s: float, seconds: float | None) -> Iterator[None]:
    """Give a turn now and then, until a stop signal comes or time is over."""
    end_s = None if seconds is None else time.monotonic() + seconds
    while end_s is None or time.monotonic() < end_s:
        left_s = every_s if end_s is None else max(0.0, min(every_s, end_s - time.monotonic()))
        if select.select([stop], [], [], left_s)[0]:
            return
        if left_s > 0.9 * every_s:  # rates over less than a turn say little
            yield


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
