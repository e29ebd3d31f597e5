"""Which version of MQTT is spoken: the newer one until the broker has shown, or said, that it does not know it."""

from __future__ import annotations

from edge_agent.uplink.dialect import CLOSED, RETRY_S, Dialect


def test_a_broker_that_says_so_gets_the_older_version_and_is_asked_again_an_hour_later() -> None:
    dialect = Dialect("auto")
    assert dialect.choose(0.0) == "5"
    dialect.refused(0.0)

    assert dialect.choose(0.0) == "3.1.1"
    assert dialect.choose(RETRY_S - 1.0) == "3.1.1"
    assert dialect.choose(RETRY_S) == "5"


def test_one_closed_connection_may_be_a_restart() -> None:
    dialect = Dialect("auto")
    for _ in range(CLOSED - 1):
        dialect.closed("5", 0.0)

    assert dialect.choose(0.0) == "5"
    dialect.closed("5", 0.0)
    assert dialect.choose(0.0) == "3.1.1"


def test_an_answer_between_two_closed_connections_makes_them_single() -> None:
    dialect = Dialect("auto")
    dialect.closed("5", 0.0)
    dialect.understood()
    dialect.closed("5", 1.0)

    assert dialect.choose(1.0) == "5"


def test_a_broker_that_closes_on_both_versions_does_not_close_for_the_version() -> None:
    dialect = Dialect("auto")
    dialect.refused(0.0)
    dialect.closed("3.1.1", 1.0)

    assert dialect.choose(1.0) == "5"


def test_a_version_that_a_person_chose_stays() -> None:
    for version in ("5", "3.1.1"):
        dialect = Dialect(version)
        dialect.refused(0.0)

        assert dialect.choose(1.0) == version
