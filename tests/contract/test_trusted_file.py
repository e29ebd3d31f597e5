"""The file of trusted keys: whole or not there, private, and no key counts where it is damaged."""

from __future__ import annotations

import base64
import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent import cli
from edge_agent.commands import Privilege
from edge_agent.commands.arguments import TrustArguments
from edge_agent.errors import BadData, Unavailable
from edge_agent.ledger import Reader
from edge_agent.ledger.store import Store
from edge_agent.trust.file import MAX_FILE_BYTES, change, changed, key_of, read_keys, write_keys
from edge_agent.trust.keys import Trust, Unauthorized
from edge_agent.trust.signing import Envelope


def keys(*roles: str) -> list[object]:
    public = [base64.b64encode(bytes([number + 1]) * 32).decode() for number in range(len(roles))]
    return [key_of(f"{role}-{n}", role, public[n]) for n, role in enumerate(roles)]  # type: ignore[arg-type]


def no_agent(make: Callable[[], object]) -> int:
    raise AssertionError("this verb runs no agent")


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
        trust.open(Envelope("{}", "0" * 16, "x"), "t", Privilege.READ)


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


NOBODY = Envelope("{}", "0" * 16, "x")
STOLEN = TrustArguments("remove", "me", "administer-1")
NEW = TrustArguments("add", "me", "new", "operate", base64.b64encode(bytes([9]) * 32).decode())


def heard(trust: Trust, look: Callable[[Trust], object]) -> list[str]:
    with contextlib.suppress(Unauthorized):
        look(trust)
    return [key.name for key in trust.all()]


@pytest.mark.parametrize(
    "look", [lambda trust: trust.step(0.0), lambda trust: trust.open(NOBODY, "t", Privilege.READ), Trust.look]
)
def test_what_was_changed_in_the_file_counts_at_the_next_look(tmp_path: Path, look: Callable[[Trust], object]) -> None:
    path = tmp_path / "trusted.toml"
    write_keys(path, keys("administer", "administer"))  # type: ignore[arg-type]
    trust = Trust(path)
    change(path, STOLEN)
    assert heard(trust, look) == ["administer-0"]
    change(path, NEW)
    assert heard(trust, look) == ["administer-0", "new"]
    path.unlink()
    assert heard(trust, look) == []


def by_memory(trust: Trust, asked: TrustArguments) -> None:
    """Wrong: what the station remembers is changed, whatever the file says by now."""
    write_keys(trust.path, changed(trust.all(), asked))


def comes_back(tmp_path: Path, add: Callable[[Trust], object]) -> bool:
    """Whether a key that was removed in the file comes back with the next one that the station adds."""
    path = tmp_path / "trusted.toml"
    write_keys(path, keys("administer", "administer"))  # type: ignore[arg-type]
    trust = Trust(path)
    change(path, STOLEN)
    add(trust)
    return any(key.name == STOLEN.name for key in read_keys(path))


def test_a_removed_key_does_not_come_back(tmp_path: Path) -> None:
    assert not comes_back(tmp_path, lambda trust: change(trust.path, NEW))
    assert comes_back(tmp_path, lambda trust: by_memory(trust, NEW))


def test_a_damaged_file_is_not_overwritten_by_a_change(tmp_path: Path) -> None:
    path = tmp_path / "trusted.toml"
    path.write_text("not toml")
    with pytest.raises(BadData, match="trusted.toml"):
        change(path, NEW)

    assert path.read_text() == "not toml"


def test_what_is_no_key_and_no_file_is_said_to_be_neither(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.pub").touch()
    for key, said in (("xx", "xx is no file, and no key of 32 bytes"), (str(tmp_path / "empty.pub"), "holds no key")):
        words = ["trust", "add", "ada", key, "--role", "operate", "--state", str(tmp_path)]
        assert cli.main(words, no_agent) == 1
        assert said in capsys.readouterr().err


def test_the_verb_leaves_the_file_alone_while_a_station_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["trust", "add", "new", NEW.public or "", "--role", "administer", "--who", "me", "--state", str(tmp_path)]
    starting = Store(tmp_path / "ledger.db")
    starting.open()
    try:
        assert cli.main(words, no_agent) == 1
    finally:
        starting.close()
    assert "ask again in a moment" in capsys.readouterr().err
    assert not (tmp_path / "trusted.toml").exists()

    assert cli.main(words, no_agent) == 0
    assert cli.main(["trust", "list", "--state", str(tmp_path)], no_agent) == 0
    with Reader(tmp_path) as reader:
        assert [event.message for event in reader.events(10)] == ["me has the key of new added"]
    assert [key.name for key in read_keys(tmp_path / "trusted.toml")] == ["new"]


def with_folder(path: Path) -> None:
    path.mkdir()


def with_circle(path: Path) -> None:
    path.symlink_to(path.name)


def with_nonsense(path: Path) -> None:
    path.write_text("not toml")


@pytest.mark.parametrize("spoil", [with_folder, with_circle, with_nonsense])
def test_damage_is_noted_once_and_over_when_it_is_mended(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path, noted = tmp_path / "trusted.toml", list[str]()
    write_keys(path, keys("administer"))  # type: ignore[arg-type]
    trust = Trust(path, noted.append)
    path.rename(tmp_path / "kept")
    spoil(path)
    for now in range(3):
        trust.step(5.0 * now)
    assert (trust.all(), len(noted)) == ((), 1)
    assert "trusted.toml" in noted[0]
    assert len(Trust(path, noted.append).damage) == len(noted[1])  # a station that starts with it says so too
    path.rename(tmp_path / "spoilt")
    (tmp_path / "kept").rename(path)
    trust.step(20.0)
    assert (len(trust.all()), trust.damage, len(noted)) == (1, "", 2)


def test_a_folder_in_its_place_is_said_to_who_changes_the_keys(tmp_path: Path) -> None:
    path = tmp_path / "trusted.toml"
    path.mkdir()
    for act in (lambda: change(path, NEW), lambda: write_keys(path, keys("administer"))):  # type: ignore[arg-type]
        with pytest.raises(Unavailable, match="directory"):
            act()


def test_root_leaves_no_file_that_the_station_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add = ["trust", "add", "new", NEW.public or "", "--role", "administer", "--state", str(tmp_path)]
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    for words in (add, ["identity", "make", "--state", str(tmp_path)]):
        assert cli.main(words, no_agent) == 78
        assert "sudo -u" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert cli.main(["trust", "list", "--state", str(tmp_path)], no_agent) == 0
