import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.castings.ring import Crack, Plane, Ring, ring_modes, split

MODES = ring_modes(Ring.drawn(np.random.default_rng(0)))
FAMILIES = len(MODES.waves)

angles = st.floats(0.0, 2 * np.pi)
cracks = st.builds(Crack, st.sampled_from(Plane), angles, st.floats(1e-4, 0.03), st.floats(0.0, 3.0))


@given(st.floats(0.0, 2e-3), angles, cracks)
def test_a_crack_never_raises_a_frequency_nor_loses_or_invents_stiffness(asymmetry, antinode_rad, crack) -> None:
    uneven, turned = np.full(FAMILIES, asymmetry), np.full(FAMILIES, antinode_rad)
    sound, cracked = split(MODES, uneven, turned), split(MODES, uneven, turned, crack)
    change = (cracked.frequency_hz - sound.frequency_hz) / MODES.frequency_hz
    opened = MODES.plane == crack.plane

    assert np.all(change <= 1e-12)
    assert np.all(change >= -crack.drop - 1e-12)
    np.testing.assert_allclose(change[opened].sum(axis=1), -crack.drop, rtol=1e-9)
    np.testing.assert_array_equal(change[~opened], 0.0)
    growth = cracked.damping / sound.damping
    np.testing.assert_allclose(growth[opened].sum(axis=1), 2 + crack.friction)
    assert np.all(growth >= 1 - 1e-12)
