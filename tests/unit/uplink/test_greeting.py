"""The limits of a broker are taken as it says them, and what it leaves out is not limited."""

from __future__ import annotations

from edge_agent.uplink.greeting import IN_FLIGHT, Welcome


def welcomed(**limits: int) -> Welcome:
    return Welcome(0, "", kept=False, limits=limits)


def test_what_a_broker_does_not_limit_is_ours_to_choose() -> None:
    session = welcomed().session("5", 30.0, kept=True, unheard=())

    assert (session.in_flight, session.max_bytes, session.keepalive_s) == (IN_FLIGHT, None, 30.0)
    assert session.retains and session.kept


def test_each_limit_is_honoured() -> None:
    welcome = welcomed(ReceiveMaximum=2, MaximumPacketSize=256, ServerKeepAlive=7, RetainAvailable=0, MaximumQoS=0)
    session = welcome.session("5", 30.0, kept=False, unheard=("a/#",))

    assert (session.in_flight, session.max_bytes, session.keepalive_s) == (2, 256, 7)
    assert not session.retains and not welcome.acknowledges
    assert session.unheard == ("a/#",)


def test_a_generous_broker_does_not_make_the_window_larger() -> None:
    assert welcomed(ReceiveMaximum=65_535).in_flight == IN_FLIGHT


def test_a_server_keep_alive_of_zero_turns_it_off_at_the_broker_only() -> None:
    assert welcomed(ServerKeepAlive=0).session("5", 30.0, kept=False, unheard=()).keepalive_s == 30.0
