"""Power may go at any step: the sweep over every step, every outcome of each, and the wrong ways it must reject."""

import itertools
from collections.abc import Callable

import pytest

from edge_agent.errors import StateDamaged, Unavailable
from edge_agent.runtime.disk import Disk, Missing, discard_unfinished, load_checked, replace, save_checked
from edge_agent.testing.disk import FakeDisk, Files, PowerCut, power_cuts

OLD, NEW, THIRD = b'{"gain": 1.0}', b'{"gain": 2.0, "offset": -3}', b'{"gain": 3.0}'
NAME = "recipes/params.json"
Save = Callable[[Disk, str, bytes], None]


def clean() -> Files:
    disk = FakeDisk()
    save_checked(disk, NAME, OLD)
    (files,) = disk.outcomes()
    return files


def old_or_new_whenever_power_goes(save: Save) -> None:
    for files in power_cuts(clean(), lambda disk: save(disk, NAME, NEW)):
        after = FakeDisk(files)  # the next start
        assert load_checked(after, NAME) in (OLD, NEW)
        discard_unfinished(after, "recipes")
        save(after, NAME, THIRD)  # and it can still be written
        assert load_checked(after, NAME) == THIRD


def new_once_it_has_returned(save: Save) -> None:
    disk = FakeDisk(clean())
    save(disk, NAME, NEW)

    assert [load_checked(FakeDisk(files), NAME) for files in disk.outcomes()] == [NEW]


def again_and_again(save: Save) -> None:
    """Power goes while the second of two savings runs that follow a first power cut."""
    for files in power_cuts(clean(), lambda disk: save(disk, NAME, NEW)):
        for later in power_cuts(files, lambda disk: save(disk, NAME, THIRD)):
            assert load_checked(FakeDisk(later), NAME) in (OLD, NEW, THIRD)


CLAIMS = [old_or_new_whenever_power_goes, new_once_it_has_returned, again_and_again]


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_power_cut_leaves_the_old_value_or_the_new(claim: Callable[[Save], None]) -> None:
    claim(save_checked)


def through(put: Callable[[Disk, str, bytes], None]) -> Save:
    """`save_checked` with another way to put the file in place."""

    def save(disk: Disk, name: str, body: bytes) -> None:
        elsewhere = FakeDisk()
        save_checked(elsewhere, name, body)
        put(disk, name, elsewhere.read(name))

    return save


def in_place(disk: Disk, name: str, data: bytes) -> None:
    disk.write(name, data)
    disk.sync("recipes")


def remove_first(disk: Disk, name: str, data: bytes) -> None:
    disk.write(f"{name}.new", data)
    disk.remove(name)
    disk.rename(f"{name}.new", name)
    disk.sync("recipes")


def no_sync(disk: Disk, name: str, data: bytes) -> None:
    disk.write(f"{name}.new", data)
    disk.rename(f"{name}.new", name)


def sync_elsewhere(disk: Disk, name: str, data: bytes) -> None:
    no_sync(disk, name, data)
    disk.sync()


def move_aside(disk: Disk, name: str, data: bytes) -> None:
    disk.rename(name, f"{name}.old")
    disk.write(name, data)
    disk.sync("recipes")


@pytest.mark.parametrize(
    ("put", "claim", "noticed_by"),
    [
        (in_place, old_or_new_whenever_power_goes, StateDamaged),
        (remove_first, old_or_new_whenever_power_goes, Missing),
        (move_aside, old_or_new_whenever_power_goes, Missing),
        (no_sync, new_once_it_has_returned, AssertionError),
        (sync_elsewhere, new_once_it_has_returned, AssertionError),
    ],
)
def test_the_sweep_has_teeth(
    put: Callable[[Disk, str, bytes], None], claim: Callable[[Save], None], noticed_by: type[Exception]
) -> None:
    """Every naive way to save must fail a claim, or the claims prove nothing."""
    with pytest.raises(noticed_by):
        claim(through(put))


def test_the_teeth_bite_because_of_the_naive_way_and_nothing_else() -> None:
    for claim in CLAIMS:
        claim(through(replace))


def test_a_first_file_is_not_there_or_whole() -> None:
    seen = set()
    for files in power_cuts({}, lambda disk: save_checked(disk, NAME, NEW)):
        try:
            seen.add(load_checked(FakeDisk(files), NAME))
        except Missing:
            seen.add(b"none")

    assert seen == {b"none", NEW}


def test_a_full_disk_and_then_a_power_cut_leave_the_old_value() -> None:
    def save(disk: Disk) -> None:
        assert isinstance(disk, FakeDisk)
        disk.full = True
        with pytest.raises(Unavailable):
            save_checked(disk, NAME, NEW)

    for files in power_cuts(clean(), save):
        assert load_checked(FakeDisk(files), NAME) == OLD


def test_every_operation_is_cut_and_every_outcome_of_it_seen() -> None:
    def act(disk: Disk) -> None:
        disk.write("a", b"12")
        disk.rename("a", "b")
        disk.sync()

    outcomes = [FakeDisk({}, cut_at) for cut_at in range(3)]
    for disk in outcomes:
        with pytest.raises(PowerCut):
            act(disk)
        with pytest.raises(PowerCut):  # what is off stays off
            disk.read("a")

    def sorted_outcomes(disk: FakeDisk) -> list[Files]:
        return sorted(disk.outcomes(), key=lambda files: sorted(files.items()))

    assert sorted_outcomes(outcomes[0]) == [{}, {"a": b""}, {"a": b"1"}, {"a": b"1\0"}, {"a": b"12"}]
    assert sorted_outcomes(outcomes[1]) == [{}, {"a": b"12"}, {"b": b"12"}]
    assert sorted_outcomes(outcomes[2]) == [{}, {"a": b"12"}, {"b": b"12"}]
    assert len(list(power_cuts({}, act))) == 11


def test_code_that_swallows_everything_does_not_end_the_sweep_early() -> None:
    def stubborn(disk: Disk) -> None:
        for name in ("a", "b", "c"):
            try:
                disk.write(name, b"1")
                disk.sync()
            except BaseException:
                continue

    whole = [files for files in power_cuts({}, stubborn) if len(files) == 3]

    assert whole, "the last write was never cut"


def test_unsafe_names_of_one_folder_do_not_wait_for_another() -> None:
    disk = FakeDisk()
    disk.write("left/a", b"1")
    disk.write("right/b", b"2")
    disk.sync("left")

    assert {frozenset(files) for files in disk.outcomes()} == {
        frozenset({"left/a"}),
        frozenset({"left/a", "right/b"}),
    }


def test_changes_reach_the_disk_in_any_combination() -> None:
    disk = FakeDisk()
    for name in "abc":
        disk.write(name, b"")

    combinations = [set(c) for n in range(4) for c in itertools.combinations("abc", n)]
    assert sorted(map(sorted, disk.outcomes())) == sorted(map(sorted, combinations))
