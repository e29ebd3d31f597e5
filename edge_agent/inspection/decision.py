"""The cheapest answer: from how unusual a part is to how probably it is defective, and on to OK, NG or UNSURE. Pure.

**Probability.** A p-value p of being good becomes evidence by saying how p-values of defective parts are spread. With
density kappa p^(kappa - 1) (Sellke, Bayarri and Berger, The American Statistician 55, 2001) the likelihood ratio of
defective to good is just that; it averages 1 over good parts, whatever kappa, which makes it an e-value (Vovk and Wang,
Annals of Statistics 49, 2021). A part has two p-values: of how much more probable the taught defects make it than good
parts do, and of its distance to good, for kinds that nobody has taught. All K taught kinds and "anything else" count as
equally frequent among defects, so their likelihood ratios are averaged with weights K and 1, and an average of e-values
is one again. Odds are this average times the odds of the defect share that the recipe assumes.

The head's own probabilities are not used for it. Taught with five examples they are far too sure: of parts that they
call good for certain, one in three hundred was defective, and of those that they call defective with 90 to 99 %, six in
seven were good. No one temperature mends that for every bundle, number of examples and modality
(docs/decisions/0016-the-cheapest-answer.md has the tables). They only say which class it is.

**Costs.** With E the price of an escape, R of a false reject and U of a second look, a part that is defective with
probability p costs on average

    OK: p E        NG: (1 - p) R        UNSURE: U

so that OK is cheapest where p <= U / E, NG where p >= 1 - U / R, and UNSURE between, provided U / E < 1 - U / R, that
is U < E R / (E + R). This is the Bayes decision with a reject option (Chow, IEEE Transactions on Information Theory 16,
1970) with unequal costs (Elkan, IJCAI 2001). Only the ratios of the prices matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.config import ORDINARY, CostsConfig
from edge_agent.records import Outcome

Floats = NDArray[np.float64]

KAPPA: Final = ORDINARY
"""0.02, so that 91 of 100 defective parts are more unusual than 99 of 100 good ones. Measured: probabilities are best
between 0.01 and 0.03 with either bundle, good parts alone or up to seven kinds of defect, 40 to 400 held-out parts."""


@dataclass(frozen=True)
class Thresholds:
    """Where the cheapest answer changes.

    Attributes:
        ok: a part that is defective with a probability up to this is OK.
        ng: with this probability or more it is NG; above `ok`.
    """

    ok: float
    ng: float

    @classmethod
    def of(cls, costs: CostsConfig) -> Thresholds:
        """Give the thresholds of some prices."""
        return cls(costs.second_look / costs.escape, 1.0 - costs.second_look / costs.false_reject)

    def outcome(self, p_defective: float, *, may_be_ok: bool) -> Outcome:
        """Give the cheapest answer.

        Args:
            p_defective: probability that the part is defective.
            may_be_ok: something else does not forbid OK; where it does, the cheaper one of the other two is given.

        Returns:
            OK, NG or UNSURE.
        """
        if p_defective >= self.ng:
            return Outcome.NG
        return Outcome.OK if p_defective <= self.ok and may_be_ok else Outcome.UNSURE


def likelihood_ratio(chance: Floats) -> Floats:
    """Give how much more probable a defective part is to be so unusual than a good one.

    Args:
        chance: probability that a good part is at least so unusual, above 0.

    Returns:
        The ratio, same shape.
    """
    ratio: Floats = KAPPA * chance ** (KAPPA - 1.0)
    return ratio


def p_defective(defect_share: float, unlike: Floats, alike: Floats | None = None, kinds: int = 0) -> Floats:
    """Give the probability that a part is defective.

    Args:
        defect_share: share of the parts that are, as the recipe assumes.
        unlike: likelihood ratio of any other defect, from the distance to good.
        alike: likelihood ratio of the taught defects; None where none was taught.
        kinds: how many kinds of defect were taught.

    Returns:
        Same shape.
    """
    ratio = unlike if alike is None else (kinds * alike + unlike) / (kinds + 1)
    odds = defect_share / (1.0 - defect_share) * ratio
    p: Floats = odds / (1.0 + odds)
    return p
