"""Each key of the configuration stands in `packaging/default.toml` and `docs/config.md`, as the code has it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_agent.config import Config
from edge_agent.config.file import format_problems, parse_config
from edge_agent.config.schema import expectation
from edge_agent.config.tomltext import read_toml

ROOT = Path(__file__).parents[2]
DEFAULT_TOML = (ROOT / "packaging" / "default.toml").read_text()
CONFIG_MD = (ROOT / "docs" / "config.md").read_text()


def leaves(struct: type[msgspec.Struct] = Config, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted key, type and default of every setting."""
    for field in msgspec.structs.fields(struct):
        if isinstance(field.default, msgspec.Struct):
            yield from leaves(type(field.default), f"{at}{field.name}.")
        else:
            yield f"{at}{field.name}", field.type, field.default


LEAVES = list(leaves())
ROWS = [[cell.strip(" `") for cell in line[1:-1].split("|")] for line in CONFIG_MD.splitlines() if line[:3] == "| `"]
UNITS = {"_per_s": "parts/s", "_ms": "ms", "_s": "s", "_mb": "MB"}
DOC_ROWS = {row[0]: row for row in ROWS}


def comment_above(text: str, line: int) -> str:
    above: list[str] = []
    for earlier in reversed(text.splitlines()[: line - 1]):
        if not earlier.startswith("#"):
            break
        above.insert(0, earlier.removeprefix("# "))
    return " ".join(above)


def test_there_are_settings() -> None:
    assert len(LEAVES) > 30
    assert "source.simline.seed" in [key for key, _, _ in LEAVES]


def test_default_toml_is_exactly_the_defaults() -> None:
    assert parse_config(DEFAULT_TOML, Path("/x")) == (Config().resolved(Path("/x")), [])


@pytest.mark.parametrize(("key", "kind", "default"), LEAVES, ids=[leaf[0] for leaf in LEAVES])
def test_default_toml_says_each_key_with_its_default_and_limits(key, kind, default) -> None:
    read = read_toml(DEFAULT_TOML)
    value: Any = read.values
    for part in key.split("."):
        value = value[part]

    assert json.dumps(value) == json.dumps(default)
    unit = f" [{DOC_ROWS[key][3]}]" if DOC_ROWS[key][3] else ""
    assert comment_above(DEFAULT_TOML, read.lines[tuple(key.split("."))]).startswith(f"{expectation(kind)}{unit}.")


@pytest.mark.parametrize(("key", "kind", "default"), LEAVES, ids=[leaf[0] for leaf in LEAVES])
def test_config_md_says_each_key_with_its_default_and_limits(key, kind, default) -> None:
    _, words, shown_default, unit, what = DOC_ROWS[key]

    assert words == expectation(kind)
    assert shown_default == json.dumps(default)
    assert what.endswith(".")
    assert unit == next((unit for suffix, unit in UNITS.items() if key.endswith(suffix)), unit)


def test_config_md_has_no_key_that_is_gone() -> None:
    assert [row[0] for row in ROWS] == [key for key, _, _ in LEAVES]


def test_config_md_ends_with_the_incompatible_changes() -> None:
    assert re.findall(r"^## (.*)$", CONFIG_MD, re.M)[-1] == "Incompatible changes"


def test_the_example_in_config_md_is_what_check_says() -> None:
    text = '[station]\nname = "Station 1"\n\n\n\n\n\n[pairing]\nwait_time = 100\n\n\n\n[recipe]\ndeadline_ms = 120\n'
    said = format_problems(Path("station.toml"), parse_config(text, Path("/x"))[1])

    assert f"```\n{said}\n```" in CONFIG_MD


@pytest.mark.parametrize(
    "broken", [DEFAULT_TOML.replace("seed = 1\n", "seed = 2\n"), DEFAULT_TOML + "\n[new]\nkey = 1\n"]
)
def test_a_default_toml_that_differs_is_noticed(broken) -> None:
    assert parse_config(broken, Path("/x")) != (Config().resolved(Path("/x")), [])
