"""The products that a station inspects: of each its recipe with what is known, how that changes, and what is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from edge_agent.config import Config, RecipeConfig
from edge_agent.config.file import load_recipes
from edge_agent.errors import BadData, StateDamaged
from edge_agent.learning.draw import Drawing, good_among
from edge_agent.ledger import Reader
from edge_agent.product.lessons import Lessons
from edge_agent.product.recipe import Recipe
from edge_agent.records import Part
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


class Products:
    """The products of a station, one of which is in use.

    Args:
        config: of the station.
        disk: the state directory.
        reader: opens the reading side of the ledger.
        clock: tells the time.

    Raises:
        ConfigError: a recipe, its bundle or what is known for it cannot be used.
    """

    def __init__(self, config: Config, disk: Disk, reader: Callable[[], Reader], clock: Clock) -> None:
        made = [Product(config, recipe, disk, reader, clock) for recipe in load_recipes(config)]
        self._named = {product.name: product for product in made}
        self._disk = disk
        self.in_use = self._named.get(named_in_use(disk), made[0])

    def __iter__(self) -> Iterator[Product]:
        """Give the products, the one in use first."""
        yield self.in_use
        yield from (product for product in self._named.values() if product is not self.in_use)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of their recipes, in the order of the configuration."""
        return tuple(self._named)

    def of(self, part: Part) -> Product:
        """Give the product of a part; the one in use where its recipe is not there any more."""
        return self._named.get(part.recipe, self.in_use)

    def find(self, name: str) -> Product:
        """Give the product of a recipe; raise `BadData` where there is none of that name."""
        if name not in self._named:
            raise BadData(
                f"there is no recipe {name!r}: {', '.join(self._named)}",
                hint="further ones stand in files of their own: [station] recipes",
            )
        return self._named[name]

    def use(self, name: str) -> None:
        """Inspect another product from now on, also after a restart.

        Args:
            name: of its recipe.

        Raises:
            BadData: there is no such recipe.
            Unavailable: the disk fails; the product is the old one.
        """
        product = self.find(name)
        save_checked(self._disk, IN_USE, name.encode("ascii"))
        self.in_use = product


def named_in_use(disk: Disk) -> str:
    """Give the name of the recipe that was in use last; "" where none was chosen, or it cannot be read."""
    try:
        return load_checked(disk, IN_USE).decode("ascii", "replace")
    except (Missing, StateDamaged):
        return ""
