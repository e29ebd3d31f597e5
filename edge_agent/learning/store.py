"""Knowledge on the disk: content-addressed blobs, and one small file that says which of them are active.

A change is two new blobs and then one replaced file, so that power may go at any step. What is damaged is kept aside
and the last good state is used. No clock, no thread, no arithmetic.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ConfigError, StateDamaged
from edge_agent.runtime.disk import Disk, Missing, load_checked, replace, save_checked
from models import Bundle, Knowledge
from models.errors import KnowledgeDamaged
from models.npy import decode_npy

SLOTS: Final = "slots.json"

BLOBS: Final = "blobs/sha256"

DAMAGED: Final = ".damaged"
"""Suffix of what is kept aside for a specialist."""

MAX_CALIBRATION: Final = 10_000
"""Held-out good parts that are kept: enough for a false-reject rate of 0.01 %, 2.5 MB."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What the station judges with.

    Attributes:
        knowledge: statistics of labelled embeddings.
        calibration: embeddings of good parts that took no part in fitting, int16, shape (n, d).
    """

    knowledge: Knowledge
    calibration: NDArray[np.int16]

    @classmethod
    def nothing(cls, recipe: str, bundle: Bundle) -> Learned:
        """Know nothing yet."""
        empty = np.empty((0, bundle.manifest.embedding), dtype=np.int16)
        return cls(Knowledge.empty(recipe, bundle.digest, bundle.blocks), empty)


class Slot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The blobs of one state of knowledge, by digest."""

    knowledge: str
    calibration: str


class RecipeSlots(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The states of one recipe that can be returned to."""

    active: Slot
    previous: Slot | None = None


class Slots(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `slots.json` says."""

    version: int = 1
    recipes: dict[str, RecipeSlots] = {}


class KnowledgeStore:
    """Loads and saves what one recipe has learned.

    Args:
        disk: the state directory.
        recipe: name of the recipe.
        bundle: what makes its embeddings.
    """

    def __init__(self, disk: Disk, recipe: str, bundle: Bundle) -> None:
        self._disk = disk
        self._recipe = recipe
        self._bundle = bundle

    def load(self) -> tuple[Learned, list[StateDamaged]]:
        """Give the active state, or the last good one before it.

        Returns:
            What was learned (nothing, on a first start) and what was found damaged on the way.

        Raises:
            ConfigError: it was learned with another bundle.
        """
        damage: list[StateDamaged] = []
        try:
            slots = self._slots().recipes.get(self._recipe)
        except StateDamaged as error:
            damage.append(error)
            self._keep_aside(SLOTS)
            slots = None
        for slot in (slots.active, slots.previous) if slots is not None else ():
            if slot is None:
                continue
            try:
                return self._read(slot), damage
            except StateDamaged as error:
                damage.append(error)
        return Learned.nothing(self._recipe, self._bundle), damage

    def save(self, learned: Learned) -> None:
        """Make `learned` the active state and the active one the previous one.

        Args:
            learned: what is to be judged by from the next start on.

        Raises:
            Unavailable: the disk is full or failing; the active state is as before.
        """
        slot = Slot(self._write(learned.knowledge.to_bytes()), self._write(calibration_bytes(learned.calibration)))
        try:
            slots = self._slots()
        except StateDamaged:
            slots = Slots()
        now = slots.recipes.get(self._recipe)
        previous = now.active if now is not None and now.active != slot else None
        recipes = {**slots.recipes, self._recipe: RecipeSlots(slot, previous)}
        slots = Slots(recipes=recipes)
        save_checked(self._disk, SLOTS, msgspec.json.encode(slots, order="sorted"))
        self._remove_all_but(slots)

    def _slots(self) -> Slots:
        try:
            slots = msgspec.json.decode(load_checked(self._disk, SLOTS), type=Slots)
        except Missing:
            return Slots()
        except msgspec.DecodeError as error:
            raise StateDamaged(f"{SLOTS} is damaged: {error}", hint="restore it from a backup") from error
        if slots.version > Slots().version:
            raise ConfigError(
                f"{SLOTS} has version {slots.version}, this release knows {Slots().version}",
                hint="install the newer edge-agent again",
            )
        return slots

    def _read(self, slot: Slot) -> Learned:
        try:
            knowledge = Knowledge.from_bytes(self._blob(slot.knowledge))
        except KnowledgeDamaged as error:
            raise StateDamaged(f"knowledge {slot.knowledge[:12]}: {error}", hint="teach it again") from error
        if knowledge.bundle_digest != self._bundle.digest:
            raise ConfigError(
                f"recipe {self._recipe} was taught with another bundle than {self._bundle.name} "
                f"{self._bundle.manifest.version}: its embeddings mean something else",
                hint="name the bundle it was taught with in [recipe] bundle, or another [recipe] name to begin anew",
            )
        return Learned(knowledge, calibration_from(self._blob(slot.calibration), knowledge.d))

    def _blob(self, digest: str) -> bytes:
        name = _blob_name(digest)
        data = self._disk.read(name)
        if hashlib.sha256(data).hexdigest() != digest:
            self._keep_aside(name)
            raise StateDamaged(f"{name} is damaged: its contents have another SHA-256", hint="teach it again")
        return data

    def _write(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        if not self._disk.exists(_blob_name(digest)):
            replace(self._disk, _blob_name(digest), data)
        return digest

    def _remove_all_but(self, slots: Slots) -> None:
        """Remove the blobs that no slot names any more, and what a power cut left unfinished."""
        used = {
            _blob_name(digest)
            for recipe in slots.recipes.values()
            for slot in (recipe.active, recipe.previous)
            if slot is not None
            for digest in (slot.knowledge, slot.calibration)
        }
        for shard in range(256):
            for name in self._disk.names(f"{BLOBS}/{shard:02x}"):
                if name not in used and not name.endswith(DAMAGED):
                    self._disk.remove(name)

    def _keep_aside(self, name: str) -> None:
        if self._disk.exists(name):
            self._disk.rename(name, name + DAMAGED)


def calibration_bytes(rows: NDArray[np.int16]) -> bytes:
    """Write calibration rows as a `.npy` file."""
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(rows), allow_pickle=False)
    return stream.getvalue()


def calibration_from(data: bytes, d: int) -> NDArray[np.int16]:
    """Read calibration rows, shape (n, d); raise `StateDamaged` when they are anything else."""
    try:
        rows: NDArray[np.int16] = decode_npy(data)
    except ValueError as error:
        raise StateDamaged(f"calibration is damaged: {error}", hint="teach good parts again") from error
    if rows.ndim != 2 or rows.shape[1] != d or rows.dtype != np.int16:
        raise StateDamaged(
            f"calibration is damaged: {rows.shape} {rows.dtype}, not (n, {d}) int16", hint="teach good parts again"
        )
    return rows


def _blob_name(digest: str) -> str:
    return f"{BLOBS}/{digest[:2]}/{digest[2:]}"
