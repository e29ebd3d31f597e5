"""A section of a card is replaced where it is there, added where it is not, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.workshop.card import CARD, table, write_section
from models.workshop.errors import WorkshopError


def test_a_section_is_added_then_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    card = tmp_path / CARD
    card.write_text("# castings 1.0.0\n\n- **Picture.** Seen.\n")
    write_section(tmp_path, "Speed", "slow")
    write_section(tmp_path, "Ablations", "many")
    write_section(tmp_path, "Speed", "fast\n")

    assert card.read_text() == (
        "# castings 1.0.0\n\n- **Picture.** Seen.\n\n## Speed\n\nfast\n\n## Ablations\n\nmany\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == [CARD]


def test_a_title_that_begins_like_another_is_another_section(tmp_path: Path) -> None:
    (tmp_path / CARD).write_text("# x\n\n## Speed on two threads\n\nfast\n")
    write_section(tmp_path, "Speed", "slow")

    assert "## Speed on two threads\n\nfast\n" in (tmp_path / CARD).read_text()
    assert (tmp_path / CARD).read_text().endswith("## Speed\n\nslow\n")


def test_a_folder_without_a_card_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match="card.md"):
        write_section(tmp_path, "Speed", "fast")
    assert not list(tmp_path.iterdir())


def test_a_table_is_markdown() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_the_speed_of_a_bundle_is_a_row_for_each_part_runtime_and_number_of_threads() -> None:
    pytest.importorskip("onnx", reason="needs the extra [workshop]: onnx")
    from models.bundle import SHIPPED, Bundle  # noqa: PLC0415 (with the skip above)
    from models.workshop import speed  # noqa: PLC0415

    rows = speed.measured([Bundle.load(SHIPPED / "castings")], turns=3)
    text = speed.section(rows, speed.sizes(SHIPPED / "castings"), turns=3)

    assert len({(row.part, row.runtime, row.threads) for row in rows}) == len(rows) == 8
    assert all(0.0 < row.median_ms <= row.p99_ms for row in rows)
    assert "times as fast as" in text and text.count("| 1 | ") == text.count("| 2 | ") == 4
