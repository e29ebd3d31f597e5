import hashlib
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from models.castings import CLASSES, NORMAL, Casting, CastingLine

NUMBERS = (7, 0, 3, 12)
SEEN = ("scratch", "pit", "stain", "edge_chip")
HEARD = ("crack", "loose_fixture")


@pytest.fixture(scope="module")
def line() -> CastingLine:
    return CastingLine(seed=5, defect_share=0.5)


def digest(image: np.ndarray, samples: np.ndarray) -> str:
    return hashlib.sha256(image.tobytes() + samples.tobytes()).hexdigest()


def digest_of(casting: Casting) -> str:
    return digest(casting.image, casting.samples) + casting.truth + str(casting.severity)


def order_does_not_matter(build: Callable[[], Callable[[int], str]]) -> bool:
    """Two lines built apart and asked in different orders make the same parts."""
    first, second = build(), build()
    forward = {n: first(n) for n in NUMBERS}
    backward = {n: second(n) for n in reversed(NUMBERS)}
    return forward == backward and len(set(forward.values())) == len(NUMBERS)


def test_a_part_depends_on_seed_and_number_alone() -> None:
    def build() -> Callable[[int], str]:
        line = CastingLine(seed=5, defect_share=0.5)
        return lambda number: digest_of(line.part(number))

    assert order_does_not_matter(build)


def test_a_line_that_draws_from_one_running_stream_would_be_caught() -> None:
    def build() -> Callable[[int], str]:
        stream = np.random.default_rng(5)
        return lambda number: str(number) + str(stream.random())

    assert not order_does_not_matter(build)


def test_a_casting_is_what_the_contract_says(line: CastingLine) -> None:
    for truth in CLASSES:
        casting = line.example(truth, 1)

        assert casting.truth == truth
        assert casting.image.shape == (480, 480, 3)
        assert casting.image.dtype == np.uint8
        assert casting.image.flags.c_contiguous
        assert casting.samples.shape == (2133, 3)
        assert casting.samples.dtype == np.float32
        assert casting.samples.flags.c_contiguous
        assert np.isfinite(casting.samples).all()
        assert 1.0 < np.abs(casting.samples).max() < 160.0
        assert casting.rate_hz == 26_667.0
        assert 30 < casting.image.mean() < 150


def test_the_picture_shows_a_bright_ring_on_a_dark_belt_within_the_frame(line: CastingLine) -> None:
    for number in range(4):
        grey = line.twin(line.part(number)).image.mean(axis=2)
        rows, columns = np.nonzero(grey > 90)

        assert len(rows) > 40_000
        assert grey[rows, columns].mean() > 1.6 * grey[230:250, 230:250].mean()
        assert 20 < rows.min() < rows.max() < 460
        assert 20 < columns.min() < columns.max() < 460
        assert abs(rows.mean() - 240) < 60
        assert np.mean(grey == 255) < 0.01


def test_lines_designs_and_tray_make_different_castings(line: CastingLine) -> None:
    castings = [
        line.twin(line.part(2)),
        line.example(NORMAL, 2),
        line.twin(line.example("pit", 2)),
        CastingLine(seed=6, defect_share=0.0).part(2),
        CastingLine(seed=5, defect_share=0.0, design=1).part(2),
    ]

    assert len({digest(c.image, c.samples) for c in castings}) == len(castings)
    assert len({c.image.tobytes() for c in castings}) == len(castings)
    assert len({c.samples.tobytes() for c in castings}) == len(castings)


def touches(line: CastingLine, truth: str, severity: float) -> tuple[bool, bool]:
    """Whether the class changes the picture and the samples of the same casting."""
    faulty = line.example(truth, 3, severity)
    sound = line.twin(faulty)
    return (
        not np.array_equal(faulty.image, sound.image),
        not np.array_equal(faulty.samples, sound.samples),
    )


@pytest.mark.parametrize("severity", [0.05, 1.0])
def test_each_modality_perceives_only_what_it_physically_can(line: CastingLine, severity: float) -> None:
    for truth in CLASSES[1:]:
        assert touches(line, truth, severity) == (
            truth in SEEN or truth == "open_crack",
            truth in HEARD or truth == "open_crack",
        )


def grows(amounts: list[float]) -> bool:
    return all(a < b for a, b in zip(amounts, amounts[1:], strict=False))


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("truth", [*SEEN, "open_crack"])
def test_a_worse_defect_is_seen_better(line: CastingLine, truth: str, index: int) -> None:
    faulty = [line.example(truth, index, severity) for severity in (0.1, 0.4, 0.7, 1.0)]
    sound = line.twin(faulty[0]).image.astype(float)

    assert grows([float(((c.image - sound) ** 2).sum()) for c in faulty])


