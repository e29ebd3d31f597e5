"""A look at details costs what is read of them, and no more."""

from __future__ import annotations

import numpy as np
import pytest
from guided_world import BUNDLE
from learned_values import details

from edge_agent.inspection.look import Look
from edge_agent.records import Details, Embedding, Modality
from models.bnk import Normality
from models.guide import Guide, GuidedBundle
from models.normality import Seen
from models.tokenbank import rounded

PICTURES = [rounded(one.tokens) for seed in range(3) if (one := details(seed)).tokens is not None]
UNREADABLE = Embedding(np.ones(4, np.int16), frozenset(Modality), details=Details(np.full((4, 6), np.nan, np.float32)))


def test_tokens_that_nothing_reads_are_not_rounded() -> None:
    looked = Look(BUNDLE, None).at(UNREADABLE)
    assert looked.details is None and looked.anomaly is None


@pytest.mark.parametrize(
    "look",
    [
        Look(GuidedBundle.of(BUNDLE, Guide.of(BUNDLE, PICTURES)), None),
        Look(BUNDLE, Normality(BUNDLE.digest, Seen.of(np.stack(PICTURES), (2, 2)))),
    ],
    ids=["by a guide", "by what good parts are like"],
)
def test_tokens_that_are_read_are_checked(look: Look) -> None:
    with pytest.raises(ValueError, match="not finite"):
        look.at(UNREADABLE)
