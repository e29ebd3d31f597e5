"""Each rule for what comes over the network as a command, on a real ledger."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from journal_rig import ACKNOWLEDGER, CONSOLE, ID, OPERATOR, STRANGER, TOPICS, Cut, Life, World, request

from edge_agent import strictjson
from edge_agent.api import Caller, Request
from edge_agent.commands import COMMANDS, Privilege, Resource, checked
from edge_agent.errors import BadData, Unavailable
from edge_agent.journal import Counter
from edge_agent.journal.askers import MOST
from edge_agent.journal.desk import UNSAID
from edge_agent.journal.journal import OPEN_COMMANDS, PATIENCE_S
from edge_agent.journal.refusals import ROWS
from edge_agent.journal.untold import AGAIN_S
from edge_agent.ledger import commandrows
from edge_agent.runtime.loop import NEVER
from edge_agent.trust.file import added, key_of, read_keys, removed, write_keys
from edge_agent.trust.signing import public_bytes, sealed
from edge_agent.uplink.message import Inbound

OTHER_ID = "0192f0c1-0000-7000-8000-000000000002"
USE = {"recipe": "bolts"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def life(world: World) -> Iterator[Life]:
    life = Life(world)
    yield life
    life.end()


def ask(life: Life, inbound: Inbound) -> list[dict[str, Any]]:
    """Have a request come; give what is said then."""
    before = len(life.world.said)
    life.world.send(inbound)
    life.receive(inbound)
    life.turn()
    return [json.loads(message.payload) for message in life.world.said[before:]]


def code(life: Life, inbound: Inbound) -> str:
    said = ask(life, inbound)
    assert said[-1]["phase"] == "done"
    return str(said[-1]["code"])


def test_a_signed_command_is_done_and_answered_where_it_says(life: Life, world: World) -> None:
    accepted, done = ask(life, request("use", USE, clock=world.clock))

    assert (accepted["phase"], done["phase"], done["status"], done["code"]) == ("accepted", "done", "ok", "OK")
    assert done["result"] == {"recipe": "bolts"}
    assert {(m.topic, m.correlation, m.qos, m.retain) for m in world.said} == {
        ("insp/v1/press-3/rsp/ada", b"c-1", 1, False)
    }
    assert world.unacknowledged == []
    assert world.state[Resource.RECIPE] == 1


def test_without_a_response_topic_the_console_is_answered(life: Life, world: World) -> None:
    ask(life, request("status", key=None, clock=world.clock, reply_to=""))

    assert [m.topic for m in world.said] == ["insp/v1/press-3/rsp/console"]


def test_a_retained_request_is_refused_and_counted(life: Life, world: World) -> None:
    assert ask(life, request("use", USE, clock=world.clock, retain=True)) == []
    assert (life.desk.counts.retained, world.state[Resource.RECIPE]) == (1, 0)
    assert world.unacknowledged == []


@pytest.mark.parametrize(
    "reply_to",
    [
        "insp/v1/press-4/rsp/ada",
        "insp/v1/press-3/rsp/",
        "insp/v1/press-3/rsp/+",
        "insp/v1/press-3/rsp/#",
        "insp/v1/press-3/rsp/a\0b",
        "insp/v1/press-3/rsp/" + "x" * 200,
        "insp/v1/press-3/cmd/use/req",
        "plant/alarm",
    ],
)
def test_nobody_is_answered_elsewhere_and_nothing_is_done(life: Life, world: World, reply_to: str) -> None:
    assert ask(life, request("use", USE, clock=world.clock, reply_to=reply_to)) == []
    assert (life.desk.counts.nowhere, world.state[Resource.RECIPE]) == (1, 0)
    assert world.unacknowledged == []


def test_too_much_to_repeat_in_the_answer_is_not_repeated(life: Life, world: World) -> None:
    assert ask(life, replace(request("status", key=None, clock=world.clock), correlation=b"x" * 257)) == []
    assert life.desk.counts.nowhere == 1


@pytest.mark.parametrize(
    ("cmd", "args", "more", "place"),
    [
        ("selfdestruct", {}, {}, "$.cmd"),
        ("use", {}, {}, "recipe"),
        ("use", {"recipe": 7}, {}, "$.args.recipe"),
        ("use", {"recipe": "bolts", "colour": "red"}, {}, "colour"),
        ("use", {"recipe": "bolts", "who": "somebody"}, {}, "$.args.who"),
        ("label", {"part": "1", "label": "pit"}, {}, "$.args.part"),
        ("teach", {"label": "pit"}, {}, "$.args.next"),
        ("use", USE, {"colour": "red"}, "colour"),
        ("use", USE, {"v": 2}, "$.v"),
        ("use", USE, {"id": "short"}, "$.id"),
        ("use", USE, {"id": "local:0123456789"}, "$.id"),
        ("use", USE, {"ttl_ms": 0}, "$.ttl_ms"),
        ("use", USE, {"ttl_ms": 1.5}, "$.ttl_ms"),
        ("use", USE, {"issued_at": "now"}, "$.issued_at"),
        ("use", USE, {"expect": {"weather": "fine"}}, "$.expect"),
        ("use", USE, {"by": ""}, "$.by"),
    ],
)
def test_what_is_not_a_request_is_told_where(
    life: Life, world: World, cmd: str, args: dict[str, object], more: dict[str, object], place: str
) -> None:
    (answer,) = ask(life, request(cmd, args, clock=world.clock, **more))

    assert answer["code"] == "E_SCHEMA"
    assert place in answer["message"]
    assert world.state[Resource.RECIPE] == 0
    assert world.unacknowledged == []
    assert life.stored(ID) is None


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"\xff", b'{"id":1,"id":2}', b"[" * 1000, b"x" * 70_000])
def test_what_is_not_json_is_refused_and_acknowledged(life: Life, world: World, payload: bytes) -> None:
    (answer,) = ask(life, replace(request("status", key=None, clock=world.clock), payload=payload))

    assert (answer["code"], answer["id"]) == ("E_SCHEMA", "")
    assert world.unacknowledged == []


@pytest.mark.parametrize(
    ("key", "cmd", "args", "why"),
    [
        (None, "use", USE, "has to be signed"),
        (STRANGER, "use", USE, "not trusted"),
        (ACKNOWLEDGER, "use", USE, "may acknowledge"),
        (OPERATOR, "restart", {}, "may operate"),
        (OPERATOR, "trust", {"to": "list"}, "may operate"),
        (STRANGER, "status", {}, "not trusted"),
    ],
)
def test_who_may_not_is_refused_and_that_is_on_record(
    life: Life, world: World, key: Any, cmd: str, args: dict[str, object], why: str
) -> None:
    (answer,) = ask(life, request(cmd, args, key=key, clock=world.clock))

    assert answer["code"] == "E_UNAUTH"
    assert why in answer["message"]
    ((kind, body),) = world.rows("SELECT kind, body FROM audit")
    assert (kind, json.loads(body)["cmd"]) == ("refused", cmd)
    assert life.stored(ID) is None  # nobody takes an id that he may not use


def test_a_signature_for_another_topic_is_none(life: Life, world: World) -> None:
    stolen = request("use", USE, clock=world.clock, topic="insp/v1/press-4/cmd/use/req")

    assert code(life, replace(stolen, topic=TOPICS.request("use"))) == "E_UNAUTH"


def test_an_altered_message_is_not_signed(life: Life, world: World) -> None:
    good = request("use", USE, clock=world.clock)

    assert code(life, replace(good, payload=good.payload.replace(b"bolts", b"nails"))) == "E_UNAUTH"


def test_who_is_refused_again_and_again_does_not_fill_the_disk(life: Life, world: World) -> None:
    for number in range(3 * ROWS):
        ask(life, request("use", USE, key=None, clock=world.clock, asked_id=f"{ID[:-3]}{number:03}"))
    assert world.rows("SELECT count(*) FROM audit") == [(ROWS,)]
    world.clock.advance(601.0)
    ask(life, request("use", USE, key=None, clock=world.clock))

    (newest,) = world.rows("SELECT body FROM audit ORDER BY id DESC LIMIT 1")
    assert json.loads(newest[0])["left_out_before"] == 2 * ROWS


@pytest.mark.parametrize("key", [CONSOLE, OPERATOR])
def test_a_key_of_a_role_may_what_the_role_may(life: Life, world: World, key: Any) -> None:
    assert code(life, request("use", USE, key=key, clock=world.clock)) == "OK"


def test_the_same_id_again_has_the_same_answer_and_nothing_is_done(life: Life, world: World) -> None:
    inbound = request("use", USE, clock=world.clock)
    first = ask(life, inbound)[-1]
    world.clock.advance(20.0)
    again = ask(life, request("use", USE, clock=world.clock))  # signed anew, as a console does that was restarted

    assert again == [first]
    assert world.state[Resource.RECIPE] == 1
    world.clock.advance(3600.0)
    assert ask(life, inbound) == [first]  # also long after it ran out
    assert world.unacknowledged == []


def test_the_same_id_while_it_is_under_way_is_answered_when_it_is_done(life: Life, world: World) -> None:
    life.handlers["use"] = lambda request, now: life.held.append(request)
    assert [said["phase"] for said in ask(life, request("use", USE, clock=world.clock))] == ["accepted"]
    assert ask(life, request("use", USE, clock=world.clock, reply_to="insp/v1/press-3/rsp/bob")) == []
    life.held[0].done({"recipe": "bolts"})
    life.turn()

    assert [m.topic[-3:] for m in world.said][-2:] == ["ada", "bob"]
    assert len(world.answers()) == 1


@pytest.mark.parametrize("under_way", [False, True])
def test_an_id_belongs_to_one_request(life: Life, world: World, under_way: bool) -> None:
    if under_way:
        life.handlers["use"] = lambda request, now: life.held.append(request)
    ask(life, request("use", USE, clock=world.clock))

    assert code(life, request("use", {"recipe": "nuts"}, clock=world.clock)) == "E_DUPLICATE"
    assert code(life, request("gate", {"to": "bypass"}, clock=world.clock)) == "E_DUPLICATE"
    assert code(life, request("use", USE, key=OPERATOR, clock=world.clock)) == "E_DUPLICATE"
    assert world.unacknowledged == []
    assert world.state[Resource.GATE] == 0


def test_it_is_acknowledged_when_the_disk_has_it_and_not_before(life: Life, world: World) -> None:
    inbound = request("use", USE, clock=world.clock)
    world.send(inbound)
    life.receive(inbound)
    assert world.unacknowledged == [inbound]
    life.pending.popleft()()  # the ledger writes it

    assert world.unacknowledged == []
    assert life.stored(ID) is not None


@pytest.mark.parametrize("again", [False, True])
def test_what_the_ledger_does_not_take_waits_for_it(life: Life, world: World, again: bool) -> None:
    life.failing = True
    inbound = request("use", USE, clock=world.clock)
    assert ask(life, inbound) == []
    assert world.unacknowledged == [inbound]
    life.failing = False
    if again:
        life.deliver()
    life.turn()

    assert [answer["code"] for answer in world.answers()] == ["OK"]
    assert world.unacknowledged == []


def test_what_waited_for_it_too_long_is_not_begun(life: Life, world: World) -> None:
    life.failing = True
    ask(life, request("use", USE, clock=world.clock))
    world.clock.advance(31.0)
    life.failing = False
    life.turn()

    assert [answer["code"] for answer in world.answers()] == ["E_EXPIRED"]
    assert world.state[Resource.RECIPE] == 0


def test_an_answer_that_the_ledger_does_not_take_is_written_later(life: Life, world: World) -> None:
    life.handlers["use"] = lambda request, now: life.held.append(request)
    ask(life, request("use", USE, clock=world.clock))
    life.failing = True
    life.held[0].done({"recipe": "bolts"})
    assert world.answers() == []
    life.failing = False
    life.turn()

    assert [answer["code"] for answer in world.answers()] == ["OK"]


def test_what_ran_out_is_not_begun(life: Life, world: World) -> None:
    late = request("use", USE, clock=world.clock)
    world.clock.advance(31.0)

    assert code(life, replace(late, arrived_s=world.clock.now())) == "E_EXPIRED"
    assert world.state[Resource.RECIPE] == 0
    assert world.codes() == ["E_EXPIRED"]


def test_a_clock_that_is_wrong_by_months_makes_no_station_deaf(life: Life, world: World) -> None:
    world.synchronised = False
    for number, months in enumerate((-5, 5)):
        issued = world.clock.utc() + months * 30 * 86_400
        fresh = request("use", USE, clock=world.clock, issued_at=issued, asked_id=f"{ID[:-3]}{number:03}")
        assert code(life, fresh) == "OK"


def test_nor_obedient_to_what_was_recorded(life: Life, world: World) -> None:
    """The recorded command was done once; whatever the clock says by then, its id is known."""
    recorded = request("use", USE, clock=world.clock)
    first = ask(life, recorded)[-1]
    world.clock.advance(90 * 86_400.0)
    for synchronised in (False, True):
        world.synchronised = synchronised
        assert ask(life, replace(recorded, arrived_s=world.clock.now())) == [first]
    assert world.state[Resource.RECIPE] == 1


def test_what_was_held_back_is_older_than_what_came_since(life: Life, world: World) -> None:
    """Recorded and never delivered, then sent when nothing keeps the clock right."""
    world.synchronised = False
    held_back = request("use", USE, clock=world.clock)
    world.clock.advance(86_400.0)
    assert code(life, request("use", USE, clock=world.clock, asked_id=OTHER_ID)) == "OK"

    assert code(life, replace(held_back, arrived_s=world.clock.now())) == "E_EXPIRED"
    assert world.state[Resource.RECIPE] == 1


def test_expectations_are_compared_before_anything_is_done(life: Life, world: World) -> None:
    wrong = request("use", USE, clock=world.clock, expect={"recipe": "recipe-7"})
    (answer,) = ask(life, wrong)
    right = request("use", USE, clock=world.clock, asked_id=OTHER_ID, expect={"recipe": "recipe-0"})

    assert (answer["code"], answer["result"]) == ("E_PRECONDITION", {"resource": "recipe", "present": "recipe-0"})
    assert code(life, right) == "OK"
    assert world.state[Resource.RECIPE] == 1


def test_one_command_at_a_time_changes_a_resource(life: Life, world: World) -> None:
    ask(life, request("teach", {"label": "pit", "next": 3}, clock=world.clock))
    (busy,) = ask(life, request("forget", {"what": "pit"}, clock=world.clock, asked_id=OTHER_ID))

    assert (busy["code"], busy["message"]) == ("E_BUSY", "a lesson is being given")
    assert code(life, request("use", USE, clock=world.clock, asked_id=f"{ID}a")) == "OK"  # another resource
    assert code(life, request("cancel", clock=world.clock, asked_id=f"{ID}b")) == "OK"  # may end the lesson
    life.held[0].done({})
    life.turn()
    ask(life, request("forget", {"what": "pit"}, clock=world.clock, asked_id=f"{ID}c"))
    assert len(life.held) == 2


def test_long_work_says_that_it_was_accepted_and_how_far_it_is(life: Life, world: World) -> None:
    said = ask(life, request("teach", {"label": "pit", "next": 3}, clock=world.clock))
    world.clock.advance(1.5)
    life.turn()
    life.held[0].done({"taught": 3})
    life.turn()

    assert [said[0]["phase"]] + [json.loads(m.payload)["phase"] for m in world.said[1:]] == [
        "accepted",
        "progress",
        "done",
    ]


def test_what_waits_for_a_gap_between_parts_is_done_in_one(life: Life, world: World) -> None:
    life.handlers["restart"] = lambda request, now: life.change(Resource.STATION)
    life.safe = False
    ask(life, request("restart", clock=world.clock))
    assert world.state[Resource.STATION] == 0
    life.safe = True
    life.turn()

    assert world.state[Resource.STATION] == 1


def test_where_none_comes_it_is_unsafe(life: Life, world: World) -> None:
    life.safe = False
    ask(life, request("restart", clock=world.clock))
    world.clock.advance(31.0)
    life.turn()

    assert [answer["code"] for answer in world.answers()] == ["E_UNSAFE"]


def test_a_bug_is_answered_without_a_traceback_and_then_ends_the_station(life: Life, world: World) -> None:
    inbound = request("promote", clock=world.clock)
    world.send(inbound)
    life.receive(inbound)
    with pytest.raises(KeyError):
        life.turn()

    (answer,) = world.answers()
    assert answer["code"] == "E_INTERNAL"
    assert "KeyError" not in json.dumps(answer)
    assert world.rows("SELECT count(*) FROM commands WHERE answer IS NULL") == [(0,)]  # no restart repeats it


def test_an_effect_that_the_ledger_refuses_is_an_error_and_leaves_nothing(life: Life, world: World) -> None:
    assert code(life, request("label", {"part": 77, "label": "pit"}, clock=world.clock)) == "E_PRECONDITION"
    assert world.rows("SELECT count(*) FROM labels") == [(0,)]
    assert world.codes() == ["E_PRECONDITION"]


def test_more_at_once_than_there_are_places_is_refused(life: Life, world: World) -> None:
    life.handlers["identify"] = lambda request, now: life.held.append(request)
    for number in range(OPEN_COMMANDS):
        assert ask(life, request("identify", clock=world.clock, asked_id=f"{ID[:-3]}{number:03}")) == []

    assert code(life, request("identify", clock=world.clock, asked_id=f"{ID}z")) == "E_BUSY"
    assert life.journal.counts.refused == 1
    assert world.unacknowledged == []


def test_also_then_what_was_answered_has_that_answer(life: Life, world: World) -> None:
    first = ask(life, request("use", USE, clock=world.clock))[-1]
    life.handlers["identify"] = lambda request, now: life.held.append(request)
    for number in range(OPEN_COMMANDS):
        ask(life, request("identify", clock=world.clock, asked_id=f"{ID[:-3]}{number + 100:03}"))

    assert ask(life, request("use", USE, clock=world.clock)) == [first]


def test_reading_needs_no_signature_and_is_answered_once_from_memory(life: Life, world: World) -> None:
    first = ask(life, request("status", key=None, clock=world.clock))
    again = ask(life, request("status", key=None, clock=world.clock))

    assert first == again
    assert first[0]["result"] == {"up": True}
    assert (life.desk.read_again, life.stored(ID)) == (1, None)
    assert code(life, request("status", {}, key=None, clock=world.clock, by="bob@console")) == "E_DUPLICATE"
    assert world.rows("SELECT count(*) FROM audit") == [(0,)]


def test_readings_at_once_are_bounded(life: Life, world: World) -> None:
    for number in range(8):
        assert ask(life, request("events", key=None, clock=world.clock, asked_id=f"{ID[:-3]}{number:03}")) == []

    assert code(life, request("events", key=None, clock=world.clock, asked_id=f"{ID}z")) == "E_BUSY"
    life.held[0].done([])
    life.turn()
    assert [answer["code"] for answer in world.answers(f"{ID[:-3]}000")] == ["OK"]


def test_reading_that_ran_out_is_not_done(life: Life, world: World) -> None:
    late = request("status", key=None, clock=world.clock)
    world.clock.advance(31.0)

    assert code(life, replace(late, arrived_s=world.clock.now())) == "E_EXPIRED"


def test_keys_that_were_added_and_removed_meanwhile_count_and_do_not(life: Life, world: World) -> None:
    path = world.folder / "trusted.toml"
    assert code(life, request("use", USE, key=STRANGER, clock=world.clock)) == "E_UNAUTH"
    new = key_of("new", "operate", base64.b64encode(public_bytes(STRANGER)).decode())
    write_keys(path, added(read_keys(path), new))
    assert code(life, request("use", USE, key=STRANGER, clock=world.clock)) == "OK"
    write_keys(path, removed(read_keys(path), "new"))
    again = request("use", USE, key=STRANGER, clock=world.clock, asked_id=f"{ID}z")
    assert code(life, again) == "E_UNAUTH"


def local(life: Life, name: str, asked_id: str = "", **arguments: object) -> Request:
    request = Request(
        COMMANDS[name], checked(name, **arguments), b"", Caller(0, "root", Privilege.ADMINISTER), asked_id
    )
    Counter(life.journal, life.clock).take(request, life.clock.now())
    life.turn()
    return request


def test_a_local_request_goes_the_same_way(life: Life, world: World) -> None:
    assert local(life, "use", recipe="bolts", who="anna").outcome() == ({"recipe": "bolts"}, None)
    assert world.codes() == ["OK"]
    ((body,),) = world.rows("SELECT body FROM audit")
    assert {k: json.loads(body)[k] for k in ("who", "way", "caller")} == {
        "who": "anna",
        "way": "local",
        "caller": "uid 0 root",
    }
    _, error = local(life, "undo", who="anna").outcome()
    assert isinstance(error, BadData)


def test_with_an_id_a_local_request_is_done_once(life: Life, world: World) -> None:
    first, _ = local(life, "use", "tap-1", recipe="bolts", who="anna").outcome()
    again, _ = local(life, "use", "tap-1", recipe="bolts", who="anna").outcome()
    _, other = local(life, "use", "tap-1", recipe="nuts", who="anna").outcome()

    assert json.loads(bytes(again)) == first  # type: ignore[call-overload]
    assert isinstance(other, BadData)
    assert world.state[Resource.RECIPE] == 1
    local(life, "use", recipe="bolts", who="anna")
    local(life, "use", recipe="bolts", who="anna")
    assert world.state[Resource.RECIPE] == 3  # without one, asking twice is to want it twice


def test_a_local_request_that_cannot_be_stored_is_told_so(life: Life) -> None:
    life.failing = True
    _, error = local(life, "use", recipe="bolts", who="anna").outcome()

    assert isinstance(error, Unavailable)


def asked(life: Life, name: str, id_: str = "", **arguments: object) -> Request:
    """Ask over the socket, of a station whose ledger takes what it is given and writes nothing yet."""
    request = Request(COMMANDS[name], checked(name, **arguments), id=id_)
    Counter(life.journal, life.clock).take(request, life.clock.now())
    assert life.poked
    return request


def test_nobody_at_the_socket_waits_for_a_disk_without_end_and_what_they_gave_up_is_not_done(
    life: Life, world: World
) -> None:
    request = asked(life, "use", recipe="bolts", who="anna")
    wait_s = life.journal.step(life.clock.now()) - life.clock.now()
    assert not request.answered and wait_s <= PATIENCE_S
    life.clock.advance(PATIENCE_S + 0.1)
    life.journal.step(life.clock.now())
    _, error = request.outcome()
    assert isinstance(error, Unavailable) and "nothing was done" in error.message

    life.turn()  # the disk is back
    assert world.state[Resource.RECIPE] == 0 and world.codes() == ["E_EXPIRED"]
    assert life.journal.step(life.clock.now()) == NEVER


def test_whoever_asks_again_for_what_was_given_up_hears_the_same_at_once(life: Life) -> None:
    asked(life, "use", "tap-1", recipe="bolts", who="anna")
    life.clock.advance(PATIENCE_S + 0.1)
    life.journal.step(life.clock.now())
    again = asked(life, "use", "tap-1", recipe="bolts", who="anna")
    _, error = again.outcome()
    assert isinstance(error, Unavailable) and "nothing was done" in error.message
    life.turn()
    assert not life.world.state[Resource.RECIPE]


def test_what_a_person_at_the_socket_was_told_was_not_done_is_not_done_by_the_next_start(world: World) -> None:
    life = Life(world)
    request = asked(life, "use", recipe="bolts", who="anna")
    life.clock.advance(PATIENCE_S + 0.1)
    life.journal.step(life.clock.now())
    assert isinstance(request.outcome()[1], Unavailable)
    with pytest.raises(Cut):  # the disk is back, and the station ends before it hears of it
        life.left = 1
        life.turn()
    life.end()
    assert world.rows("SELECT answer FROM commands") == [(None,)]

    next_life = Life(world)
    next_life.run()
    assert world.state[Resource.RECIPE] == 0 and world.codes() == ["E_EXPIRED"]
    next_life.end()


def test_an_answer_that_no_disk_takes_is_told_at_the_socket_all_the_same(life: Life, world: World) -> None:
    request = asked(life, "use", recipe="bolts", who="anna")
    life.pending.popleft()()  # stored, and done
    life.journal.step(life.clock.now())
    assert world.state[Resource.RECIPE] == 1 and not request.answered
    life.clock.advance(PATIENCE_S + 0.1)
    life.journal.step(life.clock.now())
    assert request.outcome() == ({"recipe": "bolts"}, None) and world.codes() == []

    life.turn()
    assert world.codes() == ["OK"]


def test_who_asks_over_the_network_waits_for_the_disk(life: Life, world: World) -> None:
    life.receive(request("use", {"recipe": "bolts"}, clock=world.clock))
    life.clock.advance(PATIENCE_S + 0.1)
    life.turn()
    life.turn()
    assert world.state[Resource.RECIPE] == 1


def test_effects_past_the_journal_are_a_bug() -> None:
    with pytest.raises(AssertionError, match="past the journal"):
        Request(COMMANDS["identify"], checked("identify", who="me")).record({}, ())


def test_signing_does_not_help_who_asks_for_another_name(life: Life, world: World) -> None:
    """The topic is part of what is signed, and the name in it must be the one in the request."""
    text = json.dumps({"v": 1, "id": ID, "cmd": "status", "issued_at": 1.0, "ttl_ms": 1, "by": "a"})
    inbound = replace(request("use", USE, clock=world.clock), payload=sealed(text, TOPICS.request("use"), CONSOLE))

    assert code(life, inbound) == "E_SCHEMA"


@pytest.mark.parametrize("key", [None, STRANGER, CONSOLE])
def test_each_byte_of_a_request_is_read_once(
    life: Life, world: World, key: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a signature counts, anybody may have sent it: the loop thread does no more than it must."""
    texts: list[bytes] = []
    plain = strictjson.plain
    monkeypatch.setattr(
        strictjson,
        "plain",
        lambda data, **limits: texts.append(data) or plain(data, **limits),  # type: ignore[func-returns-value]
    )
    ask(life, request("use", USE, key=key, clock=world.clock))

    assert len(texts) == len(set(texts)) == (1 if key is None else 2)


