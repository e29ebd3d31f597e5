"""Whether it is too late to begin a command, whatever the clocks say. Pure.

The wall clock counts only while it is known to be right. Where it is not, a command may be as old as it may be since it
came; and one that ran out before the newest command of the same key was even asked for is old on any clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AHEAD_S: Final = 300.0
"""So far ahead of ours may be the clock of whoever asks, while ours is right [s]."""


@dataclass(frozen=True)
class Moment:
    """What is known of now.

    Attributes:
        utc: wall time [s since the epoch].
        synchronised: something keeps that right.
        age_s: how long ago the command came [s]; infinite where nobody can tell.
        newest_utc: when the newest command of the same key was asked, as `counted_utc` gives it [s since the epoch].
        begun_utc: when the ledger was begun that knows which ids were used [s since the epoch]; it counts only where
            it lies before a right clock, as it may come from a wrong one.
    """

    utc: float
    synchronised: bool
    age_s: float
    newest_utc: float = 0.0
    begun_utc: float = 0.0


def too_late(issued_utc: float, ttl_s: float, moment: Moment) -> str:
    """Say why a signed command must not be begun any more.

    Args:
        issued_utc: when it was asked, as the asker says [s since the epoch].
        ttl_s: how long after that it may be begun [s].
        moment: now.

    Returns:
        One sentence; "" where it may be begun.
    """
    if moment.age_s > ttl_s:
        return f"it came {moment.age_s:.1f} s ago and was to be begun within {ttl_s:g} s"
    if moment.synchronised:
        late_s = moment.utc - issued_utc - ttl_s
        if late_s > 0.0:
            return f"it ran out {late_s:.1f} s ago by the clock of this station"
        if issued_utc < moment.begun_utc <= moment.utc:
            return "it was asked before the ledger was begun, which could not know whether it was done"
        if issued_utc - moment.utc > AHEAD_S:
            return f"it was asked {issued_utc - moment.utc:.0f} s in the future by the clock of this station"
    elif issued_utc + ttl_s < moment.newest_utc:
        return "it had run out when a newer command of the same key was asked"
    return ""


def counted_utc(issued_utc: float, utc: float) -> float:
    """Say when a command that is obeyed counts as asked, for those that come after it.

    Args:
        issued_utc: when it was asked, as the asker says [s since the epoch].
        utc: wall time when it came, right or not [s since the epoch].

    Returns:
        That time [s since the epoch].
    """
    return min(issued_utc, utc)


def age_after_restart(accepted_utc: float, utc: float) -> float:
    """Give how long ago a command of the life before came [s]; infinite where the clock was set back since."""
    return utc - accepted_utc if utc >= accepted_utc else float("inf")
