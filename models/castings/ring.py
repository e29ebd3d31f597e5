"""The natural modes of a ring casting, and what mass, temperature, imperfection and cracks do to them.

Pure arithmetic in SI units. How the modes are struck and heard is in `tap`; pictures and class names are unknown here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HIGHEST_HZ: Final = 12_000.0
"""Modes above it are left out: the sensor has lost them, and none may fold over at half its rate [Hz]."""
POISSON: Final = 0.26
"""Poisson's ratio of cast iron."""


class Plane(IntEnum):
    """The way a family of modes moves."""

    IN = 0  #: the ring bends in its plane, or (no waves) grows and shrinks as a whole: radial and tangential motion
    OUT = 1  #: the ring bends out of its plane: axial motion


@dataclass(frozen=True)
class Ring:
    """A plain ring, and where it is struck and listened to.

    Attributes:
        outer_m: outer radius [m].
        inner_m: radius of the bore [m].
        height_m: axial height [m].
        young_pa: Young's modulus at the reference temperature [Pa].
        density_kgm3: density [kg/m^3].
        damping: damping ratio of a sound casting on its fixture.
        sensor_rad: angle from the strike to the sensor [rad].
        tilt_rad: angle of the hammer out of the ring's plane [rad].
    """

    outer_m: float
    inner_m: float
    height_m: float
    young_pa: float
    density_kgm3: float
    damping: float
    sensor_rad: float
    tilt_rad: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Ring:
        """Draw a plausible flange ring of cast iron, 130 to 160 mm in radius."""
        outer_m = rng.uniform(0.130, 0.160)
        return cls(
            outer_m=outer_m,
            inner_m=outer_m * rng.uniform(0.58, 0.70),
            height_m=rng.uniform(0.018, 0.024),
            young_pa=rng.uniform(105e9, 170e9),
            density_kgm3=rng.uniform(7_050.0, 7_250.0),
            damping=rng.uniform(0.0012, 0.0022),
            sensor_rad=np.pi + rng.uniform(0.16, 0.24),
            tilt_rad=rng.uniform(0.6, 0.9),
        )

    @property
    def mass_kg(self) -> float:
        """Mass of the sound ring [kg]."""
        return float(np.pi * (self.outer_m**2 - self.inner_m**2) * self.height_m * self.density_kgm3)


@dataclass(frozen=True, eq=False)
class Modes:
    """Families of natural modes: pairs of one shape, turned by a quarter wave; without waves the second stays still.

    Attributes:
        plane: `Plane` of each family, shape (families,).
        waves: n, waves around the circumference, shape (families,).
        mass_kg: modal mass [kg], shape (families,).
        frequency_hz: natural frequencies [Hz], shape (families, 2).
        damping: damping ratios, shape (families, 2).
        antinode_rad: angle of an antinode of the first of the pair [rad], shape (families,).
    """

    plane: NDArray[np.int64]
    waves: NDArray[np.int64]
    mass_kg: Array
    frequency_hz: Array
    damping: Array
    antinode_rad: Array


@dataclass(frozen=True)
class Crack:
    """A crack as the modes feel it.

    Attributes:
        plane: the motion that opens it; the families of the other do not notice.
        angle_rad: where it is around the ring [rad].
        drop: relative frequency drop of a mode with its antinode at the crack.
        friction: relative growth of that mode's damping, from the faces rubbing.
    """

    plane: Plane
    angle_rad: float
    drop: float
    friction: float


