"""What a person reads of an evaluation. It decides nothing."""

from __future__ import annotations

import math

from edge_agent.evaluate.conditions import Conditions
from edge_agent.evaluate.figures import Interval
from edge_agent.evaluate.goodlots import LotsEvaluation
from edge_agent.evaluate.goodonly import Detection, GoodOnlyEvaluation
from edge_agent.evaluate.incremental import IncrementalEvaluation
from edge_agent.evaluate.shots import Evaluation
from edge_agent.evaluate.unknown import OpenSet, UnknownEvaluation
from edge_agent.terminal.printing import say


def print_evaluation(evaluation: Evaluation | IncrementalEvaluation) -> None:
    """Print how often the answers were right, and what is mistaken for what."""
    width = max(map(len, evaluation.recall))
    _say_conditions(evaluation)
    say(f"{'balanced accuracy':<{width + 2}} {_text(evaluation.balanced_accuracy)}   (95 % of the episodes)")
    say(f"{'accuracy':<{width + 2}} {_text(evaluation.accuracy)}")
    for slug, interval in evaluation.recall.items():
        say(f"  {slug:<{width}} {_text(interval)}   {_pictures(evaluation, slug)}")
    for slug, row in evaluation.confusion.items():
        mistaken = {other: count for other, count in row.items() if other != slug and count}
        if mistaken:
            worst = max(mistaken, key=lambda other: mistaken[other])
            say(f"  {slug} is mostly mistaken for {worst} ({mistaken[worst] / sum(row.values()):.1%})")


def print_incremental(evaluation: IncrementalEvaluation) -> None:
    """Print the figures at the end, after each class that came, and what was forgotten on the way."""
    print_evaluation(evaluation)
    say("as the classes came          accuracy                 balanced")
    for arrival in evaluation.arrivals:
        known = "1 class" if arrival.classes == 1 else f"{arrival.classes} classes"
        say(f"  {known:<24} {_text(arrival.accuracy)}   {_text(arrival.balanced_accuracy)}")
    lost = evaluation.forgetting
    say("recall lost from a class's arrival to the end")
    say(f"  among all classes known  {_text(lost.drop)}   more classes are a harder question")
    say(
        f"  among those known then   {_text(lost.drop_same_question)}   "
        f"of {lost.asked} answers {lost.lost} became wrong and {lost.gained} right"
    )
    same = "the same bytes as" if evaluation.identical_bytes else "NOT the bytes of"
    say(f"what is known at the end is {same} all classes taught at once in another order")


def print_unknown(evaluation: UnknownEvaluation) -> None:
    """Print for each unknown class how well it is told from known ones."""
    width = max(map(len, evaluation.unknown))
    _say_conditions(evaluation)
    say(f"{'unknown ' + ('in turn' if evaluation.in_turn else ''):<{width + 2}}  AUROC (95 % of the episodes)")
    for slug, figures in evaluation.unknown.items():
        say(f"  {slug:<{width}} {_text(figures.auroc)}   {_pictures(evaluation, slug)}")
        for rate in figures.recall_at_fpr:
            say(f"    {_at_rate(figures, rate)}")


def print_good_only(evaluation: GoodOnlyEvaluation) -> None:
    """Print how well each kind of defect stands out from good parts alone."""
    facts = evaluation
    say(
        f"{facts.train_good} good pictures learned, {facts.episodes} episodes, seed {facts.seed}, "
        f"{facts.tested} pictures tested, {facts.seconds:.0f} s"
    )
    width = max(map(len, (*facts.by_class, "all defects")))
    say(f"{'':<{width + 2}}  AUROC (95 % of the episodes)")
    _say_detection("all defects", facts, width, "")
    for slug, detection in facts.by_class.items():
        _say_detection(slug, detection, width, _pictures(facts, slug))
    for rate, false in facts.fpr.items():
        by = "a model of their scores" if facts.modelled[rate] else "their own order"
        say(
            f"false alarms asked for {float(rate):.1%}, came to {false.mean:.1%} ({false.low:.1%} – {false.high:.1%}); "
            f"limit from {facts.calibrated_on} good pictures by {by}"
        )


def print_lots(evaluation: LotsEvaluation) -> None:
    """Print what becomes of good parts of lots never shown."""
    facts = evaluation
    say(
        f"{facts.known_lots} of {facts.lots} lots known, {facts.episodes} episodes, seed {facts.seed}, "
        f"{facts.tested} pictures tested, {facts.seconds:.0f} s; limit from {facts.calibrated_on} held-out parts"
    )
    for how, figures in (("the other lots", facts.others), ("their own lot too", facts.own)):
        say(f"held-out parts held against {how}: AUROC {_text(figures.auroc).strip()}")
        for rate, false in figures.fpr.items():
            found = figures.recall_at_fpr[rate]
            say(
                f"  asked for {float(rate):.0%}: of a lot never shown {false.mean:.1%} not normal "
                f"({false.low:.0%} – {false.high:.0%} of the lots); found of the defects {found.mean:.1%} "
                f"({found.low:.0%} – {found.high:.0%})"
            )
    promised = ", ".join(f"{share:.1%} where {float(rate):.0%} is asked for" for rate, share in facts.promised.items())
    say(f"what {facts.known_lots} lots can promise of the next one: {promised}")


def _say_detection(name: str, detection: Detection, width: int, pictures: str) -> None:
    say(f"  {name:<{width}} {_text(detection.image_auroc)}   {pictures}".rstrip())
    say(f"    by the embedding alone {detection.distance_auroc.mean:.3f}, by both {detection.joint_auroc.mean:.3f}")
    for rate, found in detection.recall_at_fpr.items():
        say(f"    found with {float(rate):.1%} false alarms {found.mean:6.1%}  {found.low:.1%} – {found.high:.1%}")
    if detection.pixel_auroc is not None:
        say(f"    pixels {_text(detection.pixel_auroc)}")


def _at_rate(figures: OpenSet, rate: str) -> str:
    found, false = figures.recall_at_fpr[rate], figures.fpr[rate]
    aim = f"{float(rate):4.0%} false alarms"
    if found is None or false is None:
        needed = math.ceil(1 / float(rate)) - 1
        return f"{aim}: {figures.calibrated_on} known pictures to set the limit, {needed} are needed"
    return (
        f"{aim}: found {found.mean:6.1%}  {found.low:.1%} – {found.high:.1%} ({found.count} of {found.of}); "
        f"false alarms came to {false.mean:.1%}"
    )


def _say_conditions(facts: Conditions) -> None:
    say(
        f"{facts.shots} shots, {facts.episodes} episodes, seed {facts.seed}, "
        f"{facts.tested} pictures tested, {facts.seconds:.0f} s"
    )


def _pictures(facts: Conditions, slug: str) -> str:
    seen = "  seen: took part in fitting the bundle" if slug in facts.seen else ""
    return f"{facts.pictures[slug]} pictures{seen}"


def _text(interval: Interval) -> str:
    return f"{interval.mean:6.3f}  {interval.low:.3f} – {interval.high:.3f}"
