"""The broker of docs/uplink.md is set up as written: each station may speak for itself, and the console for all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from broker import broker
from certificates import Authority
from documents import document, section
from door_bench import opened, reason

from edge_agent.testing.chaos.__main__ import parser
from edge_agent.uplink.message import Outgoing
from edge_agent.uplink.topics import Topics

BLOCKS = re.findall(r"^```\n(.*?)^```", section(document("uplink.md"), "The broker"), re.M | re.S)


@pytest.mark.parametrize(
    ("name", "topic", "expected"),
    [
        ("press-3", "insp/v1/press-3/evt/part", 0x10),
        ("press-3", "insp/v1/press-3/state/online", 0x10),
        ("press-3", "insp/v1/press-3/rsp/console", 0x10),
        ("press-3", "insp/v1/press-4/evt/part", 0x87),
        ("press-3", "insp/v1/press-3/ack", 0x87),
        ("press-3", "insp/v1/press-4/cmd/gate/req", 0x87),
        ("console", "insp/v1/press-3/ack", 0),
        ("console", "insp/v1/press-3/cmd/gate/req", 0),
        ("console", "another/topic", 0x87),
    ],
)
def test_the_example_lets_each_say_what_it_should(tmp_path: Path, name: str, topic: str, expected: int) -> None:
    config, rules = BLOCKS
    authority = Authority(tmp_path)
    served, own, station = (authority.issue(one) for one in ("127.0.0.1", name, "press-3"))
    (tmp_path / "stations.acl").write_text(rules)
    for line, path in {
        "cafile": authority.certificate,
        "certfile": served.certificate,
        "keyfile": served.key,
        "acl_file": tmp_path / "stations.acl",
        "persistence_location": f"{tmp_path}/",
    }.items():
        config, replaced = re.subn(rf"^{line} .*$", f"{line} {path}", config, flags=re.M)
        assert replaced == 1
    config = config.replace("listener 8883\n", "")
    topics = Topics("insp/v1", "press-3")
    common = {"scheme": "mqtts", "ca": str(authority.certificate)}
    with (
        broker(tmp_path, config) as strict,
        opened(
            strict.port,
            topics.ack,
            topics.requests,
            topics.desired("config"),
            certificate=str(station.certificate),
            key=str(station.key),
            **common,
        ) as listening,
        opened(
            strict.port, client_id="speaker", certificate=str(own.certificate), key=str(own.key), **common
        ) as speaking,
    ):
        assert listening._session is not None and listening._session.unheard == ()
        assert reason(speaking, Outgoing(topic, b"{}")) == expected


def test_each_option_of_the_bad_network_is_described() -> None:
    described = set(re.findall(r"--[a-z][a-z-]+", section(document("uplink.md"), "A bad network, to try")))
    options = {word for action in parser()._actions for word in action.option_strings if word.startswith("--")}

    assert described == options - {"--help"}
