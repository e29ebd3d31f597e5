"""The tap test: a hammer strikes a ring casting, an accelerometer records how it rings down.

Pure arithmetic in SI units; randomness comes in as generators. It knows nothing of pictures and class names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.castings.ring import Array, Crack, Modes, Plane, Ring, motion, ring_modes, shifted, split

Complex = NDArray[np.complex128]

RATE_HZ: Final = 26_667.0
"""Output rate of the wide-band MEMS accelerometers made for machines (ST IIS3DWB) [Hz]."""
WINDOW_S: Final = 0.080
"""Length of the recorded ring-down [s]."""
SAMPLES: Final = round(WINDOW_S * RATE_HZ)
BANDWIDTH_HZ: Final = 6_000.0
"""-3 dB corner of that sensor [Hz]."""
LSB_MS2: Final = 0.488e-3 * 9.80665
"""One count at a range of 16 g [m/s^2]; the range ends at 32,767 counts."""
NOISE_MS2: Final = 75e-6 * 9.80665 * BANDWIDTH_HZ**0.5
"""Noise density of 75 ug/sqrt(Hz) over the bandwidth, rms [m/s^2]."""
CROSSTALK: Final = np.array([[1.0, 0.02, -0.03], [-0.02, 1.0, 0.025], [0.03, -0.02, 1.0]])
"""What each axis of the sensor hears of each direction: a few per cent of the others, as data sheets allow."""


@dataclass(frozen=True)
class Strike:
    """One hit of the hammer: a half sine, the pulse of a Hertzian contact.

    Attributes:
        force_n: peak force [N].
        contact_s: contact time [s].
    """

    force_n: float
    contact_s: float


def ring_down(ring: Ring, modes: Modes, strike: Strike, delay_s: float = 0.0) -> Array:
    """Give the acceleration at the sensor after the contact has ended.

    Each mode answers a half-sine force of length T with the impulse 2 F T/pi cos(wT/2)/(1-(wT/pi)^2), as if struck at
    T/2. The sum of two sinc terms is the same without the 0/0 at wT = pi.

    Args:
        ring: gives the places of hammer and sensor.
        modes: what rings.
        strike: the hit.
        delay_s: from the end of the contact to the first sample [s].

    Returns:
        Acceleration [m/s^2], radial, tangential, axial, shape (SAMPLES, 3), without noise.
    """
    omega = 2 * np.pi * modes.frequency_hz
    x = omega * strike.contact_s / (2 * np.pi)
    impulse = strike.force_n * strike.contact_s / 2 * (np.sinc(x - 0.5) + np.sinc(x + 0.5))
    here = motion(modes, 0.0)
    driven = here[0] * np.cos(ring.tilt_rad) + here[2] * np.sin(ring.tilt_rad)
    heard = (1 + (modes.frequency_hz / BANDWIDTH_HZ) ** 4) ** -0.5
    size = motion(modes, ring.sensor_rad) * driven * impulse * omega * heard / modes.mass_kg[:, None]
    pole = omega * (1j - modes.damping)
    start = 1j * size * np.exp(pole * (delay_s + strike.contact_s / 2))
    return _damped_sines(start.reshape(3, -1), pole.reshape(-1))


def loosened(samples: Array, severity: float, rng: np.random.Generator) -> Array:
    """Add what a loose fixture does: it rocks at a low frequency and rattles on each swing.

    Args:
        samples: acceleration of the well-held casting [m/s^2], shape (SAMPLES, 3).
        severity: above 0 up to 1.
        rng: draws the frequency, the direction and the rattle.

    Returns:
        Acceleration with the low mode and the broadband rattle [m/s^2], shape (SAMPLES, 3).
    """
    pole = 2 * np.pi * rng.uniform(70.0, 220.0) * (1j - rng.uniform(0.03, 0.07))
    lean = np.array([0.7, 0.3, 1.0]) * rng.uniform(0.6, 1.2, 3) * rng.choice([-1.0, 1.0], 3)
    clatter = rng.standard_normal((SAMPLES + 2, 3))
    clatter = (clatter[:-2] + 2 * clatter[1:-1] + clatter[2:]) / 6**0.5
    rocking = _damped_sines((-1j * lean)[:, None], np.array([pole]))
    swing = rocking @ lean / (lean @ lean)
    touching = np.maximum(swing, 0.0)[:, None] ** 2
    noisy: Array = samples + severity**1.5 * (9.0 * rocking + 9.0 * touching * clatter)
    return noisy


def digitised(samples: Array, rng: np.random.Generator) -> NDArray[np.float32]:
    """Give what the sensor puts out: its noise, the shop floor's, its steps, the ends of its range, still in m/s^2."""
    noise = rng.standard_normal(samples.shape, dtype=np.float32) * np.float32(NOISE_MS2 * rng.uniform(1.0, 2.5))
    counts = np.clip(np.rint((samples + noise) / LSB_MS2), -32_768, 32_767)
    return (counts * LSB_MS2).astype(np.float32)


