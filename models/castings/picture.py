"""The camera's view of a turned ring casting on the belt: geometry, machining marks, light, sensor noise.

Pure arithmetic with numpy and cv2. It draws sound castings; what can be wrong with a surface is in `surface`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Plane32 = NDArray[np.float32]

SIDE_PX: Final = 480
"""Width and height of the picture [px]."""
STEPS_PX: Final = 16
"""Samples of a radial profile per pixel: so fine that the nearest one will do."""
REACH_PX: Final = 220
"""Radius up to which profiles and streaks are made: beyond the edge of any casting [px]."""
SHIFT_PX: Final = 7
"""How far from the middle a casting may lie, whole pixels either way [px]."""
LEAST_SCALE: Final = 0.985
MOST_SCALE: Final = 1.015
"""How much smaller and larger than nominal a casting may appear: the belt's height varies."""
ANGLES: Final = 1440
"""Rotations that a casting can have, and cells around it."""
FULL_WELL: Final = 9_000.0
"""Electrons at grey level 255 of a small industrial sensor; sets the shot noise."""
READ_NOISE: Final = 1.1
"""Read noise and rounding of the camera [grey levels rms]."""
BANDS: Final = tuple(slice(top, top + 40) for top in range(0, SIDE_PX, 40))
"""Rows that are exposed together, so that the intermediate arrays stay in the processor's cache."""
DUST: Final = 12
"""Specks of dust in a picture, a third of them on the casting: what a faint defect has to be told from."""
SPECK: Final = np.outer([0.5, 1.0, 0.5], [0.5, 1.0, 0.5]).astype(np.float32)
"""How a speck of dust darkens or lightens the pixels around it."""
POOL_PX: Final = 640
"""Side of the stored noise, which every picture reads at three random places [px]."""


@dataclass(frozen=True)
class Look:
    """What one design looks like under its lamp.

    Attributes:
        outer_px: outer radius [px].
        inner_px: radius of the bore [px].
        groove_px: radius of the register groove [px].
        chamfer_px: width of the chamfers [px].
        feed_px: pitch of the turning marks [px].
        finish: relative depth of the turning marks.
        lamp_rad: direction the light comes from [rad].
        face: brightness of the turned face [grey levels].
        glare: strength of the highlight across the turning marks.
        falloff: relative loss of light from the lamp's side to the other.
        belt: brightness of the belt [grey levels].
        tint: blue, green, red response to the lamp.
    """

    outer_px: float
    inner_px: float
    groove_px: float
    chamfer_px: float
    feed_px: float
    finish: float
    lamp_rad: float
    face: float
    glare: float
    falloff: float
    belt: float
    tint: tuple[float, float, float]

    @classmethod
    def drawn(cls, rng: np.random.Generator, bore: float) -> Look:
        """Draw a look for a ring whose bore is `bore` of its outer radius."""
        outer_px = rng.uniform(182.0, 200.0)
        inner_px = outer_px * bore
        warm = rng.uniform(-0.04, 0.04)
        return cls(
            outer_px=outer_px,
            inner_px=inner_px,
            groove_px=inner_px + (outer_px - inner_px) * rng.uniform(0.3, 0.7),
            chamfer_px=rng.uniform(4.0, 7.0),
            feed_px=rng.uniform(3.2, 5.5),
            finish=rng.uniform(0.05, 0.09),
            lamp_rad=rng.uniform(0.0, 2 * np.pi),
            face=rng.uniform(92.0, 108.0),
            glare=rng.uniform(0.4, 0.65),
            falloff=rng.uniform(0.15, 0.35),
            belt=rng.uniform(32.0, 55.0),
            tint=(1.0 - warm, 1.0, 1.0 + warm),
        )


@dataclass(frozen=True)
class Pose:
    """Where a casting lies.

    Attributes:
        x_px: centre, to the right [px].
        y_px: centre, downwards [px].
        scale: size relative to the nominal, from the belt's height.
    """

    x_px: float
    y_px: float
    scale: float


@dataclass(eq=False)
class Scene:
    """A lit casting before the exposure; surface defects are drawn into it.

    Attributes:
        light: reflected light [grey levels], shape (SIDE_PX, SIDE_PX), float32.
        pose: where the casting lies.
        look: what it looks like.
        film: share of light a stain takes away in blue, green, red, shape (SIDE_PX, SIDE_PX, 3); None without one.
    """

    light: Plane32
    pose: Pose
    look: Look
    film: Plane32 | None = None

    def place(self, radius_px: float, angle_rad: float) -> tuple[float, float]:
        """Give the pixel (x, y) of a nominal radius and an angle in the picture."""
        reach = radius_px * self.pose.scale
        return self.pose.x_px + reach * np.cos(angle_rad), self.pose.y_px + reach * np.sin(angle_rad)


