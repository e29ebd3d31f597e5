"""The simulated line: ring castings seen by a camera and heard in a tap test, seeded and pure.

`line` joins `picture` (the sound casting under its lamp), `surface` (what a camera can see wrong), `ring` (the natural
modes and what a crack does to them) and `tap` (the recorded strike). It must not know of the station that uses it.
"""

from models.castings.line import CLASSES, NORMAL, Casting, CastingLine

__all__ = ["CLASSES", "NORMAL", "Casting", "CastingLine"]
