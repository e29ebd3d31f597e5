"""What comes over the network as a command, under a fuzzer that looks for new paths: `make fuzz`. Not collected.

Held against it: no exception but the one that says to refuse it, and what is taken is of its type.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edge_agent.strictjson", "edge_agent.journal.asking", "edge_agent.trust"]):
    from edge_agent import strictjson
    from edge_agent.commands import COMMANDS
    from edge_agent.errors import BadData
    from edge_agent.journal.asking import Asked, arguments_of, asked_of, command_of, id_of, reply_topic
    from edge_agent.trust import signing
    from edge_agent.uplink.topics import Topics

NAMES = sorted(COMMANDS)
TOPICS = Topics("insp/v1", "press-3")
PUBLIC = bytes(range(32))


def one_input(data: bytes) -> None:
    name = NAMES[data[0] % len(NAMES)] if data else "status"
    text = data[1:]
    with contextlib.suppress(BadData):
        strictjson.decode(text, object)
    envelope = signing.is_signed(text)
    if envelope is not None:
        with contextlib.suppress(BadData):
            signing.opened(envelope, TOPICS.request(name), {envelope.key: PUBLIC})
        text = envelope.signed.encode()
    id_of(text).encode("ascii")
    reply = text.decode("utf-8", "surrogateescape")
    assert (reply_topic(reply, TOPICS) or TOPICS.responses).startswith(TOPICS.responses)
    with contextlib.suppress(BadData):
        asked = asked_of(text, name)
        assert isinstance(asked, Asked)
        assert isinstance(arguments_of(command_of(asked.cmd), asked), COMMANDS[name].arguments)


def seeds(folder: Path) -> None:
    """Write one good request for each command, plain and in an envelope: a fuzzer does not guess them."""
    for index, name in enumerate(NAMES):
        asked = {"v": 1, "id": "0123456789", "cmd": name, "issued_at": 1.5, "ttl_ms": 9, "by": "a", "expect": {}}
        text = json.dumps({**asked, "args": {"to": "list", "label": "pit", "next": 3, "part": 1, "limit": 5}})
        (folder / f"{name}.plain").write_bytes(bytes([index]) + text.encode())
        envelope = json.dumps({"signed": text, "key": "0" * 16, "sig": "AAAA"})
        (folder / f"{name}.signed").write_bytes(bytes([index]) + envelope.encode())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as corpus:
        seeds(Path(corpus))
        atheris.Setup([*sys.argv, corpus], one_input)
        atheris.Fuzz()