class Camera:
    """The camera over the belt for one design; read-only after construction, safe from any thread.

    Args:
        look: the design.
        rng: draws the belt, the turning streaks and the stored noise.
    """

    def __init__(self, look: Look, rng: np.random.Generator) -> None:
        self._look = look
        self._radii = (np.arange(REACH_PX * STEPS_PX) / STEPS_PX).astype(np.float32)
        self._profile = _profile(look, self._radii)
        self._noise = rng.standard_normal((POOL_PX, POOL_PX), dtype=np.float32)
        self._belt = _belt(look, rng)
        self._streaks = _streaks(rng)
        away = np.arange(SIDE_PX + 2 * SHIFT_PX) - (SIDE_PX / 2 + SHIFT_PX)
        radius = np.hypot.outer(away, away)
        lamp_side = np.add.outer(away * np.sin(look.lamp_rad), away * np.cos(look.lamp_rad))
        to_lamp = lamp_side / np.maximum(radius, 1)
        lamp = 1 + look.falloff * lamp_side / SIDE_PX - 0.25 * (radius / SIDE_PX) ** 2
        # The lamp's field is kept with the casting: over the few pixels that it shifts the field hardly changes.
        self._belt_light = (lamp * _shade(look, radius, to_lamp)).astype(np.float32)
        middle = slice(SHIFT_PX, SHIFT_PX + SIDE_PX)

        metal = (radius > look.inner_px * LEAST_SCALE - 1) & (radius < look.outer_px * MOST_SCALE + 1)
        self._metal = np.flatnonzero(metal[middle, middle])
        radius, to_lamp, lamp = radius[metal], to_lamp[metal], lamp[metal]
        rows, columns = np.nonzero(metal)
        angle_cell = np.arctan2(away[rows], away[columns]) % (2 * np.pi) * (ANGLES / (2 * np.pi))
        self._cell = angle_cell.astype(np.intp) * REACH_PX + radius.astype(np.intp)
        self._radius, self._to_lamp = radius.astype(np.float32), to_lamp.astype(np.float32)
        self._glare = (1 + look.glare * (to_lamp**6 + 0.45 * to_lamp**2)).astype(np.float32)
        self._metal_light = lamp.astype(np.float32)

    def scene(self, rng: np.random.Generator) -> Scene:
        """Lay a sound casting under the lamp.

        The highlight of a turned face lies where the light crosses the marks at right angles: two opposite sectors
        (anisotropic reflection, Ward 1992).

        Args:
            rng: draws the pose, the turning marks of this casting, the belt below it, the lamp's drift and dust.

        Returns:
            The lit casting.
        """
        right, down = (int(n) for n in rng.integers(-SHIFT_PX, SHIFT_PX, 2, endpoint=True))
        turn, scale = int(rng.integers(ANGLES)), rng.uniform(LEAST_SCALE, MOST_SCALE)
        top, left = rng.integers(0, self._belt.shape[0] - SIDE_PX, 2)
        belt_light = self._belt_light[SHIFT_PX - down :, SHIFT_PX - right :][:SIDE_PX, :SIDE_PX]
        light = belt_light * self._belt[top : top + SIDE_PX, left : left + SIDE_PX]
        flat, at = light.reshape(-1), self._metal + (down * SIDE_PX + right)
        step = (self._radius * np.float32(STEPS_PX / scale)).astype(np.intp)
        face, edge, bare = (ring.take(step, mode="clip") for ring in self._turned(rng))
        streaks = self._streaks.take(self._cell + turn * REACH_PX, mode="clip")
        metal = face * (self._glare + streaks) + edge * self._to_lamp
        flat[at] = metal * self._metal_light + bare * flat[at]
        light *= np.float32(rng.uniform(0.95, 1.05))
        for (row, column), shine in zip(
            rng.integers(1, SIDE_PX - 2, (DUST, 2)), rng.uniform(-0.25, 0.15, DUST), strict=True
        ):
            light[row - 1 : row + 2, column - 1 : column + 2] *= 1 + np.float32(shine) * SPECK
        return Scene(light, Pose(SIDE_PX / 2 + right, SIDE_PX / 2 + down, scale), self._look)

    def exposed(self, scene: Scene, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Give the picture: the camera's colours, its shot and read noise, and 8 bits.

        Args:
            scene: the lit casting.
            rng: draws the noise.

        Returns:
            BGR, shape (SIDE_PX, SIDE_PX, 3), uint8.
        """
        planes = np.empty((3, SIDE_PX, SIDE_PX), np.uint8)
        corners = rng.integers(0, POOL_PX - SIDE_PX, (3, 2))
        for rows in BANDS:
            light = scene.light[rows]
            sigma = np.sqrt(light * np.float32(255 / FULL_WELL) + np.float32(READ_NOISE**2))
            for channel, (top, left) in enumerate(corners):
                noise = sigma * self._noise[top + rows.start : top + rows.stop, left : left + SIDE_PX]
                seen = light if scene.film is None else light * (1 - scene.film[rows, :, channel])
                tint = self._look.tint[channel]
                cv2.addWeighted(seen, tint, noise, 1.0, 0.0, dst=planes[channel, rows], dtype=cv2.CV_8U)
        return cv2.merge(tuple(planes)).astype(np.uint8, copy=False)

    def _turned(self, rng: np.random.Generator) -> Plane32:
        """Cut this casting's own turning marks into the design's radial profile, shape (3, radii)."""
        look = self._look
        feed_px = look.feed_px * rng.uniform(0.97, 1.03)
        fine, coarse = np.arange(0, REACH_PX, 0.8), np.arange(0, REACH_PX, 12.0)
        chatter = np.interp(self._radii, fine, rng.standard_normal(len(fine)))
        drift = np.interp(self._radii, coarse, rng.uniform(0.4, 1.0, len(coarse)))
        marks = drift * np.sin(2 * np.pi * (self._radii / feed_px + rng.random())) + 0.6 * chatter
        profile = self._profile.copy()
        profile[0] *= (1 + look.finish * marks).astype(np.float32)
        return profile


def _profile(look: Look, radii: Plane32) -> Plane32:
    """Give the radial profile of a design, shape (3, radii).

    The three: the metal in even light [grey levels]; what the lamp's side adds on the chamfers [grey levels, per cosine
    of the angle to the lamp]; the share of belt that is seen.
    """

    def step(at: float) -> Plane32:
        share: Plane32 = np.clip(radii - np.float32(at) + np.float32(0.5), 0, 1)
        return share

    def line(at: float, width: float) -> NDArray[np.float64]:
        away = (radii - at) / width
        return np.exp(-away * away)

    inner, outer, chamfer = look.inner_px, look.outer_px, look.chamfer_px
    cover = step(inner) - step(outer)
    flat = step(inner + chamfer) - step(outer - chamfer)
    groove = line(look.groove_px, 1.6) - 0.35 * line(look.groove_px + 2.6, 1.0)
    edge = cover - flat
    face = look.face * (flat * (1 - 0.55 * groove) + 0.62 * edge)
    slope = look.face * 0.5 * edge * np.where(radii > (inner + outer) / 2, 1.0, -1.0)
    profile: Plane32 = np.stack([face, slope, 1 - cover]).astype(np.float32)
    return profile


def _shade(look: Look, radius: NDArray[np.float64], to_lamp: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the share of light that reaches the belt: less beyond the casting, and in the bore on the lamp's side."""
    outside = radius > (look.inner_px + look.outer_px) / 2
    gap = np.maximum(np.where(outside, radius - look.outer_px, look.inner_px - radius), 0)
    depth = np.where(outside, 0.36, 0.40) * np.exp(-gap / np.where(outside, 9.0, 14.0))
    share: NDArray[np.float64] = 1 - depth * (1 - np.where(outside, to_lamp, -to_lamp))
    return share


