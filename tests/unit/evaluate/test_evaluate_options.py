"""What was chosen fits together and to the folder, or is answered with what would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.errors import BadData
from edge_agent.evaluate import EvaluateOptions

CLASSES = {"pit": 1, "scratch": 2, "stain": 3}
PLAIN = EvaluateOptions(Path("steel"), shots=5, episodes=20, seed=1, bundle="generic", json=False)


@pytest.mark.parametrize(
    ("options", "said", "hint"),
    [
        (replace(PLAIN, lots=3), "how many lots --good-only", "--good-only --lots 8"),
        (replace(PLAIN, good_only=True, train_good=9, lots=3), "how many lots --good-only", "without --train-good"),
        (replace(PLAIN, good_only=True, lots=1), "1 lot cannot", "--lots 2"),
        (replace(PLAIN, shots=0), "at least one shot", "--shots 5"),
        (replace(PLAIN, episodes=0), "one episode", "--episodes 20"),
        (replace(PLAIN, incremental=True, unknown=("pit",)), "--incremental and --unknown", "one after the other"),
        (replace(PLAIN, unknown=("pit", "scrach")), "steel: no class scrach", "did you mean scratch?"),
        (replace(PLAIN, unknown=("oxide",)), "steel: no class oxide", "there are pit, scratch, stain"),
        (replace(PLAIN, unknown=("pit", "all")), "steel: no class all", "there are"),
    ],
)
def test_what_makes_no_sense_is_named(options: EvaluateOptions, said: str, hint: str) -> None:
    with pytest.raises(BadData) as caught:
        options.check(CLASSES)

    assert said in caught.value.message
    assert hint in caught.value.hint


def test_all_is_refused_where_it_could_mean_two_things() -> None:
    with pytest.raises(BadData, match="called all"):
        replace(PLAIN, unknown=("all",)).check({**CLASSES, "all": 4})

    PLAIN.check({**CLASSES, "all": 4})


@pytest.mark.parametrize(
    ("unknown", "rounds", "known_at_least"),
    [
        (("pit",), (("pit",),), 1),
        (("stain", "pit", "stain"), (("pit", "stain"),), 1),
        (("all",), (("pit",), ("scratch",), ("stain",)), 2),
    ],
)
def test_several_are_unknown_together_and_all_is_each_in_turn(
    unknown: tuple[str, ...], rounds: tuple[tuple[str, ...], ...], known_at_least: int
) -> None:
    options = replace(PLAIN, unknown=unknown)
    options.check(CLASSES)

    assert options.rounds(CLASSES) == rounds
    assert options.known_at_least == known_at_least


def test_forgetting_needs_a_class_between_the_first_and_the_last() -> None:
    assert replace(PLAIN, incremental=True).known_at_least == 3
    assert PLAIN.known_at_least == 2