def test_what_was_answered_long_ago_answers_the_same_without_its_result(
    life: Life, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commandrows, "KEPT_COMMANDS", 2)
    recorded = request("use", USE, clock=world.clock)
    (first,) = ask(life, recorded)[-1:]
    for number in range(4):
        ask(life, request("identify", clock=world.clock, asked_id=f"{ID[:-3]}{number + 100:03}"))

    assert first["result"] == {"recipe": "bolts"}
    assert ask(life, recorded) == [{**first, "result": {}}]


@pytest.mark.parametrize("kept", ["", "{}", '{"way":"carrier pigeon"}', "\xe9"])
@pytest.mark.parametrize("answered", [False, True])
def test_a_stored_command_that_cannot_be_read_does_not_keep_the_station_from_starting(
    tmp_path: Path, kept: str, answered: bool
) -> None:
    """A release before this one wrote it otherwise."""
    world = World(tmp_path)
    first = Life(world)
    first.handlers["use"] = lambda request, now: first.held.append(request)
    first.receive(request("use", USE, clock=world.clock))
    first.turn()
    first.end()
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
        database.execute("UPDATE commands SET request = ?, answer = ?", (kept, "{}" if answered else None))
    second = Life(world)
    second.run()
    second.end()

    assert world.rows("SELECT told, answer IS NULL FROM commands") == [(1, 0)]
    assert world.codes() == ([] if answered else ["E_INTERNAL"])


