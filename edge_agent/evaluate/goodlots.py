"""Good parts of lots that were never shown: how many of them are called not normal, where some lots were learned?

The lots of each episode are drawn anew. Of each lot that is known every second part is learned and the others are held
out, as on the station; all parts of the other lots are asked about, and all defects. The limit is that of the station,
from held-out parts that are held against the other lots (`edge_agent.learning.lot`), and beside it the one from
held-out parts that are held against their own lot as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from rich.progress import Progress

from edge_agent.errors import BadData
from edge_agent.evaluate.begun import Begun
from edge_agent.evaluate.conditions import Conditions
from edge_agent.evaluate.figures import Floats, Interval, auroc, interval
from edge_agent.evaluate.goodtokens import Folder, Looked
from edge_agent.evaluate.options import EvaluateOptions
from edge_agent.inspection.joint import Joint, sizes_of, usual
from edge_agent.inspection.ring import of_another_lot, promised
from edge_agent.learning.lot import apart
from models import Knowledge
from models.embedding import dequantise
from models.normality import MAX_PICTURES, Seen, picture_score

RATES: Final = (0.01, 0.05)
"""Shares of the good pictures that may be called not normal."""

FEWEST_OF_LOT: Final = 4
"""Good pictures of a lot, so that two are learned and two held out."""


@dataclass(frozen=True, eq=False)
class Episode:
    """Scores of one episode, higher ones more unusual; by regions and by the embedding, (n, 2).

    Attributes:
        own: of the held-out parts, held against their own lot as well.
        others: held against the other lots, but for lots that are set aside.
        sizes: how many of these are of each lot, 0 for one that is set aside.
        good: of the good parts of each lot never shown.
        faulty: of the defects.
    """

    own: Floats
    others: Floats
    sizes: tuple[int, ...]
    good: Mapping[str, Floats]
    faulty: Floats


@dataclass(frozen=True)
class Unshown:
    """What a limit makes of lots never shown.

    Attributes:
        auroc: probability that a defect is more unusual than a good part of a lot never shown.
        fpr: by the share that may be called not normal: good parts of a lot never shown that were, over these lots.
        recall_at_fpr: by the same: defects that were, over the episodes.
    """

    auroc: Interval
    fpr: dict[str, Interval]
    recall_at_fpr: dict[str, Interval]


@dataclass(frozen=True)
class LotsEvaluation(Conditions):
    """The figures, and what they hold for.

    Attributes:
        lots: how many there are.
        known_lots: how many of them are known in an episode.
        calibrated_on: held-out parts that set the limit, in the episode with the fewest.
        promised: by share, what the known lots can promise of one never shown, on average over the episodes.
        others: with held-out parts held against the other lots, as the station does.
        own: with held-out parts held against their own lot as well.
    """

    lots: int
    known_lots: int
    calibrated_on: int
    promised: dict[str, float]
    others: Unshown
    own: Unshown


def evaluate_lots(options: EvaluateOptions, known_lots: int, progress: Progress) -> LotsEvaluation:
    """Evaluate on a folder what becomes of good parts of lots never shown.

    Args:
        options: what a person chose.
        known_lots: how many lots are known in an episode, two or more.
        progress: shows how far it is.

    Returns:
        The figures.

    Raises:
        BadData: too few lots, or too many good pictures.
        ConfigError: the bundle is refused, or gives no tokens of pictures.
    """
    begun = Begun.of(options, progress)
    folder, lots = begun.folder, lots_by_name(begun.good)
    if len(lots) <= known_lots:
        raise BadData(
            f"{options.folder}: {len(lots)} lots with {FEWEST_OF_LOT} or more good pictures, more than {known_lots} "
            "are needed",
            hint="name good pictures LOT_NUMBER.png, the same LOT for those of one lot; or learn fewer lots",
        )
    task = progress.add_task("episodes", total=options.episodes)
    episodes = []
    for number in range(options.episodes):
        rng = np.random.default_rng((options.seed, number))
        known = sorted(rng.permutation(sorted(lots))[:known_lots].tolist())
        episodes.append(episode(folder, {lot: lots[lot] for lot in known}, lots))
        progress.advance(task)
    tested = sum(len(one.faulty) + sum(map(len, one.good.values())) for one in episodes)
    fewest = min(len(one.others) for one in episodes)
    return LotsEvaluation(
        **vars(begun.conditions(0, tested)),
        lots=len(lots),
        known_lots=known_lots,
        calibrated_on=fewest,
        promised={str(rate): float(np.mean([promised_of(one, rate) for one in episodes])) for rate in RATES},
        others=unshown(episodes, [one.others for one in episodes]),
        own=unshown(episodes, [one.own for one in episodes]),
    )


def lots_by_name(names: Sequence[str]) -> dict[str, list[str]]:
    """Give the pictures of each lot, which is what a name has before its last `_`; lots of too few are left out."""
    lots: dict[str, list[str]] = {}
    for name in sorted(names):
        if lot := name.rpartition("_")[0]:
            lots.setdefault(lot, []).append(name)
    return {lot: of_lot for lot, of_lot in lots.items() if len(of_lot) >= FEWEST_OF_LOT}


def episode(folder: Folder, known: Mapping[str, Sequence[str]], lots: Mapping[str, Sequence[str]]) -> Episode:
    """Learn every second good picture of the `known` lots, and ask about the others of all `lots` and the defects."""
    bundle, good = folder.bundle, folder.pictures[folder.bundle.normal]
    fitted = [(good[name], lot) for lot, names in enumerate(known.values()) for name in names[::2]]
    held_out = [(good[name], lot) for lot, names in enumerate(known.values()) for name in names[1::2]]
    if len(fitted) > MAX_PICTURES:
        raise BadData(f"{len(fitted)} good pictures would be learned, at most {MAX_PICTURES} can be", hint="--lots")
    numbers = apart(Counter(lot for _, lot in fitted))
    tokens = np.stack([one.tokens for one, _ in fitted])
    seen, by_others = Seen.of_lots(tokens, folder.grid, [numbers.get(lot, -1) for _, lot in fitted])
    nothing = Knowledge.empty("evaluate", bundle.digest, bundle.blocks)

    def head_without(left_out: int | None) -> Callable[[Looked], float]:
        knowledge = nothing
        for one, lot in fitted:
            if left_out is None or numbers.get(lot) != left_out:
                knowledge = knowledge.learn(bundle.normal, one.q[np.newaxis])
        head = knowledge.head(bundle.prior(), ["image"], bundle.normal)
        return lambda one: float(head.distances(dequantise(one.q))[0])

    whole = head_without(None)
    heads = {number: head_without(number) for number in set(numbers.values())}

    def scores(one: Looked) -> tuple[float, float]:
        return picture_score(seen.anomaly(one.tokens)), whole(one)

    def scores_by_others(one: Looked, lot: int) -> tuple[float, float]:
        if (number := numbers.get(lot)) is None:
            return scores(one)
        return picture_score(by_others(number, one.tokens)), heads[number](one)

    faulty = [one for slug, of_class in folder.pictures.items() if slug != bundle.normal for one in of_class.values()]
    of = np.array([numbers.get(lot, -1) for _, lot in held_out])
    others = np.array([scores_by_others(one, lot) for one, lot in held_out])
    apart_lots = [of == number for number in heads]
    kept = usual(others, apart_lots)
    return Episode(
        np.array([scores(one) for one, _ in held_out]),
        others[kept],
        sizes_of(kept, apart_lots),
        {lot: np.array([scores(good[name]) for name in names]) for lot, names in lots.items() if lot not in known},
        np.array([scores(one) for one in faulty]),
    )


def promised_of(one: Episode, rate: float) -> float:
    """Give what the lots that are known in an episode can promise of one never shown, where a share is asked for."""
    return of_another_lot(promised(len(one.others), rate), len(one.others), one.sizes)


def unshown(episodes: Sequence[Episode], held_out: Sequence[Floats]) -> Unshown:
    """Give the figures of some episodes with a limit from these scores of held-out parts."""
    told: list[float] = []
    false: dict[str, list[float]] = {str(rate): [] for rate in RATES}
    found: dict[str, list[float]] = {str(rate): [] for rate in RATES}
    for one, ring in zip(episodes, held_out, strict=True):
        joint = Joint(ring)
        ratios = {lot: joint.ratio(scores) for lot, scores in one.good.items()}
        faulty = joint.ratio(one.faulty)
        told.append(auroc(np.concatenate(list(ratios.values())), faulty))
        for rate in RATES:
            limit = max(rate, 1.0 / (len(ring) + 1))
            of_lots = (joint.p_value(one.good[lot], ratio) <= limit for lot, ratio in ratios.items())
            false[str(rate)] += [float(beyond.mean()) for beyond in of_lots]
            found[str(rate)].append(float((joint.p_value(one.faulty, faulty) <= limit).mean()))
    return Unshown(
        interval(np.array(told)),
        {rate: interval(np.array(shares)) for rate, shares in false.items()},
        {rate: interval(np.array(shares)) for rate, shares in found.items()},
    )
