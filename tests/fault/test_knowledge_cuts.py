"""Power goes at any moment while knowledge is saved: the next start finds the old state or the new one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest

from edge_agent.errors import ConfigError, StateDamaged
from edge_agent.learning.store import SLOTS, KnowledgeStore, Learned, RecipeSlots, Slot, Slots, calibration_bytes
from edge_agent.runtime.disk import Disk, save_checked
from edge_agent.testing.disk import FakeDisk, power_cuts
from models import Knowledge
from models.manifest import Block

BLOCKS = (Block("image", 0, 2, 0.5, "a"), Block("vibration", 2, 4, 0.5, "b"))


@dataclass
class SmallManifest:
    embedding: int = 4
    version: str = "1"


@dataclass
class SmallBundle:
    digest: str = "0" * 64
    name: str = "small"
    blocks: tuple[Block, ...] = BLOCKS
    manifest: SmallManifest = field(default_factory=SmallManifest)


def learned(samples: int) -> Learned:
    knowledge = Knowledge.empty("r", "0" * 64, BLOCKS)
    rows = np.arange(1, 4 * samples + 1, dtype=np.int16).reshape(samples, 4)
    for row in rows:
        knowledge = knowledge.learn("good", row[None])
    return Learned(knowledge, rows)


def store(disk: Disk, bundle: SmallBundle | None = None) -> KnowledgeStore:
    return KnowledgeStore(disk, "r", bundle or SmallBundle())


OLD, NEW = learned(3), learned(5)


def files_with(state: Learned) -> dict[str, bytes]:
    disk = FakeDisk()
    store(disk).save(state)
    return list(disk.outcomes())[-1]


def same(one: Learned, other: Learned) -> bool:
    return one.knowledge == other.knowledge and np.array_equal(one.calibration, other.calibration)


def survives(save: Callable[[Disk], None]) -> bool:
    """After every cut the old state or the new one is found undamaged, and the new one can be saved again."""
    for files in power_cuts(files_with(OLD), save):
        found, damage = store(FakeDisk(files)).load()
        if damage or not (same(found, OLD) or same(found, NEW)):
            return False
        again = FakeDisk(files)
        store(again).save(NEW)
        if not same(store(again).load()[0], NEW):
            return False
    return True


def test_a_power_cut_leaves_the_old_knowledge_or_the_new() -> None:
    assert survives(lambda disk: store(disk).save(NEW))


def careless_save(disk: Disk) -> None:
    """The wrong implementation: says what is active before it is there."""
    digests = []
    for data in (NEW.knowledge.to_bytes(), calibration_bytes(NEW.calibration)):
        digest = hashlib.sha256(data).hexdigest()
        digests.append((digest, data))
    slot = Slot(digests[0][0], digests[1][0])
    save_checked(disk, SLOTS, msgspec.json.encode(Slots(recipes={"r": RecipeSlots(slot)})))
    for digest, data in digests:
        disk.write(f"blobs/sha256/{digest[:2]}/{digest[2:]}", data)


def test_the_sweep_has_teeth() -> None:
    assert not survives(careless_save)


def test_what_was_saved_is_found_and_the_one_before_can_be_returned_to() -> None:
    disk = FakeDisk(files_with(OLD))
    store(disk).save(NEW)
    found, damage = store(disk).load()

    assert same(found, NEW)
    assert damage == []


@pytest.mark.parametrize("what", ["knowledge", "calibration"])
def test_a_damaged_blob_is_kept_aside_and_the_state_before_is_used(what: str) -> None:
    disk = FakeDisk(files_with(OLD))
    store(disk).save(NEW)
    slots = msgspec.json.decode(disk.read(SLOTS).splitlines()[0], type=Slots)
    digest = getattr(slots.recipes["r"].active, what)
    name = f"blobs/sha256/{digest[:2]}/{digest[2:]}"
    disk.write(name, disk.read(name)[:-1] + b"\xff")

    found, damage = store(disk).load()

    assert same(found, OLD)
    assert [type(error) for error in damage] == [StateDamaged]
    assert disk.exists(f"{name}.damaged")


def test_damaged_slots_are_kept_aside_and_nothing_is_known() -> None:
    disk = FakeDisk(files_with(OLD))
    disk.write(SLOTS, b'{"version":1}\nnot its digest\n')

    found, damage = store(disk).load()

    assert found.knowledge.classes == ()
    assert len(damage) == 1
    assert disk.exists(f"{SLOTS}.damaged")


def test_knowledge_of_another_bundle_is_refused_by_name() -> None:
    disk = FakeDisk(files_with(OLD))

    with pytest.raises(ConfigError, match="another bundle than small"):
        store(disk, SmallBundle(digest="1" * 64)).load()


def test_a_first_start_knows_nothing_and_that_is_no_damage() -> None:
    found, damage = store(FakeDisk()).load()

    assert found.knowledge.classes == ()
    assert damage == []
