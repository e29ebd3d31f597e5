"""A test stand: a simulated microcontroller on a pty, in real time, on a thread of its own.

The cable can be pulled and plugged in again, the microcontroller can be reset, the wire can be made bad, all while it
runs. A symbolic link plays the stable name of the device.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import threading
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Final

from firmware_bridge.sim.mcu import Mcu
from firmware_bridge.sim.wire import Wire

READ_BYTES: Final = 4096
TURN_S: Final = 0.002
"""The stand looks after its wires at least so often [s]."""


class Line:
    """What happens to a microcontroller: asked before each turn of the stand. The base does nothing."""

    def step(self, mcu: Mcu, ticks: int) -> None:
        """Let happen what is due up to a tick."""


class Stand:
    """Runs a microcontroller.

    Args:
        link: the path under which the port is found; a symbolic link that the stand makes and removes.
        boot: makes a microcontroller, given the number of the start, from 1, and the ticks at that moment.
        now: tells the host monotonic time [s].
        line: what happens to it.
        drift_ppm: by how much its counter is fast [ppm].
    """

    def __init__(
        self,
        link: Path,
        boot: Callable[[int, int], Mcu],
        now: Callable[[], float],
        line: Line | None = None,
        drift_ppm: float = 0.0,
    ) -> None:
        self.to_host = Wire(seed=1)
        self.to_mcu = Wire(seed=2)
        self._link = link
        self._boot = boot
        self._now = now
        self._line = line or Line()
        self._drift = drift_ppm * 1e-6
        self._started_s = now()
        self._boots = 1
        self.mcu = boot(1, 0)
        self._lock = threading.RLock()
        self._master = self._slave = -1
        self._unwritten = b""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stand")
        self.failure: Exception | None = None  #: what ended the thread before its time

    def start(self) -> None:
        """Plug in and start the thread."""
        self.plug_in()
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and pull the cable."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.pull()

    def ticks(self, host_s: float) -> int:
        """Give the true tick at a host monotonic time [s]."""
        return round((host_s - self._started_s) * (1.0 + self._drift) * self.mcu.hello.tick_hz)

    def host_s(self, ticks: int) -> float:
        """Give the true host monotonic time of a tick [s]."""
        return self._started_s + ticks / ((1.0 + self._drift) * self.mcu.hello.tick_hz)

    def plug_in(self) -> None:
        """Make the port appear, as another device than before."""
        with self._lock:
            self._master, self._slave = pty.openpty()
            tty.setraw(self._slave)
            os.set_blocking(self._master, False)
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(os.ttyname(self._slave))

    def pull(self) -> None:
        """Make the port disappear; the microcontroller goes on."""
        with self._lock:
            self._link.unlink(missing_ok=True)
            for end in (self._master, self._slave):
                if end >= 0:
                    os.close(end)
            self._master = self._slave = -1
            self._unwritten = b""

    def reset(self) -> None:
        """Start the microcontroller anew; its cable stays."""
        with self._lock:
            self._boots += 1
            self.mcu = self._boot(self._boots, self.ticks(self._now()))

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    wake_s = self._turn(self._now())
                self._wait(wake_s - self._now())
        except Exception as error:  # the thread's boundary: told to whoever asks
            self.failure = error

    def _turn(self, now: float) -> float:
        ticks = self.ticks(now)
        self._line.step(self.mcu, ticks)
        self.to_mcu.send(self._read(), now)
        arrived = self.to_mcu.receive(now)
        if arrived:
            self.mcu.receive(arrived, ticks)
        self.mcu.step(ticks)
        room = None if len(self._unwritten) < READ_BYTES else 0
        self.to_host.send(self.mcu.take_output(room), now)
        self._unwritten += self.to_host.receive(now)
        self._write()
        return min(now + TURN_S, self.to_host.next_s(), self.to_mcu.next_s())

    def _wait(self, timeout_s: float) -> None:
        master = self._master
        if master < 0 or timeout_s <= 0.0:
            self._stop.wait(max(0.0, timeout_s))
            return
        with contextlib.suppress(OSError, ValueError):  # pulled meanwhile
            select.select([master], [], [], timeout_s)

    def _read(self) -> bytes:
        if self._master >= 0:
            with contextlib.suppress(OSError):  # nothing there, or nobody has it open
                return os.read(self._master, READ_BYTES)
        return b""

    def _write(self) -> None:
        if self._master >= 0 and self._unwritten:
            with contextlib.suppress(OSError):  # full: the microcontroller's own buffer fills next
                self._unwritten = self._unwritten[os.write(self._master, self._unwritten) :]
