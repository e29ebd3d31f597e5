"""What the session at the broker listens to is known whether the ledger can be read or not."""

from __future__ import annotations

import pytest

from edge_agent.agent.outward import Memory
from edge_agent.errors import ConfigError, EdgeAgentError, StateDamaged, Unavailable


def test_the_ledger_is_asked_once_and_told_of_each_change() -> None:
    asked: list[str] = []
    written: list[str] = []

    def read() -> str:
        asked.append("")
        return "a\nb"

    made = Memory(read, written.append)
    assert [made.give(), made.give()] == ["a\nb"] * 2
    made.keep("a")

    assert (made.give(), len(asked), written) == ("a", 1, ["a"])


@pytest.mark.parametrize("fault", [Unavailable, StateDamaged, ConfigError])
def test_a_ledger_that_cannot_be_read_is_no_reason_not_to_connect(fault: type[EdgeAgentError]) -> None:
    def read() -> str:
        raise fault("it cannot be read")

    made = Memory(read, lambda text: True)
    assert made.give() == ""
    made.keep("a")

    assert made.give() == "a"