def ring_modes(ring: Ring) -> Modes:
    """Give the natural modes of a perfect free ring: exactly equal pairs.

    Thin-ring theory (Love; Blevins, Formulas for Natural Frequency and Mode Shape, ring section): with radius R of
    the centre line, section A, bending w_in = n(n^2-1)/sqrt(n^2+1) sqrt(E I_r/(rho A R^4)) and
    w_out = n(n^2-1)/sqrt(n^2+E I_z/(G J)) sqrt(E I_z/(rho A R^4)), breathing w = sqrt(E/rho)/R.
    """
    radius, thick, high = (ring.outer_m + ring.inner_m) / 2, ring.outer_m - ring.inner_m, ring.height_m
    sound_ms = (ring.young_pa / ring.density_kgm3) ** 0.5
    short, long = min(thick, high), max(thick, high)
    torsion_m4 = long * short**3 / 3 * (1 - 0.63 * short / long)  # St Venant, rectangular section
    twist = 2 * (1 + POISSON) * thick * high**3 / 12 / torsion_m4
    families = [(Plane.IN, 0, sound_ms / radius, 1.0)]
    for n in range(2, 9):
        order, whole = n * (n**2 - 1), sound_ms / radius**2 / 12**0.5
        families.append((Plane.IN, n, order / (n**2 + 1) ** 0.5 * thick * whole, (1 + n**-2) / 2))
        families.append((Plane.OUT, n, order / (n**2 + twist) ** 0.5 * high * whole, 0.5))
    heard = sorted((f for f in families if f[2] < 2 * np.pi * HIGHEST_HZ), key=lambda f: f[2])
    plane, waves, omega, share = zip(*heard, strict=True)
    pair = np.ones((1, 2))
    return Modes(
        plane=np.array(plane, dtype=np.int64),
        waves=np.array(waves, dtype=np.int64),
        mass_kg=ring.mass_kg * np.array(share),
        frequency_hz=np.array(omega)[:, None] * pair / (2 * np.pi),
        damping=np.full((len(heard), 2), ring.damping),
        antinode_rad=np.zeros(len(heard)),
    )


def shifted(modes: Modes, mass_change: float, kelvin: float) -> Modes:
    """Move all modes together: w goes with sqrt(E/m), and iron loses 0.03 % of its E per kelvin."""
    factor = ((1 - 3e-4 * kelvin) / (1 + mass_change)) ** 0.5
    return replace(modes, frequency_hz=modes.frequency_hz * factor, mass_kg=modes.mass_kg * (1 + mass_change))


def split(modes: Modes, asymmetry: Array, antinode_rad: Array, crack: Crack | None = None) -> Modes:
    """Part the equal pairs, as every departure from a perfect ring does.

    First-order perturbation of a degenerate pair: a symmetric 2x2 problem per family. A crack lowers only what bends
    at its place; so the pair turns until one has its antinode there and drops, while the other has its node there
    and stays (the classical sign of a cracked ring, wheel or bell). Breathing strains the whole ring alike, where a
    bending wave has twice its mean energy at its antinodes; so it drops by half as much, wherever the crack is.

    Args:
        modes: the perfect ring's, pairs equal.
        asymmetry: relative split of each pair in the sound casting, shape (families,).
        antinode_rad: angle of an antinode of the higher one [rad], shape (families,).
        crack: none in a sound casting.

    Returns:
        The real ring's modes; the first of each pair is the higher one.
    """
    drop, friction, angle_rad, waving = np.zeros(len(modes.waves)), 0.0, 0.0, modes.waves > 0
    if crack is not None:
        drop = np.where(modes.plane == crack.plane, crack.drop, 0.0)
        friction, angle_rad = crack.friction, crack.angle_rad
    phase = modes.waves * (angle_rad - antinode_rad)
    straight = (asymmetry - drop * np.cos(2 * phase)) / 2 * waving
    mixed = -drop * np.sin(2 * phase) / 2 * waving
    half_gap, turn = np.hypot(straight, mixed), np.arctan2(mixed, straight) / 2
    change = np.stack([half_gap, -half_gap], axis=1) - drop[:, None] / 2
    bends_there = (1 + np.cos(2 * (phase - turn)) * waving) / 2
    rubbing = friction * (drop > 0)[:, None] * np.stack([bends_there, 1 - bends_there], axis=1)
    return replace(
        modes,
        frequency_hz=modes.frequency_hz * (1 + change),
        damping=modes.damping * (1 + rubbing),
        antinode_rad=antinode_rad + turn / np.maximum(modes.waves, 1),
    )


def motion(modes: Modes, angle_rad: float) -> Array:
    """Give how much each mode moves at an angle: radial, tangential, axial, shape (3, families, 2)."""
    phase = modes.waves * (angle_rad - modes.antinode_rad)
    wave = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    along = np.stack([-np.sin(phase), np.cos(phase)], axis=1) / np.maximum(modes.waves, 1)[:, None]
    flat = (modes.plane == Plane.IN)[:, None]
    return np.stack([wave * flat, along * flat, wave * ~flat])
