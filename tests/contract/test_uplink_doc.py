"""docs/uplink.md says what the bad network can be told, and what the shipped rules for a broker allow a station."""

from __future__ import annotations

import re

from documents import document, section
from program_words import ROOT

from edge_agent.testing.chaos.__main__ import parser

RULES = ROOT / "packaging" / "mosquitto" / "edge-agent.acl"


def test_what_a_station_may_is_what_the_shipped_rules_allow_it() -> None:
    rows = re.findall(r"^\| (`insp.*) \| (publish|subscribe) \|$", section(document("uplink.md"), "The broker"), re.M)
    said = {(word, topic) for topics, word in rows for topic in re.findall(r"`insp/v1/NAME/([^`]+)`", topics)}
    rules = re.findall(r"^pattern (write|read) insp/v1/%u/(\S+)$", RULES.read_text(), re.M)

    assert said == {({"write": "publish", "read": "subscribe"}[way], topic) for way, topic in rules}


def test_each_option_of_the_bad_network_is_described() -> None:
    described = set(re.findall(r"--[a-z][a-z-]+", section(document("uplink.md"), "A bad network, to try")))
    options = {word for action in parser()._actions for word in action.option_strings if word.startswith("--")}

    assert described == options - {"--help"}
