from dataclasses import replace

import numpy as np
import pytest

from models.castings.ring import Array, Crack, Modes, Plane, Ring, ring_modes, shifted, split
from models.castings.tap import (
    BANDWIDTH_HZ,
    LSB_MS2,
    RATE_HZ,
    SAMPLES,
    Strike,
    TapTest,
    digitised,
    loosened,
    ring_down,
)

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
STRIKE = Strike(force_n=80.0, contact_s=140e-6)
RADIAL, TANGENTIAL, AXIAL = range(3)


def peak_hz(signal: Array, near_hz: float) -> float:
    """Frequency of the highest peak within 5 % of `near_hz`, interpolated [Hz]."""
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal)), 2**17))
    freq_hz = np.fft.rfftfreq(2**17, 1 / RATE_HZ)
    inside = np.abs(freq_hz / near_hz - 1) < 0.05
    return float(freq_hz[inside][spectrum[inside].argmax()])


def only(modes: Modes, plane: Plane, waves: int) -> Modes:
    """The one family, so that nothing else is in the signal."""
    chosen = (modes.plane == plane) & (modes.waves == waves)
    return Modes(*(getattr(modes, name)[chosen] for name in Modes.__dataclass_fields__))


def shifts(modes: Modes) -> dict[tuple[Plane, int], float]:
    """Relative shift of the strongest peak of each family below 8 kHz, as a spectrum analyser would see it."""
    measured = {}
    for plane, waves, sound_hz in zip(MODES.plane, MODES.waves, MODES.frequency_hz[:, 0], strict=True):
        if sound_hz < 8_000:
            axis = AXIAL if plane == Plane.OUT else RADIAL
            samples = ring_down(RING, only(modes, plane, waves), STRIKE)
            measured[Plane(plane), int(waves)] = peak_hz(samples[:, axis], sound_hz) / sound_hz - 1
    return measured


def test_the_window_is_eighty_milliseconds() -> None:
    assert SAMPLES == 2133
    assert ring_down(RING, MODES, STRIKE).shape == (2133, 3)


def test_measured_peaks_move_together_with_the_mass() -> None:
    for shift in shifts(shifted(MODES, 0.01, 0.0)).values():
        assert shift == pytest.approx(-0.005, abs=2e-4)


def test_a_crack_under_the_hammer_moves_only_the_peaks_of_its_plane() -> None:
    """The struck mode of each pair is then the one that bends at the crack."""
    even = np.zeros(len(MODES.waves))
    cracked = split(MODES, even, even, Crack(Plane.OUT, 0.0, drop=0.02, friction=0.0))
    measured = shifts(cracked)

    assert {plane for plane, _ in measured} == set(Plane)
    for (plane, _), shift in measured.items():
        assert shift == pytest.approx(-0.02 if plane == Plane.OUT else 0.0, abs=3e-4)


def test_a_crack_between_antinode_and_node_shows_both_peaks_of_the_pair() -> None:
    even = np.zeros(len(MODES.waves))
    crack = Crack(Plane.OUT, np.pi / 16, drop=0.03, friction=0.0)  # an eighth of a wave from the hammer for n = 4
    pair = only(split(MODES, even, even, crack), Plane.OUT, 4)
    samples = ring_down(RING, replace(pair, damping=pair.damping * 0), STRIKE)[:, AXIAL]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(SAMPLES), 2**17))
    freq_hz = np.fft.rfftfreq(2**17, 1 / RATE_HZ)
    levels = [spectrum[np.abs(freq_hz - f).argmin()] for f in pair.frequency_hz[0]]
    between = spectrum[np.abs(freq_hz - pair.frequency_hz[0].mean()).argmin()]

    assert min(levels) > 3 * between