class TapTest:
    """The test bench for one design; read-only after construction, safe from any thread.

    Args:
        ring: the design.
    """

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._modes = ring_modes(ring)

    def record(
        self, part: np.random.Generator, fault: np.random.Generator, crack_drop: float = 0.0, loose: float = 0.0
    ) -> NDArray[np.float32]:
        """Strike one casting and record it.

        Mass varies by up to 1 % (porosity), temperature by 8 K, the frequencies of each family by 0.04 % (geometry),
        its damping by 5 %, the natural split of its pair from 0.02 to 0.12 %; the casting bounces on its rubber
        supports. A harder hit is shorter: by Hertz' law the contact time goes with force^(-1/6).

        Args:
            part: draws the sound casting and the strike, in the same order whatever its faults.
            fault: draws the place and kind of its faults.
            crack_drop: relative frequency drop that a crack causes; 0 for none.
            loose: 0 for a firm fixture, up to 1.

        Returns:
            Acceleration [m/s^2], shape (SAMPLES, 3), float32.
        """
        families = len(self._modes.waves)
        modes = shifted(self._modes, part.uniform(-0.01, 0.01), part.uniform(-8.0, 8.0))
        modes = replace(
            modes,
            frequency_hz=modes.frequency_hz * (1 + 4e-4 * part.standard_normal((families, 1))),
            damping=modes.damping * np.exp(0.05 * part.standard_normal((families, 1))) * (1 + 0.5 * loose),
        )
        asymmetry, antinode_rad = part.uniform(2e-4, 12e-4, families), part.uniform(0, 2 * np.pi, families)
        force_n = 80.0 * float(np.exp(0.2 * np.clip(part.standard_normal(), -2.5, 2.5)))
        contact_s = 140e-6 * (force_n / 80.0) ** (-1 / 6) * part.uniform(0.94, 1.06)
        delay_s = part.uniform(0.0, 1.0) / RATE_HZ
        bounce = part.uniform(0.2, 0.8, (3, 1)) * np.complex128(-1j * force_n / 80.0)
        rubber = 2 * np.pi * part.uniform(45.0, 75.0) * (1j - part.uniform(0.12, 0.25))
        modes = split(modes, asymmetry, antinode_rad, _drawn_crack(crack_drop, fault))
        samples = ring_down(self._ring, modes, Strike(force_n, contact_s), delay_s)
        samples += _damped_sines(bounce, np.array([rubber]))
        if loose > 0.0:
            samples = loosened(samples, loose, fault)
        return digitised(samples @ CROSSTALK.T, part)


def _drawn_crack(drop: float, rng: np.random.Generator) -> Crack | None:
    """Draw where a crack is and which bending opens it; None where nothing drops."""
    if drop == 0.0:
        return None
    plane = Plane.IN if rng.random() < 0.5 else Plane.OUT
    return Crack(plane, rng.uniform(0, 2 * np.pi), drop, friction=100.0 * drop)


def _damped_sines(start: Complex, pole: Complex) -> Array:
    """Sum real(start exp(pole t)) over the modes; start (3, modes), pole (modes,); gives (SAMPLES, 3).

    exp of the time is the product of coarse and fine steps, so 2,133 samples cost 98 exponentials a mode.
    """
    fine = 64
    coarse = np.exp(pole[:, None] * np.arange(0, SAMPLES, fine) / RATE_HZ)
    steps = np.exp(pole[:, None] * np.arange(fine) / RATE_HZ)
    blocks = (start[:, None, :] * coarse.T) @ steps
    samples: Array = blocks.real.reshape(3, -1)[:, :SAMPLES].T
    return samples
