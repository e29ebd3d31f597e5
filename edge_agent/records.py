"""What travels through the station: frozen records with units, shapes and clocks.

A part gains fields from trigger to action and never goes back. Times end in `_s` and are host monotonic
seconds; only `_utc` is wall time (seconds since the epoch), attached once when a part is told to others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Outcome(StrEnum):
    """The answer about a part."""

    OK = "OK"
    NG = "NG"
    UNSURE = "UNSURE"
    MISSED = "MISSED"  #: a trigger that was never judged; declared, so that the counts add up


class Action(StrEnum):
    """What the reject output does with a part."""

    PASS = "pass"
    REJECT = "reject"


class Modality(StrEnum):
    """What a part is perceived by."""

    IMAGE = "image"
    VIBRATION = "vibration"


@dataclass(frozen=True)
class Trigger:
    """The edge that announces a part.

    Attributes:
        series: names one uninterrupted count of the trigger source.
        number: the source's own count, starting at 1.
        time_s: host monotonic time of the edge [s].
        truth: class slug where the part's truth is known (simulated or labelled recordings).
        recipe: name of the recipe that it is to be judged by; "": the one in use.
        uncertainty_s: half width of the interval that `time_s` is known to [s].
    """

    series: str
    number: int
    time_s: float
    truth: str | None = None
    recipe: str = ""
    uncertainty_s: float = 0.0


@dataclass(frozen=True)
class Shutter:
    """How the frames of a camera come about.

    Attributes:
        free_running: it takes pictures by itself, all the time; otherwise each trigger fires it once.
        interval_s: least time between two of its frames [s]; 0 where nobody knows.
        delay_s: from a trigger to the middle of the exposure that shows its part [s].
    """

    free_running: bool = False
    interval_s: float = 0.0
    delay_s: float = 0.0


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture.

    Attributes:
        image: BGR, shape (height, width, 3), uint8.
        time_s: host monotonic time of mid-exposure [s].
        uncertainty_s: half width of the interval that `time_s` is known to [s].
        faults: what makes the picture unfit to judge by, one word each (`sources.imagehealth`).
        camera: name of the camera; "" where there is only one.
        shutter: how that camera's frames come about.
    """

    image: NDArray[np.uint8]
    time_s: float
    uncertainty_s: float = 0.0
    faults: tuple[str, ...] = ()
    camera: str = ""
    shutter: Shutter = Shutter()

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ValueError(f"image must be (h, w, 3) uint8, got {self.image.shape} {self.image.dtype}")


@dataclass(frozen=True, eq=False)
class VibrationWindow:
    """Evenly sampled acceleration from one accelerometer.

    Attributes:
        samples: acceleration [m/s^2], shape (n, 3) for axes x, y, z, float32.
        rate_hz: sample rate, measured against the host clock [Hz].
        start_s: host monotonic time of `samples[0]` [s].
        uncertainty_s: half width of the interval that `start_s` is known to [s].
        gap: samples are missing inside the window.
        faults: what makes it unfit to judge by, one word each.
    """

    samples: NDArray[np.float32]
    rate_hz: float
    start_s: float
    uncertainty_s: float = 0.0
    gap: bool = False
    faults: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.shape[1] != 3:
            raise ValueError(f"samples must be (n, 3), got {self.samples.shape}")

    @property
    def end_s(self) -> float:
        """Host monotonic time just after the last sample [s]."""
        return self.start_s + len(self.samples) / self.rate_hz


@dataclass(frozen=True, eq=False)
class Pair:
    """A part's frame and window, matched on one clock.

    Attributes:
        trigger: the part they belong to.
        frame: its picture, or None when none came in time.
        window: its vibration, or None when none came in time.
        paired_s: host monotonic time when the pair was complete [s].
        deadline_s: host monotonic time by which the part must be answered [s].
        degraded: why something is missing, one word each (`no_frame`, `gap`, …).
    """

    trigger: Trigger
    frame: Frame | None
    window: VibrationWindow | None
    paired_s: float
    deadline_s: float
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Details:
    """What a part looked and sounded like in detail, before it became an embedding. Nobody stores it with the part.

    Attributes:
        tokens: of its picture, shape (regions, width), or of its variants, (K, regions, width); None without a
            picture, or where the bundle gives none. Only their directions count.
        features: of its vibration window, shape (features,); None without a window.
    """

    tokens: NDArray[np.float32] | NDArray[np.int8] | None = None
    features: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Anomaly:
    """How unlike good parts a part is in its most unusual details [spreads of good parts].

    Attributes:
        normality: which knowledge of good parts says so, the first 16 digits of its digest.
        picture: of the picture; None without one, or where nothing is known of good ones.
        window: of the vibration window; None without one, or where nothing is known of good ones.
    """

    normality: str
    picture: float | None = None
    window: float | None = None


