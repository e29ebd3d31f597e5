"""A knowledge file that is damaged or made to harm is refused, with the reason, and nothing of it is loaded."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models import Knowledge, knw
from models.embedding import assemble, quantise
from models.errors import KnowledgeDamaged
from models.manifest import Block

BLOCKS = (Block("image", 0, 3, 0.75, "a"), Block("vibration", 3, 5, 0.25, "b"))


def known() -> Knowledge:
    rng = np.random.default_rng(0)
    knowledge = Knowledge.empty("ring", "0" * 64, BLOCKS)
    for slug in ("good", "pit", "good"):
        raw = [{"image": rng.normal(size=3), "vibration": rng.normal(size=2)} for _ in range(3)]
        knowledge = knowledge.learn(slug, np.stack([quantise(assemble(BLOCKS, r)) for r in raw]))
    raw_image = {"image": rng.normal(size=3)}
    return knowledge.learn("pit", quantise(assemble(BLOCKS, raw_image))[np.newaxis])


DATA = known().to_bytes()


def signed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def rebuilt(change: Callable[[dict[str, Any]], None], arrays: Callable[[bytes], bytes] = lambda b: b) -> bytes:
    """A file with another header and other arrays, and a digest that fits."""
    end = 8 + int.from_bytes(DATA[4:8], "little")
    header = json.loads(DATA[8:end])
    change(header)
    text = json.dumps(header, separators=(",", ":")).encode()
    return signed(DATA[:4] + len(text).to_bytes(4, "little") + text + arrays(DATA[end:-32]))


def nothing(_header: dict[str, Any]) -> None:
    pass


def test_the_file_made_here_is_the_real_one() -> None:
    assert rebuilt(nothing) == DATA
    assert Knowledge.from_bytes(DATA) == known()
    assert Knowledge.from_bytes(DATA).samples("good") == 2
    assert Knowledge.from_bytes(DATA).classes == ("good", "pit")


def test_empty_knowledge_is_a_file_too() -> None:
    empty = Knowledge.empty("ring", "0" * 64, BLOCKS)

    assert Knowledge.from_bytes(empty.to_bytes()) == empty


@pytest.mark.parametrize("at", range(0, len(DATA), 7))
def test_any_flipped_byte_is_noticed(at: int) -> None:
    damaged = DATA[:at] + bytes([DATA[at] ^ 0x10]) + DATA[at + 1 :]
    with pytest.raises(KnowledgeDamaged, match="SHA-256" if at > 3 else "not a knowledge file|newer"):
        Knowledge.from_bytes(damaged)


@pytest.mark.parametrize("length", range(0, len(DATA), 11))
def test_any_shorter_or_longer_file_is_noticed(length: int) -> None:
    for data in (DATA[:length], DATA + b"\0" * (length + 1), signed(DATA[:-32] + b"\0" * (length + 1))):
        with pytest.raises(KnowledgeDamaged):
            Knowledge.from_bytes(data)


def first_total(data: bytes) -> bytes:
    return (2**40).to_bytes(8, "little") + data[8:]


def first_product(data: bytes) -> bytes:
    return data[: 5 * 8] + (2**30).to_bytes(4, "little") + data[5 * 8 + 4 :]


def corner_product(data: bytes) -> bytes:
    return data[: 5 * 8 + 4] + (-(2**31)).to_bytes(4, "little", signed=True) + data[5 * 8 + 8 :]


HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], object], Callable[[bytes], bytes], str]] = {
    "newer key": (lambda h: h.update(colour="red"), bytes, "header: .*unknown field"),
    "wrong type": (lambda h: h.update(recipe=3), bytes, "header"),
    "no recipe": (lambda h: h.update(recipe=""), bytes, "header"),
    "more vectors than int64 can hold": (lambda h: h["groups"][0].update(vectors=2**63), bytes, "header"),
    "no samples": (lambda h: h["groups"][0].update(samples=0), bytes, "header"),
    "more samples than vectors": (lambda h: h["groups"][0].update(samples=7), bytes, "7 samples in 6 vectors"),
    "huge dimensions": (lambda h: h.update(spans=[["image", 0, 2**31], ["vibration", 2**31, 2**32]]), bytes, "dim"),
    "gap": (lambda h: h.update(spans=[["image", 0, 3], ["vibration", 4, 5]]), bytes, "dimensions of vibration"),
    "modality twice": (lambda h: h.update(spans=[["image", 0, 3], ["image", 3, 5]]), bytes, "named twice"),
    "no modality": (lambda h: h.update(spans=[], groups=[]), bytes, "no modality"),
    "class of nothing": (lambda h: h["groups"][0].update(modalities=[]), bytes, "modalities none"),
    "order of modalities": (lambda h: h["groups"][0]["modalities"].reverse(), bytes, "modalities"),
    "slug": (lambda h: h["groups"][0].update(slug="../good"), bytes, "header"),
    "more than there is": (lambda h: h["groups"].append(h["groups"][0]), bytes, "the header describes"),
    "less than there is": (lambda h: h["groups"].pop(), bytes, "the header describes"),
    "wide where narrow fits": (lambda h: h["groups"][0].update(bytes=8), bytes, "the header describes"),
    "odd width": (lambda h: h["groups"][0].update(bytes=5), lambda b: b + bytes(15), "header: .*bytes"),
    "negative count": (lambda h: h["groups"][0].update(samples=-1), bytes, "header: .*samples"),
    "not a whole number": (lambda h: h["groups"][0].update(vectors=float("nan")), bytes, "header"),
    "more modalities than there can be": (lambda h: h["groups"][0].update(modalities=["image"] * 99), bytes, "<= 16"),
    "more spans than there can be": (lambda h: h.update(spans=[["image", 0, 3]] * 99), bytes, "<= 16"),
    "name of a modality": (lambda h: h["spans"][0].__setitem__(0, "i" * 99), bytes, "header: .*spans"),
    "long header": (lambda h: h.update(recipe="r" * 2**20), bytes, "a header of .* bytes, at most"),
    "class twice": (lambda h: h["groups"][1].update(h["groups"][0]), bytes, "describes|one form"),
    "not sorted": (lambda h: h["groups"][0].update(slug="zebra"), bytes, "one form"),
    "mean too large": (nothing, first_total, "class good .*mean"),
    "squares too large": (nothing, first_product, "class good .*|q|"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_with_its_reason(case: str) -> None:
    change, arrays, reason = HOSTILE[case]
    with pytest.raises(KnowledgeDamaged, match=reason):
        Knowledge.from_bytes(rebuilt(lambda h: change(h) and None, arrays))


def test_an_off_diagonal_that_could_overflow_a_merge_is_refused() -> None:
    def wide(data: bytes) -> bytes:
        products = np.frombuffer(data[40 : 40 + 60], dtype="<i4").astype("<i8")
        products[1] = np.iinfo(np.int64).min
        return data[:40] + products.tobytes() + data[100:]

    with pytest.raises(KnowledgeDamaged, match="larger than"):
        Knowledge.from_bytes(rebuilt(lambda h: h["groups"][0].update(bytes=8), wide))


@pytest.mark.parametrize("start", [b"", b'{"recipe":', b'{"spans":', b'{"groups":[', b'{"other":'])
def test_a_header_of_any_depth_is_refused(start: bytes) -> None:
    text = start + b"[" * 200_000
    with pytest.raises(KnowledgeDamaged, match="header"):
        Knowledge.from_bytes(signed(DATA[:4] + len(text).to_bytes(4, "little") + text))


def test_a_newer_version_is_named() -> None:
    with pytest.raises(KnowledgeDamaged, match="version 2 is newer"):
        Knowledge.from_bytes(signed(DATA[:3] + b"\x02" + DATA[4:-32]))


def test_a_huge_file_is_refused_before_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knw, "MAX_BYTES", 100)
    with pytest.raises(KnowledgeDamaged, match="at most 100"):
        Knowledge.from_bytes(DATA)


def test_products_that_need_eight_bytes_get_them() -> None:
    q = np.zeros(5, dtype=np.int16)
    q[[0, 3]] = 14189, 8191
    knowledge = Knowledge.empty("ring", "0" * 64, BLOCKS).learn("good", np.stack([q] * 9))
    wide = knowledge.learn("good", np.stack([q] * 9))

    assert len(wide.to_bytes()) > len(knowledge.to_bytes()) + 4 * 14
    assert Knowledge.from_bytes(wide.to_bytes()) == wide
    assert wide.forget("good", np.stack([q] * 9)).to_bytes() == knowledge.to_bytes()
