"""Whether paired answers became worse. Pure arithmetic."""

from __future__ import annotations

import math


def loss_p_value(lost: int, gained: int) -> float:
    """Give how probable so many losses are where nothing really became worse: McNemar's exact test, one-sided.

    Answers that stayed right or wrong say nothing; of those that changed, each would be a loss with probability 1/2
    (McNemar, Psychometrika 12, 1947, in its binomial form).

    Args:
        lost: things that were right before and are wrong after.
        gained: things that were wrong before and are right after.

    Returns:
        P(at least `lost` of `lost` + `gained`); 1 where nothing was lost.
    """
    changed = lost + gained
    ways = sum(math.comb(changed, k) for k in range(lost, changed + 1))
    return ways / (1 << changed)
