"""The file of trusted keys: whole or not there, private, and no key counts where it is damaged."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from edge_agent.commands import Privilege
from edge_agent.errors import BadData
from edge_agent.signing import Envelope
from edge_agent.trust import MAX_FILE_BYTES, Trust, Unauthorized, key_of, read_keys, write_keys


def keys(*roles: str) -> list[object]:
    public = [base64.b64encode(bytes([number + 1]) * 32).decode() for number in range(len(roles))]
    return [key_of(f"{role}-{n}", role, public[n]) for n, role in enumerate(roles)]  # type: ignore[arg-type]


def test_what_is_written_is_read_and_private(tmp_path: Path) -> None:
    path, made = tmp_path / "trusted.toml", tuple(keys("administer", "operate", "acknowledge"))
    write_keys(path, made)  # type: ignore[arg-type]

    assert read_keys(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["trusted.toml"]


def test_keys_of_a_role_and_those_that_administer(tmp_path: Path) -> None:
    path, made = tmp_path / "trusted.toml", keys("administer", "operate", "acknowledge")
    write_keys(path, made)  # type: ignore[arg-type]
    trust = Trust(path)
    ids = [key.id for key in trust.all()]

    assert set(trust.keys("administer")) == {ids[0]}
    assert set(trust.keys("operate")) == {ids[0], ids[1]}
    assert set(trust.keys("acknowledge")) == {ids[0], ids[2]}
    assert trust.keys("operate")[ids[1]] == bytes([2]) * 32


def test_without_a_file_no_key_counts(tmp_path: Path) -> None:
    trust = Trust(tmp_path / "trusted.toml")

    assert (trust.all(), trust.damage) == ((), "")


@pytest.mark.parametrize(
    "text",
    [
        b"[[key]]",
        b"[[key]]\nname = 1",
        b"not toml",
        b"\xff",
        b'[[key]]\nname = "a"\nrole = "king"\npublic = "x"',
        b'[[key]]\nname = "a"\nrole = "operate"\npublic = "AAAA"',
        b'colour = "red"',
        b"#" * (MAX_FILE_BYTES + 1),
    ],
)
def test_where_it_is_damaged_no_key_counts_and_that_is_said(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "trusted.toml"
    write_keys(path, keys("administer"))  # type: ignore[arg-type]
    trust = Trust(path)
    assert len(trust.all()) == 1
    path.write_bytes(text)
    trust.read()

    assert trust.all() == ()
    assert trust.damage
    with pytest.raises(Unauthorized):
        trust.open(Envelope("{}", "0" * 16, "x"), "t", Privilege.READ, 0.0)


def test_a_key_twice_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "trusted.toml"
    write_keys(path, keys("administer"))  # type: ignore[arg-type]
    path.write_bytes(path.read_bytes() + path.read_bytes().replace(b"administer-0", b"other"))
    with pytest.raises(BadData):
        read_keys(path)


@pytest.mark.parametrize("name", ["x\n", 'x"', 'x"\nrole = "administer', "\u00e9", ""])
def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, name: str) -> None:
    path, (good,) = tmp_path / "trusted.toml", keys("administer")
    write_keys(path, [good])  # type: ignore[list-item]
    bad = key_of(name, "operate", base64.b64encode(bytes(32)).decode())
    with pytest.raises(BadData):
        write_keys(path, [good, bad])  # type: ignore[list-item]

    assert read_keys(path) == (good,)
