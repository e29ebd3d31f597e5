"""A small console for tests: stores each fact once by its id, and says with its key how far that reaches."""

from __future__ import annotations

from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.ledger.facts import KINDS
from edge_agent.trust.signing import key_id, public_bytes, sealed


class ConsoleBook:
    """What a console has stored of one station."""

    def __init__(self, station: str, root: str = "insp/v1", lean: bool = False) -> None:
        self.lean = lean  #: of each fact only a number is kept that tells it from others
        self.key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.trusted = {key_id(public_bytes(self.key)): public_bytes(self.key)}
        self.base = f"{root}/{station}"
        self.topic = f"{self.base}/ack"
        self.ledger = ""
        self.acknowledged = 0  #: of the class that was told last, as the station knows it
        self.counter = 0
        self.again = ""
        self.facts: dict[str, object] = {}
        self.gaps: list[dict[str, object]] = []
        self.arrived: list[str] = []
        self.upto = dict.fromkeys(KINDS, 0)
        self._links: dict[str, dict[int, int]] = {kind: {} for kind in KINDS}
        self._spans: dict[str, list[tuple[int, int]]] = {kind: [] for kind in KINDS}

    def take(self, topic: str, payload: bytes) -> None:
        """Store what came, where it is a fact or a gap."""
        if not topic.startswith(f"{self.base}/evt/"):
            return
        said = msgspec.json.decode(payload)
        self.acknowledged = said.pop("acknowledged")
        self.ledger = said["ledger"]
        kind = said["class"]
        if topic.endswith("/gap"):
            self.gaps.append(said)
            self._spans[kind].append((said["from"] - 1, said["to"]))
            return
        assert topic == f"{self.base}/evt/{kind}"
        self.arrived.append(said["id"])
        kept = hash(msgspec.json.encode(said)) if self.lean else said
        before = self.facts.setdefault(said["id"], kept)
        assert before == kept, "the same fact was told in two ways"
        self._links[kind][said["prev"]] = said["seq"]

    def reached(self) -> dict[str, int]:
        """Say how far everything is there without a hole."""
        for kind in KINDS:
            links, number = self._links[kind], self.upto[kind]
            while True:
                further = [last for first, last in self._spans[kind] if first <= number < last]
                if number in links:
                    number = links.pop(number)
                elif further:
                    number = max(further)
                else:
                    break
            self.upto[kind] = number
        return dict(self.upto)

    def ack(self, again: str | None = None) -> bytes:
        """Give the signed word on that."""
        self.counter += 1
        self.again = self.again if again is None else again
        said = {"v": 1, "counter": self.counter, "ledger": self.ledger, "upto": self.reached(), "again": self.again}
        return sealed(msgspec.json.encode(said).decode(), self.topic, self.key)

    def numbers(self) -> list[int]:
        """Give the trigger numbers of the stored parts, in the order in which they came first."""
        parts: list[Any] = [said for said in self.facts.values() if isinstance(said, dict) and said["class"] == "part"]
        return [int(said["part"]["number"]) for said in parts]
