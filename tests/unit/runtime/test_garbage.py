"""What a started station keeps is no work for the collector, and is let go when the station begins anew."""

from __future__ import annotations

import gc
import weakref

from edge_agent.runtime.garbage import keep_for_good, let_go


class Ring:
    """Refers to itself, so that only the collector can find that nobody else does."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_kept_for_good_is_collected_only_when_it_is_let_go() -> None:
    ring = Ring()
    gone = weakref.ref(ring)
    try:
        keep_for_good()
        del ring
        gc.collect()
        assert gone() is not None
    finally:
        let_go()
    assert gone() is None
    assert gc.get_freeze_count() == 0