def _belt(look: Look, rng: np.random.Generator) -> Plane32:
    """Give a piece of belt larger than the picture: rubber with a fine weave, worn in patches [grey levels]."""
    side = SIDE_PX + 160
    grain = cv2.GaussianBlur(rng.standard_normal((side, side), dtype=np.float32), (0, 0), 1.0)
    worn = cv2.resize(rng.standard_normal((9, 9), dtype=np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    at = np.arange(side, dtype=np.float32)
    weave = np.add.outer(np.sin(at * np.float32(2 * np.pi / 7.0)), np.sin(at * np.float32(2 * np.pi / 7.0)))
    belt: Plane32 = (look.belt * (1 + 0.16 * grain + 0.07 * worn + 0.03 * weave)).astype(np.float32)
    return belt


def _streaks(rng: np.random.Generator) -> Plane32:
    """Give faint streaks along the circumference, where the tool wore and tore, with mean 0.

    Two turns of cells, shape (2 * ANGLES * REACH_PX,), radius fastest: adding to the angle turns the casting.
    """
    noise = rng.standard_normal((ANGLES, REACH_PX), dtype=np.float32)
    turns = np.concatenate([noise, noise, noise])
    streaks = 0.02 * noise / 3
    for size, sigma_along in ((0.035, 40.0), (0.025, 6.0)):
        blurred = cv2.GaussianBlur(turns, (0, 0), 0.8, sigmaY=sigma_along)[ANGLES : 2 * ANGLES]
        streaks += size * blurred / blurred.std()
    once: Plane32 = streaks.astype(np.float32).reshape(-1)
    return np.concatenate([once, once])
