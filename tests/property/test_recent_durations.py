"""The window of the newest durations gives exact quantiles, whatever came and went."""

import math
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.scheduler.latency import Recent

durations = st.floats(0.0, 10.0)


@given(st.integers(1, 8), st.lists(st.one_of(durations, st.none()), max_size=40), st.floats(0.01, 1.0))
def test_quantiles_are_those_of_the_newest(capacity: int, script: list[float | None], share: float) -> None:
    recent, plain = Recent(capacity), deque[float](maxlen=capacity)
    for item in script:
        if item is None:
            recent.forget_oldest()
            if plain:
                plain.popleft()
        else:
            recent.add(item)
            plain.append(item)

        assert len(recent) == len(plain)
        found = recent.quantile_s(share)
        if plain:
            assert found in plain
            assert sum(x <= found for x in plain) >= math.ceil(share * len(plain))
            assert sum(x < found for x in plain) < max(1, math.ceil(share * len(plain)))
        else:
            assert found == 0.0
