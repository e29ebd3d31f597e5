"""A bell is never missed: it is heard once, whether it rang before, while or after it was opened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge_agent.uplink.bell import Bell


@pytest.fixture
def bell() -> Iterator[Bell]:
    made = Bell()
    yield made
    made.close()


def test_what_rang_before_it_was_opened_is_heard(bell: Bell) -> None:
    bell.ring()
    bell.open()

    assert bell.heard()


def test_ringing_often_is_heard_once(bell: Bell) -> None:
    bell.open()
    for _ in range(100_000):
        bell.ring()

    assert bell.heard()
    assert not bell.heard()


def test_a_closed_bell_may_be_rung_and_closed(bell: Bell) -> None:
    bell.open()
    bell.close()
    bell.close()
    bell.ring()

    assert bell.heard()