def test_one_request_from_a_clock_that_is_years_ahead_does_not_lock_its_key_out(world: World) -> None:
    world.synchronised = False
    life = Life(world)
    ahead = request("use", USE, clock=world.clock, issued_at=world.clock.utc() + 1e9)
    assert code(life, ahead) == "OK"
    assert code(life, request("use", USE, clock=world.clock, asked_id=OTHER_ID)) == "OK"
    life.end()
    world.clock.advance(60.0)
    after = Life(world)  # the ledger remembers no more than that, either
    assert code(after, request("use", USE, clock=world.clock, asked_id=f"{ID}a")) == "OK"
    after.end()


def brought(inbound: Inbound, number: int, **more: Any) -> Inbound:
    """The same request once more, as another message."""
    return replace(inbound, mark=10_000 + number, **more)


@pytest.mark.parametrize("signed", [True, False])
def test_who_asks_again_and_again_waits_once(life: Life, world: World, signed: bool) -> None:
    """As one does who has recorded it; each message is acknowledged, and one answer is given."""
    name, args = ("forget", {"what": "pit"}) if signed else ("events", {})
    asked = request(name, args, key=CONSOLE if signed else None, clock=world.clock)
    for number in range(200):
        world.send(brought(asked, number))
    life.deliver()
    assert len(world.unacknowledged) == 1  # the newest waits: for the disk, or for the answer
    life.turn()
    before = len(world.said)
    life.held[0].done([])
    life.turn()

    assert len(life.held) == 1
    assert len(world.said) == before + 1
    assert world.unacknowledged == []