def test_the_cracked_mode_dies_away_faster() -> None:
    def decay_per_s(modes: Modes) -> float:
        energy = [float((part**2).sum()) for part in np.split(ring_down(RING, modes, STRIKE)[:2000, AXIAL], 2)]
        return float(np.log(energy[0] / energy[1]) / 2 / (1000 / RATE_HZ))

    even = np.zeros(len(MODES.waves))
    cracked = split(MODES, even, even, Crack(Plane.OUT, 0.0, drop=0.01, friction=2.0))
    sound_hz = only(MODES, Plane.OUT, 3).frequency_hz[0, 0]
    sound_per_s, cracked_per_s = decay_per_s(only(MODES, Plane.OUT, 3)), decay_per_s(only(cracked, Plane.OUT, 3))

    assert sound_per_s == pytest.approx(2 * np.pi * sound_hz * RING.damping, rel=0.01)
    assert cracked_per_s == pytest.approx(3 * 0.99 * sound_per_s, rel=0.01)


@pytest.mark.parametrize("pulse", [0.3, 0.5, 1.7])
def test_the_impulse_is_that_of_a_half_sine(pulse: float) -> None:
    """Against the Duhamel integral, also where force and mode are in step (half a period of contact)."""
    family = only(MODES, Plane.OUT, 2)
    undamped = replace(family, damping=family.damping * 0)
    omega, contact_s = 2 * np.pi * family.frequency_hz[0, 0], pulse / family.frequency_hz[0, 0]
    samples = ring_down(RING, undamped, Strike(1.0, contact_s))[:, AXIAL]

    tau = (np.arange(20_000) + 0.5) * contact_s / 20_000
    t = contact_s + np.arange(SAMPLES) / RATE_HZ
    force = np.sin(np.pi * tau / contact_s) * contact_s / 20_000
    push, pull = (force * np.cos(omega * tau)).sum(), (force * np.sin(omega * tau)).sum()
    displacement = (np.sin(omega * t) * push - np.cos(omega * t) * pull) / (omega * family.mass_kg[0])
    sensor = (1 + (family.frequency_hz[0, 0] / BANDWIDTH_HZ) ** 4) ** -0.5
    expected = -(omega**2) * displacement * np.sin(RING.tilt_rad) * sensor

    np.testing.assert_allclose(samples, expected, atol=1e-6 * np.abs(expected).max() + 1e-9)


def test_a_softer_hammer_leaves_the_high_modes_quiet() -> None:
    def brightness(contact_s: float) -> float:
        level = [np.abs(ring_down(RING, only(MODES, Plane.OUT, n), Strike(80.0, contact_s))).max() for n in (2, 5)]
        return float(level[1] / level[0])

    assert brightness(60e-6) > 2 * brightness(160e-6)


def test_twice_the_force_is_twice_the_signal() -> None:
    np.testing.assert_allclose(
        ring_down(RING, MODES, Strike(160.0, 140e-6)), 2 * ring_down(RING, MODES, STRIKE), rtol=1e-9
    )


def test_a_loose_fixture_adds_a_low_mode_and_broadband() -> None:
    silence = np.zeros((SAMPLES, 3))
    added = loosened(silence, 1.0, np.random.default_rng(4))
    power = (np.abs(np.fft.rfft(added, axis=0)) ** 2).sum(axis=1)
    freq_hz = np.fft.rfftfreq(SAMPLES, 1 / RATE_HZ)

    assert 60 < freq_hz[power.argmax()] < 230
    for low_hz, high_hz in ((500, 2_000), (2_000, 5_000), (5_000, 10_000)):
        assert power[(low_hz < freq_hz) & (freq_hz < high_hz)].sum() > 1e-3 * power.sum()


def test_the_sensor_speaks_in_counts_and_never_leaves_its_range() -> None:
    loud = np.full((SAMPLES, 3), 1_000.0)
    samples = digitised(loud, np.random.default_rng(0))

    assert samples.dtype == np.float32
    assert samples.max() == pytest.approx(32_767 * LSB_MS2)
    np.testing.assert_allclose(samples / LSB_MS2, np.rint(samples / LSB_MS2), atol=1e-2)


def test_a_recording_depends_on_its_generators_alone() -> None:
    bench = TapTest(RING)

    def recorded(fault_seed: int, crack_drop: float) -> bytes:
        part, fault = np.random.default_rng(1), np.random.default_rng(fault_seed)
        return bench.record(part, fault, crack_drop).tobytes()

    assert recorded(2, 0.0) == recorded(3, 0.0)
    assert recorded(2, 0.02) == recorded(2, 0.02)
    assert recorded(2, 0.02) != recorded(3, 0.02)
