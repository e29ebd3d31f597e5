"""Pokes and stops from other threads, on the real clock."""

import threading

from edge_agent.runtime.clock import SystemClock
from edge_agent.runtime.loop import NEVER, Loop
from edge_agent.runtime.mailbox import Mailbox, Overflow

CLOCK = SystemClock()


class Sink:
    name = "sink"

    def __init__(self, loop: Loop, expected: int) -> None:
        self.box = Mailbox[int](expected, Overflow.REFUSE, on_put=lambda: loop.poke(self.name))
        self.loop, self.expected, self.got = loop, expected, 0

    def step(self, now: float) -> float:
        self.got += len(self.box.take_all())
        if self.got == self.expected:
            self.loop.stop()
        return NEVER


def test_no_item_waits_for_a_poke_that_was_lost() -> None:
    loop = Loop(CLOCK)
    sink = Sink(loop, expected=6000)
    loop.add(sink)

    def send() -> None:
        for number in range(2000):
            sink.box.offer(number)
            if number % 50 == 0:
                threading.Event().wait(0.0005)  # let the loop fall asleep now and then

    threads = [threading.Thread(target=loop.run)] + [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30.0)
    assert sink.got == 6000


def test_a_stop_ends_an_idle_loop_at_once() -> None:
    for _ in range(200):
        loop = Loop(CLOCK)
        thread = threading.Thread(target=loop.run)
        thread.start()
        loop.stop()
        thread.join(timeout=30.0)
        assert not thread.is_alive()
