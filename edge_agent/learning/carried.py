"""What was carried over to another bundle, on the disk: it waits there until the station is started with that bundle.

It lies apart from what the running station knows, so that neither writes nor removes anything of the other. Blobs come
first, those of details while the examples are embedded, then one small file that says what they are; without it nothing
was carried. Kept pictures and windows are those
of the station itself, and stay there as long as what it knows does not change.
"""

from __future__ import annotations

import contextlib
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from edge_agent.errors import BadData, StateDamaged
from edge_agent.learning.blobs import Blobs
from edge_agent.learning.carry import Carried
from edge_agent.learning.learned import Learned
from edge_agent.learning.slots import Change, Slot
from edge_agent.learning.stateblobs import StateBlobs
from edge_agent.runtime.disk import Disk, Missing, load_checked, save_checked
from models import Bundle
from models.manifest import Digest

FOLDER: Final = "carried"

HINT: Final = "carry it over again: edge-agent adopt"


class Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `carried.json` says.

    Attributes:
        recipe: whose knowledge it is.
        origin: `Slot.contents` of what it was carried over from.
        slot: the state; its change says who carried it over, and when.
        overruled: what spoke against it and was overruled.
        version: of this file.
    """

    recipe: str
    origin: Digest
    slot: Slot
    overruled: tuple[str, ...] = ()
    version: Annotated[int, Meta(ge=1, le=1)] = 1


class CarriedFolder:
    """The place of what is carried over to one bundle.

    Attributes:
        blobs: takes what is kept of examples while they are carried over, beside what was carried over before.

    Args:
        disk: the state directory.
        recipe: name of the recipe.
        bundle: the bundle it is carried over to.
        guided: pictures are looked at as good ones say, where the bundle can be guided.
    """

    def __init__(self, disk: Disk, recipe: str, bundle: Bundle, *, guided: bool = False) -> None:
        self._folder = f"{FOLDER}/{bundle.digest[:16]}"
        self._file = f"{self._folder}/carried.json"
        self._disk = disk
        self._recipe = recipe
        self.blobs = Blobs(disk, f"{self._folder}/blobs/sha256")
        self._states = StateBlobs(self.blobs, recipe, bundle, guided=guided)

    def write(self, carried: Carried, change: Change, origin: str, overruled: tuple[str, ...] = ()) -> None:
        """Write what was carried over, in place of what was before; whatever happens, all of one of them is there.

        Args:
            carried: what is known with the other bundle; its details are in `blobs`.
            change: says who did it, and when.
            origin: `Slot.contents` of what it was carried over from.
            overruled: what spoke against it and was overruled.

        Raises:
            BadData: the details are no longer there: the station was started with the other bundle meanwhile.
            Unavailable: the disk is full or failing.
        """
        details = _details(carried.learned)
        if not all(map(self.blobs.has, details)):
            raise BadData("what was carried over was removed meanwhile", hint=HINT)
        slot = self._states.write(carried.learned, change)
        save_checked(self._disk, self._file, msgspec.json.encode(Sealed(self._recipe, origin, slot, overruled)))
        self.blobs.remove_all_but({*slot.blobs, *details})

    def remove_unsealed(self) -> None:
        """Remove what was written for something that nobody wanted in the end; what was carried over before stays."""
        with contextlib.suppress(StateDamaged):  # then it is not known what belongs to it
            sealed = self._sealed()
            slot = Slot() if sealed is None else sealed.slot
            self.blobs.remove_all_but(set(slot.blobs).union(*map(self._states.named, slot.lessons)))

    def find(self) -> Sealed | None:
        """Give what was carried over for this recipe, None for nothing; `StateDamaged` where it cannot be read."""
        sealed = self._sealed()
        return sealed if sealed is not None and sealed.recipe == self._recipe else None

    def _sealed(self) -> Sealed | None:
        try:
            body = load_checked(self._disk, self._file)
        except Missing:
            return None
        try:
            return msgspec.json.decode(body, type=Sealed)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StateDamaged(f"{self._file} is damaged: {error}", hint=HINT) from error

    def read(self, sealed: Sealed) -> Learned:
        """Give what is known in it; `StateDamaged` where anything of it is damaged or missing."""
        damage: list[StateDamaged] = []
        learned = self._states.read(sealed.slot, damage)
        if damage:
            raise damage[0]
        for digest in _details(learned):
            self.blobs.read(digest)
        return learned

    def copy_to(self, blobs: Blobs, sealed: Sealed) -> None:
        """Write every blob of it elsewhere; raises `StateDamaged` where one is damaged or missing."""
        for digest in sorted({*sealed.slot.blobs, *_details(self._states.read(sealed.slot, []))}):
            blobs.write(self.blobs.read(digest))

    def remove(self) -> None:
        """Remove all of it; blobs that a power cut leaves are removed when something is carried over again."""
        self.blobs.remove_all_but(())
        if self._disk.exists(self._file):
            self._disk.remove(self._file)
            self._disk.sync(self._folder)


def _details(learned: Learned) -> set[str]:
    return {exemplar.details for exemplar in learned.exemplars if exemplar.details}