@pytest.mark.parametrize("signed", [True, False])
def test_only_so_many_wait_for_one_answer(life: Life, world: World, signed: bool) -> None:
    """To other places only what is signed: the place is part of what an unsigned id stands for, but not its mark."""
    name, args = ("forget", {"what": "pit"}) if signed else ("events", {})
    asked = request(name, args, key=CONSOLE if signed else None, clock=world.clock)
    for number in range(MOST + 3):
        world.send(brought(asked, number, correlation=b"%d" % number))
    life.deliver()
    life.turn()
    refused = [json.loads(m.payload)["code"] for m in world.said if json.loads(m.payload)["phase"] == "done"]
    life.held[0].done([])
    life.turn()

    assert refused == ["E_BUSY"] * 3
    assert [m.correlation for m in world.said[-MOST:]] == [b"%d" % number for number in range(MOST)]
    assert world.unacknowledged == []


def test_of_what_waits_the_desk_keeps_no_payload(life: Life, world: World) -> None:
    kept: list[Inbound] = []
    life.desk._acknowledge = kept.append
    ask(life, request("use", USE, clock=world.clock))
    ask(life, request("status", key=None, clock=world.clock, asked_id=OTHER_ID))

    assert [(inbound.payload, inbound.qos) for inbound in kept] == [(b"", 1), (b"", 1)]


