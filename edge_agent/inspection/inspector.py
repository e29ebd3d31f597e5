"""Follows every part from its trigger to its action; holds the guarantees of one answer, in time, committed first.

A component without a thread of its own: it reads the source's mailbox, asks the dispatcher, the judge and the ledger,
and tells the reject output. Each trigger is a flight that ends exactly once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from edge_agent.config import PairingConfig
from edge_agent.errors import BadData, EdgeAgentError
from edge_agent.inspection.act import RejectOutput, action_for
from edge_agent.inspection.deadline import Deadline
from edge_agent.inspection.early import Early
from edge_agent.inspection.encoders import Encoders
from edge_agent.inspection.inspected import Inspected, Perceiving, perceive_together
from edge_agent.inspection.judge import Judge
from edge_agent.inspection.pairing import Needs, Pairer, PairingCounts, Skipped
from edge_agent.ledger.items import Acted, Committed, Misses, Receipt, Rejected
from edge_agent.records import Embedding, Frame, Modality, Outcome, Pair, Part, Times, Trigger, Verdict, VibrationWindow
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.custody import Custody
from edge_agent.scheduler.job import Job, TooLate
from edge_agent.scheduler.rhythm import OVERDUE_S
from edge_agent.sources.source import Position, Source
from models import Bundle


class Encoding(Protocol):
    """Who encodes: the dispatcher."""

    def submit(self, job: Job[Encoders, Embedding]) -> bool:
        """Queue a job; False when it cannot be taken."""

    def expect(self, at_s: float) -> None:
        """Hear when the next part is going to be complete, as far as anybody knows [s, host monotonic]."""

    def withdraw(self, job: Job[Encoders, Embedding]) -> bool:
        """Forget an early job that no device has yet; say whether it was."""


class Committing(Protocol):
    """Who commits: the ledger."""

    def offer(self, item: Part | Misses | Acted, then: Callable[[Receipt], None] | None = None) -> bool:
        """Queue an item, whose receipt `then` hears; False when it cannot be taken."""


@dataclass(eq=False)
class _Flight:
    """One part between trigger and action."""

    trigger: Trigger
    deadline: Deadline
    product: Inspected
    early: tuple[Early, Job[Encoders, Embedding]] | None = None
    pair: Pair | None = None
    part: Part | None = None
    acted: bool = False


@dataclass
class InspectionCounts:
    """What the inspector has seen since it started."""

    triggers: int = 0
    judged: int = 0  #: answered in time by what the part looked and sounded like
    late: int = 0  #: UNSURE because the answer did not come in time
    overdue: int = 0  #: told to the output after the deadline; must stay 0
    overloaded: int = 0  #: UNSURE because the device could not take the part
    too_late_results: int = 0  #: encodings that came after their part was answered
    committed_late: int = 0
    unknown: int = 0  #: UNSURE because their recipe is not there
    untimed: int = 0  #: UNSURE because the time of their trigger is not known well enough
    unrecorded: int = 0  #: parts that the ledger could not take; declared as misses later


class Inspector:
    """Gives each trigger one answer, one row and one action.

    Args:
        source: where triggers, frames and windows come from.
        limits: how far apart in time what belongs together may be.
        encoding: who encodes.
        ledger: commits.
        output: sorts.
        products: what can be inspected; the first is in use.
        clock: tells the wall time of a verdict, and the time between two hops.
        keep: hears every part that has a row and a frame or a window, once it was acted on, to keep those; must not
            block.
        told: hears every part when the ledger has it, or has refused it.
        custody: hears which pictures and windows it holds.
    """

    name = "inspection"

    def __init__(
        self,
        *,
        source: Source,
        limits: PairingConfig,
        encoding: Encoding,
        ledger: Committing,
        output: RejectOutput,
        products: Sequence[Inspected],
        clock: Clock,
        keep: Callable[[Part, Frame | None, VibrationWindow | None], None],
        told: Callable[[Part], None],
        custody: Custody | None = None,
    ) -> None:
        self._source = source
        self._custody = custody or Custody()
        self._pairer = Pairer(limits, self._needs_of)
        self._slack_s = limits.max_uncertainty_ms / 1e3
        self._window_s = limits.window_ms / 1e3
        self._encoding = encoding
        self._ledger = ledger
        self._output = output
        self._products = {product.config.name: product for product in products}
        self._in_use = products[0]
        self._clock = clock
        self._keep = keep
        self._told = told
        self._flights: dict[tuple[str, int], _Flight] = {}
        self.counts = InspectionCounts()

    def begin(self, position: Position) -> None:
        """Go on after the source's trigger `position`."""
        self._pairer.begin(position)

    def resume(self, position: Position) -> int:
        """Go on with a source that was away; declare the triggers up to `position` that never came, and count them."""
        lost = self._pairer.resume(position)
        if lost is None:
            return 0
        self._declare(lost)
        return lost.last - lost.first + 1

    def judge_by(self, name: str, judge: Judge) -> None:
        """Judge the parts of a recipe by this from now on; those that are being encoded keep the judge they have."""
        product = self._products[name] = replace(self._products[name], judge=judge)
        if self._in_use.config.name == name:
            self._in_use = product

    def use(self, name: str) -> None:
        """Judge by another recipe from the next trigger on that names none; parts on their way keep theirs."""
        self._in_use = self._products[name]

    def _product_of(self, trigger: Trigger) -> Inspected:
        """Give what a trigger announces: the recipe that it names, or the one in use."""
        return self._products.get(trigger.recipe, self._in_use)

    def _needs_of(self, trigger: Trigger) -> Needs:
        config = self._product_of(trigger).config
        return Needs(frozenset(config.modalities), config.deadline_ms / 1e3, config.camera)

    @property
    def in_use(self) -> Inspected:
        """What parts are judged by whose trigger names no recipe."""
        return self._in_use

    @property
    def pairing_counts(self) -> PairingCounts:
        """What did not simply pair."""
        return self._pairer.counts

    @property
    def in_flight(self) -> int:
        """Parts between trigger and action."""
        return len(self._flights)

    def step(self, now: float) -> float:
        """Move every flight as far as it goes without an answer from others."""
        for item in self._source.take():
            taken = self._pairer.add(item)
            if not isinstance(item, Trigger):
                self._custody.hand(item.image if isinstance(item, Frame) else item.samples, self.name, now)
            elif taken:
                self._begin(item)
        for lost in self._pairer.take_skipped():
            self._declare(lost)
        for pair in self._pairer.take_pairs(now):
            self._encode(pair)
        for trigger, frame, due_s in self._pairer.take_early():
            self._see(trigger, frame, due_s)
        self._encoding.expect(self._pairer.next_pair_s(now - OVERDUE_S))
        return min(self._see_to_deadlines(now), self._pairer.next_wake_s())

    def _declare(self, lost: Skipped) -> None:
        self._ledger.offer(Misses(lost.series, lost.first, lost.last, "overrun", self._in_use.config.name))

    def _begin(self, trigger: Trigger) -> None:
        """Take off; a part whose recipe is not there, or whose time nobody knows, has nothing to wait for."""
        self.counts.triggers += 1
        product = self._product_of(trigger)
        listens = Modality.VIBRATION in product.config.modalities
        complete_s = trigger.time_s + (self._window_s if listens else 0.0)
        flight = _Flight(trigger, Deadline.of(trigger.time_s + product.config.deadline_ms / 1e3, complete_s), product)
        self._flights[_key(trigger)] = flight
        if trigger.recipe not in ("", *self._products):
            self.counts.unknown += 1
            self._decide(flight, Verdict(Outcome.UNSURE, cause="recipe"))
        elif trigger.uncertainty_s > self._slack_s:
            self.counts.untimed += 1
            self._decide(flight, Verdict(Outcome.UNSURE, cause="clock"))

    def _received(self, flight: _Flight, receipt: Receipt) -> None:
        """Hear from the ledger about a part: it is on the disk, or never will be."""
        assert flight.part is not None
        del self._flights[_key(flight.trigger)]
        if isinstance(receipt, Committed):
            times = replace(flight.part.times, committed_s=receipt.committed_s)
            flight.part = replace(flight.part, id=receipt.id, times=times)
        if not flight.acted:
            self._act(flight, committed_late=isinstance(receipt, Rejected))
        self._told(flight.part)

    def close(self) -> None:
        """Answer every part that is still on its way: UNSURE, because the station stops."""
        self.step(self._clock.now())
        for flight in list(self._flights.values()):
            if flight.part is None:
                self._decide(flight, Verdict(Outcome.UNSURE, cause="stopping"))
            if not flight.acted:
                self._act(flight, committed_late=True)

    def _see(self, trigger: Trigger, frame: Frame, due_s: float) -> None:
        """Have the picture of a part encoded that waits for its window, which is due then [s, host monotonic]."""
        flight = self._flights.get(_key(trigger))
        if flight is None or flight.part is not None or frame.faults:
            return
        product = self._products[flight.product.config.name]
        early = Early(product.bundle, product.judge, frame.image)
        if self._encoding.submit(job := early.job(due_s, flight.deadline.decide_s)):
            flight.early = early, job

    def _seen(self, flight: _Flight, bundle: Bundle) -> Early | None:
        """Give the picture of a part that was encoded before, or is being encoded; None where it is not."""
        if flight.early is None:
            return None
        (early, job), flight.early = flight.early, None
        gone = self._encoding.withdraw(job) or early.failed or early.bundle is not bundle
        return None if gone else early

    def _encode(self, pair: Pair) -> None:
        flight = self._flights.get(_key(pair.trigger))
        if flight is None or flight.part is not None:
            return
        flight.pair = pair
        product = flight.product = self._products[flight.product.config.name]  # as it is known by now
        judge, bundle, hurried = product.judge, product.bundle, product.config.hurried
        hurry = None if hurried == "none" else Modality(hurried)
        early = self._seen(flight, bundle)
        job = Job[Encoders, Embedding](
            run=Perceiving(judge, bundle, pair, early=early),
            then=lambda result, ended_s: self._encoded(flight, pair, result, ended_s),
            deadline_s=flight.deadline.decide_s,
            hurried=None if hurry is None else Perceiving(judge, bundle, pair, hurry, early),
            bundle=bundle.digest,
            together=perceive_together if early is None else None,
            pace="" if early is None else early.rest,
            paced_by="" if early is None else early.lane,
        )
        if not self._encoding.submit(job):
            self.counts.overloaded += 1
            self._decide(flight, Verdict(Outcome.UNSURE, cause="device", degraded=pair.degraded))

    def _encoded(self, flight: _Flight, pair: Pair, result: Embedding | EdgeAgentError, ended_s: float) -> None:
        if flight.part is not None:
            self.counts.too_late_results += 1
            return
        words = result.degraded if isinstance(result, Embedding) else pair.degraded
        match result:
            case Embedding():
                verdict = flight.product.judge.judge(result)
            case BadData():
                verdict = Verdict(Outcome.UNSURE, cause="no_data", degraded=words)
            case TooLate():
                self.counts.late += 1
                verdict = Verdict(Outcome.UNSURE, cause="late", degraded=words)
            case _:
                verdict = Verdict(Outcome.UNSURE, cause="device", degraded=words)
        self.counts.judged += isinstance(result, Embedding) and self._clock.now() <= flight.deadline.act_s
        if self._clock.now() > flight.deadline.act_s:
            self.counts.late += verdict.cause != "late"
            verdict = Verdict(Outcome.UNSURE, cause="late", degraded=words)
        if isinstance(result, Embedding):
            self._decide(flight, verdict, result, ended_s)
        else:
            self._decide(flight, verdict)

    def _decide(
        self,
        flight: _Flight,
        verdict: Verdict,
        embedding: Embedding | None = None,
        inferred_s: float | None = None,
    ) -> None:
        now = self._clock.now()
        if flight.early is not None:
            self._encoding.withdraw(flight.early[1])
            flight.early = None
        pair = flight.pair
        frame = None if pair is None else pair.frame
        part = flight.part = Part(
            trigger=flight.trigger,
            verdict=verdict,
            times=Times(
                trigger_s=flight.trigger.time_s,
                frame_s=None if frame is None else frame.time_s,
                paired_s=None if pair is None else pair.paired_s,
                inferred_s=inferred_s,
                decided_s=now,
            ),
            recipe=flight.product.config.name,
            knowledge=flight.product.judge.digest,
            embedding=embedding,
            decided_utc=self._clock.utc(),
        )
        if not self._ledger.offer(part, lambda receipt: self._received(flight, receipt)):
            self.counts.unrecorded += 1
            flight.pair = None  # evidence of a part that has no row
            self._act(flight, committed_late=True)
            del self._flights[_key(flight.trigger)]
            self._told(flight.part)

    def _act(self, flight: _Flight, committed_late: bool) -> None:
        assert flight.part is not None
        now = self._clock.now()
        trigger = flight.trigger
        recipe = flight.product.config
        action = action_for(flight.part.verdict.outcome, recipe.actions)
        self._output.act(trigger.series, trigger.number, action, recipe.gate)
        pair, flight.pair = flight.pair, None
        flight.acted = True
        self.counts.overdue += now > flight.deadline.at_s
        self.counts.committed_late += committed_late
        times = replace(flight.part.times, acted_s=now)
        flight.part = replace(flight.part, action=action, times=times, committed_late=committed_late)
        self._ledger.offer(Acted(trigger.series, trigger.number, action, now, committed_late))
        self._source.answered(trigger.number)
        if pair is not None and (pair.frame is not None or pair.window is not None):
            self._keep(flight.part, pair.frame, pair.window)  # only now: writing files would hold up the commit

    def _see_to_deadlines(self, now: float) -> float:
        """Answer what would be late; give when to look again [s]."""
        return min((self._press(flight, now) for flight in list(self._flights.values())), default=math.inf)

    def _press(self, flight: _Flight, now: float) -> float:
        if flight.part is None:
            if now < flight.deadline.decide_s:
                return flight.deadline.decide_s
            self.counts.late += 1
            degraded = () if flight.pair is None else flight.pair.degraded
            self._decide(flight, Verdict(Outcome.UNSURE, cause="late", degraded=degraded))
        return self._press_action(flight, now)

    def _press_action(self, flight: _Flight, now: float) -> float:
        if flight.acted:
            return math.inf
        if now < flight.deadline.act_s:
            return flight.deadline.act_s
        self._act(flight, committed_late=True)
        return math.inf


def _key(trigger: Trigger) -> tuple[str, int]:
    return trigger.series, trigger.number