def test_a_looser_fixture_is_heard_better(line: CastingLine) -> None:
    faulty = [line.example("loose_fixture", 0, severity) for severity in (0.1, 0.4, 0.7, 1.0)]
    sound = line.twin(faulty[0]).samples

    assert grows([float(((c.samples - sound) ** 2).sum()) for c in faulty])


@pytest.mark.parametrize("truth", ["crack", "open_crack"])
def test_a_worse_crack_takes_more_of_the_late_ringing(line: CastingLine, truth: str) -> None:
    taken = np.zeros(4)
    for index in range(6):
        faulty = [line.example(truth, index, severity) for severity in (0.05, 0.35, 0.65, 1.0)]
        late = float((line.twin(faulty[0]).samples[1000:] ** 2).sum())
        taken += [1 - float((c.samples[1000:] ** 2).sum()) / late for c in faulty]

    assert taken[0] > 0
    assert grows(list(taken))


def test_the_check_of_growth_has_teeth() -> None:
    assert not grows([1.0, 1.0, 2.0])


def test_a_weak_surface_defect_hides_among_the_noise_and_a_strong_one_does_not(line: CastingLine) -> None:
    for truth in (*SEEN, "open_crack"):
        weak, strong = line.example(truth, 4, 0.03), line.example(truth, 4, 1.0)
        sound = line.twin(weak).image.astype(float)
        changed = [int((np.abs(c.image - sound).max(axis=2) > 25).sum()) for c in (weak, strong)]

        assert changed[0] < 40 < changed[1]


def test_shares_and_severities_are_those_that_were_asked_for(line: CastingLine) -> None:
    chooser = CastingLine(seed=1, defect_share=0.3, mix={"pit": 3.0, "crack": 1.0, "stain": 0.0})
    fates = [chooser._fate((1, 0, 0, number)) for number in range(4000)]
    counts = Counter(truth for truth, _ in fates)
    severities = np.array([severity for truth, severity in fates if truth != NORMAL])

    assert set(counts) == {NORMAL, "pit", "crack"}
    assert counts[NORMAL] / 4000 == pytest.approx(0.7, abs=0.03)
    assert counts["pit"] / counts["crack"] == pytest.approx(3.0, rel=0.25)
    assert 0.0 < severities.min() < severities.max() <= 1.0
    assert np.mean(severities > 0.5) == pytest.approx(0.75, abs=0.05)
    assert {severity for truth, severity in fates if truth == NORMAL} == {0.0}


def test_a_line_makes_every_class_unless_told_otherwise(line: CastingLine) -> None:
    assert {line._fate((5, 0, 0, number))[0] for number in range(400)} == set(CLASSES)


def test_the_tray_holds_what_is_plain_to_see(line: CastingLine) -> None:
    assert line.example(NORMAL, 0).severity == 0.0
    for index in range(5):
        assert 0.5 <= line.example("scratch", index).severity <= 1.0
    assert line.example("scratch", 0, 0.2).severity == 0.2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda line: CastingLine(seed=-1), "seed must be"),
        (lambda line: CastingLine(seed=0, design=2**32), "design must be"),
        (lambda line: CastingLine(seed=0, defect_share=1.1), "defect_share must be"),
        (lambda line: CastingLine(seed=0, defect_share=float("nan")), "defect_share must be"),
        (lambda line: CastingLine(seed=0, mix={"dent": 1.0}), "no class 'dent'"),
        (lambda line: CastingLine(seed=0, mix={NORMAL: 1.0}), "each faulty class"),
        (lambda line: CastingLine(seed=0, mix={"pit": float("nan")}), "each faulty class"),
        (lambda line: CastingLine(seed=0, mix={"pit": 0.0}), "needs a weight above 0"),
        (lambda line: line.part(-1), "number must be"),
        (lambda line: line.part(2**32), "number must be"),
        (lambda line: line.example("dent", 0), "no class 'dent'"),
        (lambda line: line.example("pit", -1), "index must be"),
        (lambda line: line.example("pit", 0, 0.0), "severity of 'pit'"),
        (lambda line: line.example("pit", 0, 1.5), "severity of 'pit'"),
        (lambda line: line.example(NORMAL, 0, 0.5), "severity of 'good' must be 0"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(
    line: CastingLine, make: Callable[[CastingLine], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(line)