def test_an_answer_without_a_record_waits_for_room_and_its_request_with_it(life: Life, world: World) -> None:
    life.full = True
    asked = [request("status", key=None, clock=world.clock, asked_id=f"{ID[:-3]}{n:03}") for n in range(UNSAID + 2)]
    for inbound in asked:
        world.send(inbound)
        life.receive(inbound)
        life.turn()
    assert (world.said, world.unacknowledged) == ([], asked)
    life.full = False
    life.desk.say_again(world.clock.now())

    assert len(world.said) == UNSAID
    assert world.unacknowledged == asked[UNSAID:]  # they come again with the next connection, and are counted
    assert life.desk.counts.unsaid == 2


def test_an_answer_on_record_is_said_again_until_the_broker_takes_it(life: Life, world: World) -> None:
    life.refusing = True
    ask(life, request("use", USE, clock=world.clock))
    told = "SELECT told FROM commands"
    for _ in range(3):
        world.clock.advance(AGAIN_S)
        life.desk.say_again(world.clock.now())
    done = [m for m in world.said if json.loads(m.payload)["phase"] == "done"]
    assert (len(done), world.rows(told)) == (1 + 3, [(0,)])
    life.refusing = False
    world.clock.advance(AGAIN_S)
    life.desk.say_again(world.clock.now())
    life.turn()

    assert world.rows(told) == [(1,)]


