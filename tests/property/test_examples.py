"""Examples travel whole, and nothing that is not examples gets through."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import BadData
from edge_agent.learning.example import INDEX, Example, pack, unpack

pictures = st.builds(
    lambda h, w, seed: np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 99),
)
windows = st.builds(
    lambda n, seed: np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32),
    st.integers(1, 50),
    st.integers(0, 99),
)
examples = st.one_of(
    st.builds(Example, st.text(max_size=20), pictures),
    st.builds(lambda s, w: Example(s, None, w, 1000.0), st.text(max_size=20), windows),
    st.builds(lambda s, p, w: Example(s, p, w, 1000.0), st.text(max_size=20), pictures, windows),
)


@given(st.lists(examples, min_size=1, max_size=5))
def test_what_was_packed_is_unpacked(batch: list[Example]) -> None:
    for sent, got in zip(batch, unpack(pack(batch)), strict=True):
        assert (got.source, got.rate_hz) == (sent.source, sent.rate_hz)
        for one, other in ((sent.image, got.image), (sent.samples, got.samples)):
            assert (one is None) == (other is None)
            assert one is None or np.array_equal(one, other)


@given(st.binary(max_size=500))
def test_noise_is_refused_in_words(noise: bytes) -> None:
    with pytest.raises(BadData):
        unpack(noise)


@given(st.data())
def test_a_damaged_body_is_refused_or_harmless(data: st.DataObject) -> None:
    body = bytearray(pack([Example("a", np.zeros((4, 4, 3), np.uint8))]))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    try:
        (example,) = unpack(bytes(body))
    except BadData:
        return
    assert example.image is None or example.image.dtype == np.uint8


def body_with(member: str, content: bytes, index: object = ({"source": "a", "rate_hz": 0.0},)) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(INDEX, json.dumps(index))
        archive.writestr(member, content)
    return stream.getvalue()


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=pickled)
    return stream.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        body_with("0.image.npy", npy(np.array([{}], dtype=object), pickled=True)),
        body_with("0.image.npy", npy(np.zeros((4, 4), np.uint8))),
        body_with("0.image.npy", npy(np.zeros((4, 4, 3), np.float64))),
        body_with("0.samples.npy", npy(np.zeros((4, 2), np.float32))),
        body_with("9.image.npy", npy(np.zeros((4, 4, 3), np.uint8))),
        body_with("0.image.npy", npy(np.zeros((4, 4, 3), np.uint8)), index=[]),
        body_with("0.image.npy", npy(np.zeros((4, 4, 3), np.uint8)), index={"a": 1}),
        body_with("0.image.npy", npy(np.zeros((4, 4, 3), np.uint8)), index=[{"source": "a"}]),
        body_with("0.image.npy", npy(np.zeros((4, 4, 3), np.uint8)), index=[3]),
    ],
    ids=["pickle", "grey", "float", "two axes", "not there", "empty", "no list", "no rate", "no entry"],
)
def test_what_is_no_example_is_refused(body: bytes) -> None:
    with pytest.raises(BadData):
        unpack(body)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(INDEX, json.dumps([{"source": "a", "rate_hz": 0.0}]))
        for i in range(3):
            archive.writestr(f"{i}.image.npy", bytes(400 << 20))

    with pytest.raises(BadData, match="unpack to more"):
        unpack(stream.getvalue())
