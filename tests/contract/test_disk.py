"""What every `Disk` does; and what only the real one can show."""

import errno
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.errors import BadData, StateDamaged, Unavailable
from edge_agent.runtime.disk import (
    HINTS,
    Disk,
    Missing,
    RealDisk,
    discard_unfinished,
    load_checked,
    replace,
    save_checked,
)
from edge_agent.testing.disk import FakeDisk


@pytest.fixture(params=["real", "fake"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return RealDisk(tmp_path / "state" / "station") if request.param == "real" else FakeDisk()


@pytest.mark.parametrize("name", ["slots.json", "blobs/sha256/ab/abcdef", "größe äöü", ".hidden", "a..b", "..."])
@pytest.mark.parametrize("data", [b"", b"x", b"\0\n\xff" * 1000])
def test_what_is_written_is_read(disk: Disk, name: str, data: bytes) -> None:
    disk.write(name, data)
    disk.sync(name.rpartition("/")[0])

    assert disk.read(name) == data
    assert disk.exists(name)


def test_a_second_write_leaves_nothing_of_the_first(disk: Disk) -> None:
    disk.write("a", b"long " * 100)
    disk.write("a", b"short")

    assert disk.read("a") == b"short"


def test_a_new_disk_is_empty(disk: Disk) -> None:
    assert disk.names() == []
    assert disk.names("blobs") == []
    assert not disk.exists("slots.json")


def test_a_rename_takes_the_place_of_another(disk: Disk) -> None:
    disk.write("blobs/a", b"new")
    disk.write("blobs/b", b"old")
    disk.rename("blobs/a", "blobs/b")

    assert disk.read("blobs/b") == b"new"
    assert not disk.exists("blobs/a")


def test_a_rename_to_itself_changes_nothing(disk: Disk) -> None:
    disk.write("a", b"1")
    disk.rename("a", "a")

    assert disk.read("a") == b"1"


def test_what_is_removed_is_gone(disk: Disk) -> None:
    disk.write("a", b"1")
    disk.remove("a")

    assert not disk.exists("a")
    with pytest.raises(Missing, match="a"):
        disk.read("a")


def test_names_are_those_of_one_folder_sorted_and_ready_to_be_read(disk: Disk) -> None:
    for name in ("b", "a", "blobs/y", "blobs/x", "blobs/deep/z"):
        disk.write(name, name.encode())

    assert disk.names() == ["a", "b"]
    assert disk.names("blobs") == ["blobs/x", "blobs/y"]
    assert [disk.read(name) for name in disk.names("blobs")] == [b"blobs/x", b"blobs/y"]
    assert not disk.exists("blobs")


@pytest.mark.parametrize(
    "act",
    [
        lambda disk: disk.read("a"),
        lambda disk: disk.remove("a"),
        lambda disk: disk.rename("a", "b"),
        lambda disk: disk.sync("blobs"),
    ],
    ids=["read", "remove", "rename", "sync"],
)
def test_what_is_not_there_is_missing_by_name(disk: Disk, act: Callable[[Disk], object]) -> None:
    disk.write("other", b"")

    with pytest.raises(Missing, match=r"(a|blobs): there is no such"):
        act(disk)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a/../../up", "a//b", "./a", "a/.", "a/", "a\0b", ".."])
@pytest.mark.parametrize(
    "act",
    [
        lambda disk, name: disk.write(name, b""),
        lambda disk, name: disk.read(name),
        lambda disk, name: disk.exists(name),
        lambda disk, name: disk.remove(name),
        lambda disk, name: disk.rename(name, name),
        lambda disk, name: replace(disk, name, b""),
    ],
    ids=["write", "read", "exists", "remove", "rename", "replace"],
)
def test_no_name_leads_out_of_the_folder(disk: Disk, name: str, act: Callable[[Disk, str], object]) -> None:
    with pytest.raises(BadData, match="not a file name"):
        act(disk, name)


@pytest.mark.parametrize("folder", ["/etc", "..", "a/..", "a//b"])
def test_no_folder_leads_out_of_the_folder(disk: Disk, folder: str) -> None:
    with pytest.raises(BadData):
        disk.names(folder)
    with pytest.raises(BadData):
        disk.sync(folder)


def test_a_rename_into_another_folder_is_refused(disk: Disk) -> None:
    disk.write("a", b"1")

    with pytest.raises(BadData, match="another folder"):
        disk.rename("a", "blobs/a")
    assert disk.read("a") == b"1"


def test_a_file_larger_than_expected_is_not_read(disk: Disk) -> None:
    disk.write("a", b"12345")

    assert disk.read("a", limit_bytes=5) == b"12345"
    with pytest.raises(StateDamaged, match="5 bytes, more than the 4"):
        disk.read("a", limit_bytes=4)


def test_replace_leaves_the_new_file_and_nothing_else(disk: Disk) -> None:
    replace(disk, "blobs/a", b"old")
    replace(disk, "blobs/a", b"new")

    assert disk.read("blobs/a") == b"new"
    assert disk.names("blobs") == ["blobs/a"]


def test_what_was_never_finished_is_discarded_and_only_that(disk: Disk) -> None:
    for name in ("blobs/a", "blobs/a.new", "blobs/b.new", "c.new"):
        disk.write(name, b"")

    assert discard_unfinished(disk, "blobs") == ["blobs/a"]
    assert disk.names("blobs") == ["blobs/a"]
    assert disk.exists("c.new")


@pytest.mark.parametrize("body", [b"{}", b'{"active": "sha256:ab"}', b"", b"two\nlines\n"])
def test_a_checked_file_gives_its_body_back(disk: Disk, body: bytes) -> None:
    save_checked(disk, "slots.json", body)

    assert load_checked(disk, "slots.json") == body


def test_a_checked_file_is_lines_of_json_for_a_person_with_any_tool(disk: Disk) -> None:
    save_checked(disk, "slots.json", b'{"active": "ab"}')
    body, seal = map(json.loads, disk.read("slots.json").splitlines())

    assert body == {"active": "ab"}
    assert list(seal) == ["sha256"]


def every_damage_is_noticed(disk: Disk, load: Callable[[Disk, str], bytes]) -> None:
    save_checked(disk, "slots.json", b'{"active": "sha256:ab"}')
    whole = disk.read("slots.json")
    flipped = [whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :] for i in range(len(whole))]
    shortened = [whole[:i] for i in range(len(whole) - 1)]
    for damaged in (*flipped, *shortened, whole + b"x", b"\0" * len(whole), whole + whole):
        disk.write("slots.json", damaged)
        with pytest.raises(StateDamaged, match=r"slots\.json is damaged"):
            load(disk, "slots.json")


def test_every_damage_is_noticed() -> None:
    every_damage_is_noticed(FakeDisk(), load_checked)


def test_a_check_that_looks_only_at_the_length_is_noticed() -> None:
    def load(disk: Disk, name: str) -> bytes:
        body, _, seal = disk.read(name).removesuffix(b"\n").rpartition(b"\n")
        if len(seal) != 76:
            raise StateDamaged(f"{name} is damaged")
        return body

    with pytest.raises(pytest.fail.Exception):
        every_damage_is_noticed(FakeDisk(), load)


def test_a_full_disk_keeps_the_old_file_and_no_rest(disk: Disk, tmp_path: Path) -> None:
    replace(disk, "a", b"old")
    if isinstance(disk, FakeDisk):
        disk.full = True
    else:
        (tmp_path / "state" / "station" / "a.new").symlink_to("/dev/full")

    with pytest.raises(Unavailable, match="No space left on device") as caught:
        replace(disk, "a", b"new" * 10_000)
    assert "df -h" in caught.value.hint
    assert disk.read("a") == b"old"
    assert disk.names() == ["a"]


def test_files_and_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    replace(RealDisk(tmp_path / "state"), "blobs/a", b"")

    def mode(path: str) -> int:
        return stat.S_IMODE((tmp_path / path).stat().st_mode)

    assert [mode("state"), mode("state/blobs"), mode("state/blobs/a")] == [0o700, 0o700, 0o600]


@pytest.mark.parametrize("number", sorted(HINTS))
def test_what_may_pass_is_unavailable_with_a_hint_that_names_a_command_that_exists(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(Unavailable) as caught:
        RealDisk(tmp_path).write("a", b"")

    assert str(tmp_path / "a") in caught.value.message
    assert os.strerror(number) in caught.value.message
    commands = [quoted.split()[0] for quoted in caught.value.hint.split("`")[1::2]]
    assert commands
    assert all(shutil.which(command) for command in commands)


def test_a_hint_names_a_folder_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: Path, mode: int) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "mkdir", failing)
    with pytest.raises(Unavailable) as caught:
        RealDisk(tmp_path / "state" / "station").write("slots.json", b"")

    assert f"`df {tmp_path}`" in caught.value.hint


def test_any_other_error_of_the_system_is_a_bug_and_stays_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(errno.EINVAL, "no")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="no"):
        RealDisk(tmp_path).write("a", b"")


def in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[Disk], object]) -> list[str]:
    """What `act` makes the real disk ask of the kernel: `fsync FILE`, `rename FILE`."""
    asked: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        asked.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().relative_to(tmp_path)}")
        real_fsync(descriptor)

    def rename(old: Path, new: Path) -> None:
        asked.append(f"rename {old.relative_to(tmp_path)} {new.relative_to(tmp_path)}")
        real_replace(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", rename)
    act(RealDisk(tmp_path))
    return asked


def test_the_bytes_are_safe_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = in_order(tmp_path, monkeypatch, lambda disk: replace(disk, "blobs/sha256/a", b"data"))

    assert asked == [
        "fsync .",  # the new folder blobs has a name
        "fsync blobs",  # and so has sha256
        "fsync blobs/sha256/a.new",
        "rename blobs/sha256/a.new blobs/sha256/a",
        "fsync blobs/sha256",
    ]