def test_who_uses_the_id_of_another_does_not_take_the_place_of_its_answer(life: Life, world: World) -> None:
    life.refusing = True
    ask(life, request("use", USE, clock=world.clock))
    life.refusing = False
    stolen = request("use", USE, key=OPERATOR, clock=world.clock, reply_to="insp/v1/press-3/rsp/mallory")
    assert code(life, stolen) == "E_DUPLICATE"
    assert world.rows("SELECT told FROM commands") == [(0,)]
    life.desk.connected()
    life.turn()

    assert [(m.topic[-3:], json.loads(m.payload)["code"]) for m in world.said][-1] == ("ada", "OK")
    assert world.rows("SELECT told FROM commands") == [(1,)]


def test_with_another_ledger_what_was_done_by_the_one_before_is_not_done_again(world: World) -> None:
    """Within its time; and the ledger that is new knows no id."""
    recorded = request("use", USE, clock=world.clock)
    world.clock.advance(5.0)
    world.begun_utc = world.clock.utc()
    world.clock.advance(5.0)
    life = Life(world)
    assert code(life, replace(recorded, arrived_s=world.clock.now())) == "E_EXPIRED"
    assert code(life, request("use", USE, clock=world.clock, asked_id=OTHER_ID)) == "OK"
    life.end()
