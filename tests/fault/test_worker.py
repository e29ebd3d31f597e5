"""A worker answers each job exactly once: when the job is well, when it raises, and when it never ends."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest

from edge_agent.runtime.clock import SystemClock
from edge_agent.runtime.mailbox import Mailbox, Overflow
from edge_agent.runtime.worker import Done, Failed, Worker, WorkerState

Answer = Done[int, int] | Failed[int]
CLOCK = SystemClock()


class Bench:
    """A worker with its answers, and a gate at which every job of 0 hangs."""

    def __init__(self, capacity: int = 8, kind: type[Worker[int, int]] = Worker) -> None:
        self.answers = Mailbox[Answer](1000, Overflow.REFUSE)
        self.entered, self.gate = threading.Event(), threading.Event()
        self.worker = kind("worker", self.work, self.answers.offer, CLOCK, capacity)

    def work(self, job: int) -> int:
        if job == 0:
            self.entered.set()
            self.gate.wait()
        return 100 // (job - 13)

    def in_time(self) -> float:
        return CLOCK.now() + 10.0


@pytest.fixture
def bench() -> Iterator[Bench]:
    with opened() as made:
        yield made


@contextlib.contextmanager
def opened(**options: Callable[..., Worker[int, int]]) -> Iterator[Bench]:
    made = Bench(**options)
    made.worker.start()
    yield made
    made.gate.set()
    made.worker.stop()
    assert made.worker.join(made.in_time())


def test_jobs_are_answered_in_order_and_a_bug_is_an_answer_too(bench: Bench) -> None:
    assert [bench.worker.submit(job) for job in (14, 13, 15)] == [True, True, True]
    bench.worker.stop()
    assert bench.worker.join(bench.in_time())
    first, second, third = bench.answers.take_all()

    assert isinstance(first, Done)
    assert (first.job, first.value) == (14, 100)
    assert isinstance(second, Failed)
    assert (second.job, type(second.error)) == (13, ZeroDivisionError)
    assert isinstance(third, Done)
    assert (third.job, third.value) == (15, 50)
    assert first.started_s <= first.ended_s <= second.started_s
    status = bench.worker.status()
    assert (status.state, status.done, status.failed, status.jobs.taken) == (WorkerState.STOPPED, 2, 1, 3)


def test_a_stopped_worker_finishes_what_waits_and_refuses_more(bench: Bench) -> None:
    bench.worker.submit(0)
    bench.worker.submit(14)
    bench.worker.stop()
    assert not bench.worker.submit(15)
    bench.gate.set()
    assert bench.worker.join(bench.in_time())

    assert [answer.job for answer in bench.answers.take_all()] == [0, 14]


def test_a_hung_worker_is_seen_and_does_not_hold_up_whoever_joins_it(bench: Bench) -> None:
    before = CLOCK.now()
    bench.worker.submit(0)
    bench.entered.wait()
    status = bench.worker.status()

    assert status.state is WorkerState.BUSY
    assert status.busy_since_s is not None
    assert before <= status.busy_since_s <= CLOCK.now()
    bench.worker.stop()
    assert not bench.worker.join(CLOCK.now() + 0.01)


def test_a_full_worker_says_no(bench: Bench) -> None:
    bench.worker.submit(0)
    bench.entered.wait()

    assert [bench.worker.submit(job) for job in range(1, 11)] == [True] * 8 + [False] * 2


def abandoned_worker_answers_nothing_late(bench: Bench) -> None:
    bench.worker.submit(0)
    bench.entered.wait()
    bench.worker.submit(14)
    bench.worker.submit(15)
    unanswered = bench.worker.abandon()
    assert bench.worker.status().state is WorkerState.ABANDONED
    assert bench.worker.status().busy_since_s is not None
    bench.gate.set()
    assert bench.worker.join(bench.in_time())

    assert unanswered == [0, 14, 15]
    assert bench.answers.take_all() == []
    assert bench.worker.abandon() == []
    assert not bench.worker.submit(16)


def test_an_abandoned_worker_gives_its_jobs_back_and_answers_nothing_late(bench: Bench) -> None:
    abandoned_worker_answers_nothing_late(bench)


class ForgetsTheHungJob(Worker[int, int]):
    def abandon(self) -> list[int]:
        return super().abandon()[1:]


class AnswersLate(Worker[int, int]):
    def abandon(self) -> list[int]:
        unanswered = super().abandon()
        self._abandoned = False
        return unanswered


@pytest.mark.parametrize("wrong", [ForgetsTheHungJob, AnswersLate])
def test_the_abandonment_test_has_teeth(wrong: type[Worker[int, int]]) -> None:
    with opened(kind=wrong) as bench, pytest.raises(AssertionError):
        abandoned_worker_answers_nothing_late(bench)


def test_abandoned_at_any_moment_no_job_is_answered_twice_or_never() -> None:
    for round_number in range(200):
        with opened() as bench:
            accepted = [job for job in range(14, 22) if bench.worker.submit(job)]
            for _ in range(round_number * 20):
                pass
            unanswered = bench.worker.abandon()
            assert bench.worker.join(bench.in_time())

        assert [answer.job for answer in bench.answers.take_all()] + unanswered == accepted


def test_a_worker_that_never_started_has_ended() -> None:
    bench = Bench()

    assert bench.worker.join(CLOCK.now())
    assert bench.worker.status().state is WorkerState.STOPPED


def test_nothing_vanishes_between_many_senders_and_one_taker() -> None:
    box = Mailbox[tuple[int, int]](16, Overflow.REFUSE)
    accepted: list[list[int]] = [[], [], []]

    def send(sender: int) -> None:
        accepted[sender] += [number for number in range(2000) if box.offer((sender, number))]

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(3)]
    got: list[tuple[int, int]] = []

    def take() -> None:
        while box.wait():
            got.extend(box.take_all())

    taker = threading.Thread(target=take)
    for thread in (taker, *senders):
        thread.start()
    for thread in senders:
        thread.join()
    box.close()
    taker.join()

    assert [[number for sender, number in got if sender == s] for s in range(3)] == accepted
    assert box.stats().put == 6000
