from dataclasses import replace

import numpy as np
import pytest

from models.castings.ring import Array, Crack, Modes, Plane, Ring, motion, ring_modes, shifted, split

RING = Ring(
    outer_m=0.145,
    inner_m=0.095,
    height_m=0.020,
    young_pa=130e9,
    density_kgm3=7_150.0,
    damping=0.0015,
    sensor_rad=np.pi,
    tilt_rad=0.7,
)
MODES = ring_modes(RING)
PERFECT = np.zeros(len(MODES.waves))


def test_bending_frequencies_agree_with_a_published_ring() -> None:
    """Code_Aster's validation case V2.03.109 gives 211.65 Hz and 598.64 Hz from Blevins for this ring."""
    published = replace(
        RING, outer_m=0.369 + 0.024, inner_m=0.369 - 0.024, height_m=0.05, young_pa=185e9, density_kgm3=7800
    )
    modes = ring_modes(published)
    in_plane = {
        n: f for n, f, p in zip(modes.waves, modes.frequency_hz[:, 0], modes.plane, strict=True) if p == Plane.IN
    }

    assert in_plane[2] == pytest.approx(211.65, rel=2e-4)
    assert in_plane[3] == pytest.approx(598.64, rel=2e-4)


def test_breathing_is_a_sound_wave_once_around_the_ring() -> None:
    family = int(np.flatnonzero(MODES.waves == 0)[0])
    around_m = 2 * np.pi * (RING.outer_m + RING.inner_m) / 2

    assert MODES.frequency_hz[family, 0] == pytest.approx((RING.young_pa / RING.density_kgm3) ** 0.5 / around_m)


def test_a_ring_without_cracks_has_pairs_and_families_in_order() -> None:
    assert np.array_equal(MODES.frequency_hz[:, 0], MODES.frequency_hz[:, 1])
    assert np.all(np.diff(MODES.frequency_hz[:, 0]) > 0)
    assert set(MODES.plane) == {Plane.IN, Plane.OUT}


def test_one_percent_more_mass_lowers_every_mode_by_half_a_percent() -> None:
    change = shifted(MODES, 0.01, 0.0).frequency_hz / MODES.frequency_hz - 1

    np.testing.assert_allclose(change, 1.01**-0.5 - 1, rtol=1e-9)


def test_warmth_lowers_every_mode_alike() -> None:
    change = shifted(MODES, 0.0, 10.0).frequency_hz / MODES.frequency_hz - 1

    np.testing.assert_allclose(change, (1 - 0.003) ** 0.5 - 1, rtol=1e-9)


def lowers_only_what_bends_at_the_crack(cracked: Modes, sound: Modes, crack: Crack) -> bool:
    """One of each opened pair drops by all of it, the other stays; breathing drops by half; the rest stay."""
    change = cracked.frequency_hz / sound.frequency_hz - 1
    opened, waving = sound.plane == crack.plane, sound.waves > 0
    pairs, breathing = change[opened & waving], change[opened & ~waving]
    return bool(
        np.allclose(pairs, [[0.0, -crack.drop]], atol=1e-12)
        and np.allclose(breathing, -crack.drop / 2)
        and np.all(change[~opened] == 0.0)
    )


@pytest.mark.parametrize("plane", Plane)
@pytest.mark.parametrize("angle_rad", [0.0, 0.4, 3.0])
def test_a_crack_splits_the_pairs_that_it_opens(plane: Plane, angle_rad: float) -> None:
    crack = Crack(plane, angle_rad, drop=0.02, friction=3.0)

    assert lowers_only_what_bends_at_the_crack(split(MODES, PERFECT, PERFECT, crack), MODES, crack)


def test_the_check_of_the_split_has_teeth() -> None:
    crack = Crack(Plane.OUT, 0.4, drop=0.02, friction=3.0)
    lighter_ring = shifted(MODES, (1 - crack.drop) ** -2 - 1, 0.0)
    both_of_a_pair = replace(
        MODES, frequency_hz=MODES.frequency_hz * np.where(MODES.plane == Plane.OUT, 0.98, 1.0)[:, None]
    )

    assert not lowers_only_what_bends_at_the_crack(lighter_ring, MODES, crack)
    assert not lowers_only_what_bends_at_the_crack(both_of_a_pair, MODES, crack)


def test_the_pair_turns_its_antinode_to_the_crack() -> None:
    crack = Crack(Plane.OUT, 1.1, drop=0.02, friction=3.0)
    cracked = split(MODES, np.full_like(PERFECT, 2e-4), PERFECT + 0.3, crack)
    axial = motion(cracked, crack.angle_rad)[2, MODES.plane == Plane.OUT]

    np.testing.assert_allclose(np.abs(axial), [[0.0, 1.0]] * len(axial), atol=0.02)


def test_only_the_mode_that_bends_at_the_crack_rubs() -> None:
    crack = Crack(Plane.IN, 0.4, drop=0.02, friction=3.0)
    growth = split(MODES, PERFECT, PERFECT, crack).damping / MODES.damping
    bending = (MODES.plane == Plane.IN) & (MODES.waves > 0)

    np.testing.assert_allclose(growth[bending], [[1.0, 4.0]] * int(bending.sum()))
    np.testing.assert_array_equal(growth[MODES.plane == Plane.OUT], 1.0)


def test_a_weak_crack_at_a_node_goes_unnoticed_by_that_pair() -> None:
    """The asymmetry of the casting holds the pair in place: the higher one's antinode is the lower one's node."""
    crack = Crack(Plane.OUT, 0.0, drop=1e-5, friction=0.0)
    asymmetry = np.full_like(PERFECT, 1e-3)
    lower = split(MODES, asymmetry, PERFECT, crack).frequency_hz[:, 1]

    np.testing.assert_allclose(lower, split(MODES, asymmetry, PERFECT).frequency_hz[:, 1], rtol=1e-9)


def test_a_sound_casting_keeps_the_mean_of_each_pair() -> None:
    asymmetry: Array = np.linspace(2e-4, 1e-3, len(PERFECT))
    real = split(MODES, asymmetry, PERFECT + 0.7)
    waving = MODES.waves > 0

    np.testing.assert_allclose(real.frequency_hz.mean(axis=1), MODES.frequency_hz[:, 0])
    np.testing.assert_allclose(
        (real.frequency_hz[:, 0] / real.frequency_hz[:, 1] - 1)[waving], asymmetry[waving], rtol=1e-3
    )
