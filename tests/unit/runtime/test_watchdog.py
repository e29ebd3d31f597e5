import pytest

from edge_agent.runtime.loop import Loop
from edge_agent.runtime.watchdog import Watchdog
from edge_agent.testing.clock import ManualClock


def a_hung_stage_is_not_fed(kind: type[Watchdog]) -> list[str]:
    """Run a minute in which `judge` hangs after 20 s and `camera` does not; claim that systemd is not fed."""
    clock, sent = ManualClock(), []
    loop = Loop(clock)
    dog = kind({"camera": 5.0, "judge": 10.0}, sent.append, clock.now(), period_s=5.0, summary=lambda: "ok 12\nng 1")
    loop.add(dog)
    fed_at: list[float] = []
    while clock.now() < 60.0:
        dog.progressed("camera", clock.now())
        if clock.now() <= 20.0:
            dog.progressed("judge", clock.now())
        before = len(sent)
        due = loop.run_once()
        fed_at += [clock.now() for message in sent[before:] if "WATCHDOG=1" in message.splitlines()]
        clock.advance_to(due)

    assert fed_at == [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]
    return sent


def test_only_progress_of_every_stage_feeds_it() -> None:
    sent = a_hung_stage_is_not_fed(Watchdog)

    assert sent[0] == "WATCHDOG=1\nSTATUS=ok 12 ng 1"
    assert sent[-1] == "STATUS=stalled: judge 35.0 s (limit 10 s)"


class Timer(Watchdog):
    def step(self, now: float) -> float:
        self._notify("WATCHDOG=1")
        return now + self._period_s


class AnyStageWillDo(Watchdog):
    def stalled(self, now: float) -> dict[str, float]:
        stalled = super().stalled(now)
        return stalled if len(stalled) == len(self._limits_s) else {}


@pytest.mark.parametrize("wrong", [Timer, AnyStageWillDo])
def test_a_watchdog_fed_by_anything_else_is_noticed(wrong: type[Watchdog]) -> None:
    with pytest.raises(AssertionError):
        a_hung_stage_is_not_fed(wrong)


def test_a_stage_that_recovers_feeds_it_again() -> None:
    sent: list[str] = []
    dog = Watchdog({"judge": 1.0}, sent.append, now=0.0)
    dog.step(2.0)
    dog.progressed("judge", 2.5)
    dog.step(3.0)

    assert sent == ["STATUS=stalled: judge 2.0 s (limit 1 s)", "WATCHDOG=1\nSTATUS=running"]


def test_progress_of_a_stage_nobody_watches_is_a_bug() -> None:
    with pytest.raises(KeyError, match="cammera"):
        Watchdog({"camera": 1.0}, print, now=0.0).progressed("cammera", 1.0)
