"""What the wire tells of itself: news for people, and how it is."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class News:
    """Something that happened on the wire and that people may want to know.

    Attributes:
        severity: `info`, `warning` or `error`.
        kind: one machine-readable word.
        message: one sentence.
        data: numbers and names behind it.
        component: who says it.
    """

    severity: str
    kind: str
    message: str
    data: dict[str, object] = field(default_factory=dict)
    component: str = "wire"


@dataclass(frozen=True)
class WireStatus:
    """The wire, a second ago at most; counts are of all sessions since the station started.

    Attributes:
        state: how far the session has come, in lower case.
        error: why it is down; "" while it is up.
        hint: what a person can do about that.
        armed: the gate follows the station.
        sessions: sessions that were begun.
        samples: received.
        samples_dropped: by the microcontroller.
        samples_lost: on the wire.
        rate_hz: measured sample rate [Hz]; None before it is known.
        edges: received.
        edges_lost: numbers of edges that never came.
        glitches: pulses of the trigger input that were too short.
        corrupt: damaged packets, here and as the microcontroller has counted them meanwhile.
        retried: reliable packets that were sent again.
        asked_anew: movements that were asked for once more, because the gate was armed anew before their moment.
        drift_ppm: by how much the microcontroller's clock is fast [ppm].
        residual_us: how far its pings lie from the line, 99 % of them at most [us].
        uncertainty_us: half width of the interval that its times are known to [us]; None while they are not known.
        windows: cut.
        windows_unfinished: never became complete.
        windows_clipped: had a sample at full scale.
    """

    state: str = "closed"
    error: str = ""
    hint: str = ""
    armed: bool = False
    sessions: int = 0
    samples: int = 0
    samples_dropped: int = 0
    samples_lost: int = 0
    rate_hz: float | None = None
    edges: int = 0
    edges_lost: int = 0
    glitches: int = 0
    corrupt: int = 0
    retried: int = 0
    asked_anew: int = 0
    drift_ppm: float = 0.0
    residual_us: float = 0.0
    uncertainty_us: float | None = None
    windows: int = 0
    windows_unfinished: int = 0
    windows_clipped: int = 0
