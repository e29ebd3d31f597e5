"""Recipes in files of their own: what is read, and what a person hears of each mistake in them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge_agent.config import Config
from edge_agent.config.file import check_config, load_config, load_recipes
from edge_agent.errors import ConfigError
from edge_agent.records import Modality

GOOD = '[recipe]\nname = "bolts"\nbundle = "castings"\nmodalities = ["image"]\n'


def station(folder: Path, *files: str) -> Path:
    names = ", ".join(f'"{file}"' for file in files)
    path = folder / "station.toml"
    path.write_text(f"[station]\nrecipes = [{names}]\n")
    return path


def test_further_recipes_come_after_the_configurations_own_with_defaults_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "bolts.toml").write_text(GOOD)
    path = station(tmp_path, "more/bolts.toml")

    first, second = load_recipes(load_config(path))
    assert check_config(path) == []
    assert (first.name, second.name, second.bundle) == ("default", "bolts", "castings")
    assert second.modalities == (Modality.IMAGE,)
    assert second.deadline_ms == Config().recipe.deadline_ms


def test_a_bundle_in_a_folder_is_found_from_where_the_recipes_file_is(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "bolts.toml").write_text('[recipe]\nname = "bolts"\nbundle = "./mine"\n')
    config = Config.defaults(tmp_path)
    config = msgspec.structs.replace(
        config, station=msgspec.structs.replace(config.station, recipes=(str(tmp_path / "more" / "bolts.toml"),))
    )

    with pytest.raises(ConfigError, match=f"{tmp_path}/more/mine"):
        load_recipes(config)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[recipe]\nname = "default"\n', "recipe.name: .default. is the name of another recipe already"),
        (GOOD + "deadline_ms = 100\n", r"bolts.toml:5: recipe.deadline_ms: must be more than pairing.wait_ms"),
        (GOOD + "colour = 1\n", r"bolts.toml:5: recipe.colour: there is no such key"),
        (GOOD + "[station]\nname = 'x'\n", r"bolts.toml:5: station: only \[recipe\] belongs in a recipe's file"),
        ('[recipe]\nname = "bolts"\nbundle = "castigns"\n', r"bolts.toml:3: recipe.bundle: no bundle .castigns."),
        ("[recipe\n", r"bolts.toml:1: "),
        ("", r"bolts.toml: recipe: is not there"),
        (None, "bolts.toml: cannot be read"),
    ],
)
def test_a_mistake_in_a_recipes_file_is_said_with_its_place(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "bolts.toml").write_text(text)
    path = station(tmp_path, "bolts.toml")

    with pytest.raises(ConfigError, match=said):
        load_config(path)
    assert [problem.line for problem in check_config(path)] == [2]
