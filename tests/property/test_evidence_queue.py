"""What goes next is always what is worth least, however few files are known by name; and how much is kept is right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.ledger.evidencefile import EvidenceFile
from edge_agent.ledger.evidencequeue import EvidenceQueue

FILES = st.builds(
    EvidenceFile,
    st.integers(0, 30).map("pictures/ab/{}".format),
    st.integers(0, 20),
    st.sampled_from(["ok", "ng", "unsure"]),
    st.integers(1, 9),
)
STEPS = st.lists(st.one_of(FILES, st.none(), st.integers(0, 30)), max_size=60)


def check(kind: type[EvidenceQueue], before: list[EvidenceFile], steps: list, known: int) -> None:
    """Keep files (a file), let the next one go (None), and drop one (its place); compare with a list of all of them."""
    kept = {file.stem: file for file in before}
    queue = kind(kept.values(), known)
    for step in steps:
        if isinstance(step, EvidenceFile):
            if step.stem in kept:
                queue.drop(kept.pop(step.stem))
            kept[step.stem] = step
            queue.add(step)
        elif step is None:
            if queue.is_exhausted:
                queue = kind(kept.values(), known)
            file = queue.first()
            assert (file is None) == (not kept)
            if file is not None:
                assert file == min(kept.values(), key=lambda each: (each.worth, each.stem))
                queue.drop(kept.pop(file.stem))
        elif kept:
            queue.drop(kept.pop(sorted(kept)[step % len(kept)]))
        assert (queue.count, queue.size_bytes) == (len(kept), sum(file.size_bytes for file in kept.values()))
        assert len(queue._next) <= known


@given(st.lists(FILES, max_size=20), STEPS, st.integers(1, 8))
def test_what_goes_next_is_what_is_worth_least(before: list[EvidenceFile], steps: list, known: int) -> None:
    check(EvidenceQueue, before, steps, known)


class Eager(EvidenceQueue):
    """Wrong: takes every new file among those that it knows, though others that it does not know are worth less."""

    def add(self, file: EvidenceFile) -> None:
        super().add(file)
        if file not in self._next and len(self._next) < self._known:
            self._next.append(file)


class Forgetful(EvidenceQueue):
    """Wrong: lets a file go from among those it knows and counts it on."""

    def drop(self, file: EvidenceFile) -> None:
        self._next.remove(file)


@pytest.mark.parametrize("wrong", [Eager, Forgetful])
def test_another_order_or_count_is_noticed(wrong: type[EvidenceQueue]) -> None:
    files = [EvidenceFile(f"pictures/ab/{n}", n, "ng", 1) for n in range(4)]
    with pytest.raises((AssertionError, ValueError)):
        check(wrong, files, [None, EvidenceFile("pictures/ab/9", 9, "ng", 1), None, None], 2)


def test_a_known_file_that_somebody_removed_is_not_counted_twice_when_it_is_kept_again() -> None:
    file = EvidenceFile("pictures/ab/1", 1, "ng", 5)
    queue = EvidenceQueue([file])
    queue.add(EvidenceFile("pictures/ab/1", 2, "ng", 5))

    assert (queue.count, queue.size_bytes) == (1, 5)
