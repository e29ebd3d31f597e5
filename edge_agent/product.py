"""One of the products that a station inspects: its recipe with what is known of it, how that changes, what is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from edge_agent.config import Config, RecipeConfig
from edge_agent.errors import StateDamaged
from edge_agent.learning.draw import Drawing, good_among
from edge_agent.ledger import Reader
from edge_agent.lessons import Lessons
from edge_agent.recipe import Recipe
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.disk import Disk, Missing, load_checked, save_checked

IN_USE: Final = "recipe"
"""File in the state directory that names the recipe in use; without it, that is the configuration's own."""


class Product:
    """What belongs to one recipe of a station.

    Attributes:
        recipe: what it is judged with.
        lessons: how that is changed.
        drawing: which of its parts are drawn for a person's word.

    Args:
        config: of the station.
        recipe: of this product.
        disk: the state directory.
        reader: opens the reading side of the ledger.
        clock: tells the time.

    Raises:
        ConfigError: the bundle is refused, lacks a modality, or the knowledge was made with another one.
    """

    def __init__(
        self, config: Config, recipe: RecipeConfig, disk: Disk, reader: Callable[[], Reader], clock: Clock
    ) -> None:
        self.recipe = Recipe(recipe, disk)
        self.lessons = Lessons(self.recipe, msgspec.structs.replace(config, recipe=recipe), reader, clock)
        self.drawing = Drawing(recipe.name, recipe.draw_one_in)
        self._reader = reader

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.config.name

    def hold_out_drawn(self) -> None:
        """Rank parts among the drawn ones that people called good, as far as their words count by now."""
        with self._reader() as reader:
            counted = self.drawing.counted(reader, self.recipe.digests)
        self.recipe.hold_out(good_among(counted, self.recipe.bundle.normal))


def named_in_use(disk: Disk) -> str:
    """Give the name of the recipe that was in use last; "" where none was chosen, or it cannot be read."""
    try:
        return load_checked(disk, IN_USE).decode("ascii", "replace")
    except (Missing, StateDamaged):
        return ""


def name_in_use(disk: Disk, name: str) -> None:
    """Write down which recipe is in use, safe from a power cut; raise `Unavailable` where the disk fails."""
    save_checked(disk, IN_USE, name.encode("ascii"))