@dataclass(frozen=True, eq=False)
class Embedding:
    """What a head sees of one part.

    Attributes:
        q: trunc(z * 2^14), int16, shape (d,), d = 128; dimensions of an absent modality are 0.
        present: the modalities that went in.
        degraded: what was wrong with the inputs, one word each (`dark`, `frozen`, …).
        details: what it is made from; None once nobody needs it.
        anomaly: how unlike good parts the part is by those; None where nobody has looked, or could.
        plain: q without the guide that it was looked at with; None where there was none, or nobody needs it.
    """

    q: NDArray[np.int16]
    present: frozenset[Modality]
    degraded: tuple[str, ...] = ()
    details: Details | None = None
    anomaly: Anomaly | None = None
    plain: NDArray[np.int16] | None = None


@dataclass(frozen=True)
class Verdict:
    """The station's answer about one part.

    Attributes:
        outcome: OK, NG, UNSURE (or MISSED).
        label: slug of the class that won; None when no class did.
        score: probability that the part is `label`; without a label, that it is defective, 0 to 1.
        p_normal: share of calibrated good parts that lie farther from good than this part, 0 to 1.
        distance: squared Mahalanobis distance to the nearest class.
        cause: one word for why, where the outcome is not plain (`late`, `not_normal`, `ambiguous`, …).
        degraded: what was missing or damaged in the inputs.
    """

    outcome: Outcome
    label: str | None = None
    score: float = 0.0
    p_normal: float | None = None
    distance: float | None = None
    cause: str = ""
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Times:
    """The latency ledger of one part: host monotonic seconds, None until it happened."""

    trigger_s: float
    frame_s: float | None = None
    paired_s: float | None = None
    inferred_s: float | None = None
    decided_s: float | None = None
    committed_s: float | None = None
    acted_s: float | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """One judged part on its way into the ledger and out of it.

    Attributes:
        trigger: what announced it.
        verdict: the answer.
        times: the latency ledger.
        recipe: name of the recipe that judged it.
        knowledge: digest of the knowledge that judged it, "" where none did.
        embedding: what the head saw; None when nothing could be encoded.
        picture: digest of the stored picture, "" where none is kept.
        action: what the output was told; None until it was.
        committed_late: the output was told before the ledger had the part.
        id: the ledger's number of the part; 0 until it is committed.
        decided_utc: wall time of the verdict [s since the epoch].
        operator_label: what a person said the part is; None when nobody did.
        gate: what the reject gate did with it, one word; "" where it was not asked to do anything.
        gate_off_us: how much later than asked for the gate moved [us]; None unless it did.
    """

    trigger: Trigger
    verdict: Verdict
    times: Times
    recipe: str
    knowledge: str = ""
    embedding: Embedding | None = None
    picture: str = ""
    action: Action | None = None
    committed_late: bool = False
    id: int = 0
    decided_utc: float = 0.0
    operator_label: str | None = None
    gate: str = ""
    gate_off_us: float | None = None


@dataclass(frozen=True)
class BeltTime:
    """A distance on a belt of constant speed, as the time that a part takes for it.

    Who asks for a movement hands it on and never looks inside.

    Attributes:
        seconds: on a clock that runs like the belt [s].
    """

    seconds: float


@dataclass(frozen=True)
class Gated:
    """What the reject gate did with a part that it was told to reject.

    Attributes:
        series: the count of its trigger; "" for a movement without a part.
        number: the part's number in it; 0 for a movement without a part.
        gate: one word: `done`, or why the gate did not move (`late`, `safe`, `bypassed`, …).
        off_us: how much later than asked for it moved [us]; None unless it did.
    """

    series: str
    number: int
    gate: str
    off_us: float | None = None


@dataclass(frozen=True)
class Event:
    """Something a person may want to know: a fault, a drop, a change of knowledge.

    Attributes:
        time_utc: wall time [s since the epoch].
        severity: `info`, `warning` or `error`.
        component: who says it.
        kind: one machine-readable word: `restart_misses`, `component_failed`, ….
        message: one sentence for people.
        data: numbers and names behind the sentence.
    """

    time_utc: float
    severity: str
    component: str
    kind: str
    message: str
    data: dict[str, object] = field(default_factory=dict)
