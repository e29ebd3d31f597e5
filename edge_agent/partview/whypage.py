"""Why a part was answered so, as one HTML page: picture and heat map, what adds up to the answer, what looks alike.

Self-contained, like the proof sheet, and made of the same elements. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.inspection.explanation import Explanation
from edge_agent.inspection.featureshares import AXIS_NAMES, FeatureShares
from edge_agent.inspection.heatmap import LIMIT_LOGIT
from edge_agent.learning.raw import Raw
from edge_agent.markup import Html, attribute, bar, document, element, figure, table
from edge_agent.partview.heat import Heat
from edge_agent.partview.onlooker import Onlooker, local_time
from edge_agent.partview.why import Why
from edge_agent.partview.whytext import anomalies, said, strongest
from edge_agent.terminal.printing import SHAPES
from edge_agent.terminal.printout import thumbnail

LARGE_PX: Final = 800
"""Longer side of the picture on the page [px]."""

BANDS_LOGIT: Final = 10.0
"""The least that the full height of a band chart stands for, so that good parts do not look conspicuous."""

TOLD: Final = 8
"""Features of the vibration that are named."""

CHART_PX: Final = (660, 64)
"""Width and height of the chart of one axis [px]."""

LEFT_PX: Final = 20
"""Room for the name of the axis [px]."""

TICKS_HZ: Final = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)


def why_page(onlooker: Onlooker, why: Why, heat: Heat) -> str:
    """Give the page.

    Args:
        onlooker: has the pictures.
        why: what is shown.
        heat: the maps over its picture.

    Returns:
        The HTML document, to be written as UTF-8.
    """
    explanation = why.explanation
    body = [*_heading(onlooker, why), _answer(onlooker, why)]
    body += _where(onlooker, why, heat)
    if explanation is not None:
        body += [*_sum(explanation), *_vibration(explanation)]
        body += _nearest(onlooker, why, explanation)
    body += _basis(onlooker, why)
    return document(f"Why part {why.part.id} was {why.part.verdict.outcome}", body)


def _heading(onlooker: Onlooker, why: Why) -> Iterator[Html]:
    part, recipe = why.part, onlooker.recipe
    bundle = f"{recipe.bundle.name} {recipe.bundle.manifest.version}"
    yield element("p", f"{onlooker.config.station.name} · {recipe.config.name} · {bundle}", cls="small")
    yield element("h1", f"Why part {part.id} was {part.verdict.outcome}")
    yield element("p", f"{local_time(part.decided_utc)}, {part.trigger.series} {part.trigger.number}.")


def _answer(onlooker: Onlooker, why: Why) -> Html:
    part, verdict = why.part, why.part.verdict
    lines = [element("strong", f"{SHAPES[verdict.outcome]} {said(verdict)}")]
    if verdict.p_normal is not None:
        lines.append(
            element("p", f"Of the good parts held out then, {verdict.p_normal:.1%} lay at least as far from good.")
        )
    if unlike := ", ".join(anomalies(why)):
        lines.append(element("p", f"In its most unusual details: {unlike} spreads unlike good parts."))
    if why.explanation is not None:
        lines.append(element("p", f"{why.explanation.title}. {_spoken(why.explanation)}"))
    if part.operator_label is not None:
        lines.append(element("p", f"A person said: {onlooker.called(part.operator_label)}."))
    if why.now is not None and why.changed:
        lines.append(element("p", f"Knowledge has changed since. By what is known now: {said(why.now)}."))
    return element("div", *lines, cls="decision")


def _spoken(explanation: Explanation) -> str:
    shares = ", ".join(f"{name} {share:+.1f}" for name, share in explanation.modalities.items())
    return f"Of this, good parts have {explanation.constant:+.1f}; {shares}."


def _where(onlooker: Onlooker, why: Why, heat: Heat) -> Iterator[Html]:
    if why.image is None:
        return
    picture = thumbnail(onlooker.picture(why.part), LARGE_PX)
    figures = [figure(picture, "The picture that was judged.", large=True)]
    explanation = why.explanation
    if heat.shares is not None and explanation is not None and explanation.grid is not None:
        caption = (
            f"Light: speaks for {_about(explanation)}; dark: against. The scale is the same for every part. "
            f"Strongest regions (row, column) of {_size(explanation.grid)}: {'; '.join(strongest(explanation.grid))}."
        )
        figures.append(figure(heat.shares, caption, large=True))
    if heat.anomaly is not None and why.unlike is not None:
        caption = (
            "Light: unlike good parts at this place. The scale is the same for every part. Most unusual regions "
            f"(row, column) of {_size(why.unlike)}: {'; '.join(strongest(np.maximum(why.unlike, 0.0)))}."
        )
        figures.append(figure(heat.anomaly, caption, large=True))
    yield element("h2", "Where")
    yield element("div", *figures, cls="pictures")


def _size(grid: NDArray[np.float64]) -> str:
    return f"{grid.shape[0]} x {grid.shape[1]}"


def _about(explanation: Explanation) -> str:
    return f"anything but {explanation.against}" if explanation.label is None else explanation.label


def _sum(explanation: Explanation) -> Iterator[Html]:
    yield element("h2", "What adds up to it")
    rows = [("what good parts have", explanation.constant)]
    rows += [(name, share) for name, share in explanation.modalities.items()]
    scale = max(LIMIT_LOGIT, *(abs(value) for _, value in rows), abs(explanation.margin))
    body = [(name, _number(value), element("td", bar(value, scale))) for name, value in rows]
    body.append((element("th", "together"), _number(explanation.margin), element("td", bar(explanation.margin, scale))))
    head = ("logit", element("th", "share", cls="n"), _scale(scale))
    yield table(head, body, cls="narrow")
    off = abs(explanation.residual)
    yield element(
        "p",
        f"The shares are exact: they miss the sum by {off:.0e}. The embedding that was judged, which is rounded, gives "
        f"{explanation.judged:+.1f}. How sure the answer is does not follow from their size, but from how many of the "
        "held-out good parts look as odd.",
        cls="small",
    )


def _vibration(explanation: Explanation) -> Iterator[Html]:
    if not explanation.vibration:
        return
    yield element("h2", "Vibration")
    values = explanation.vibration
    scale = max(LIMIT_LOGIT, *map(abs, values.values()))
    if explanation.features is None:
        rows = [(name, _number(value), element("td", bar(value, scale))) for name, value in values.items()]
        yield table(("begins at", element("th", "share", cls="n"), _scale(scale)), rows, cls="narrow")
        return
    features = explanation.features
    rows = [(f"axis {name}", _number(value), element("td", bar(value, scale))) for name, value in values.items()]
    named = sorted(features.named(), key=lambda item: -abs(item[1]))[:TOLD]
    full = max(BANDS_LOGIT, float(np.abs(features.bands).max()))
    most = max(BANDS_LOGIT, *(abs(value) for _, value in named))
    top = [(name, _number(value), element("td", bar(value, most))) for name, value in named]
    head = element("th", "share", cls="n")
    yield element(
        "div",
        table(("axis", head, _scale(scale)), rows, cls="narrow"),
        table(("strongest features", head, _scale(most)), top, cls="narrow"),
        cls="pair",
    )
    yield element(
        "p",
        f"Loudness of each band, by axis: up speaks for {_about(explanation)}, down against; full height is "
        f"{full:.0f} logit.",
        cls="small",
    )
    yield _bands(features, full)


def _bands(features: FeatureShares, full: float) -> Html:
    """Draw the share of each band's loudness over its frequency, one strip for each axis."""
    width, height = CHART_PX
    low, high = np.log(features.band_hz[[0, -1]])
    x = LEFT_PX + (np.log(features.band_hz) - low) / (high - low) * (width - LEFT_PX - 8)
    strips = [_strip(name, x, features.bands[i] / full, i * height) for i, name in enumerate(AXIS_NAMES)]
    bottom = len(AXIS_NAMES) * height
    ticks = [hz for hz in TICKS_HZ if low <= np.log(hz) <= high]
    at = LEFT_PX + (np.log(ticks) - low) / (high - low) * (width - LEFT_PX - 8)
    grid = "".join(f"M{place:.1f} 0V{bottom}" for place in at)
    marks = [
        _text(f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz} Hz", place, bottom + 12, "middle")
        for hz, place in zip(ticks, at, strict=True)
    ]
    return Html(
        f'<svg width="100%" viewBox="0 0 {width} {bottom + 16}" stroke="#000" fill="none" aria-hidden="true">'
        f'<path d="{grid}" stroke="#bbb" stroke-width="0.5"/>{"".join(strips)}{"".join(marks)}</svg>'
    )


def _strip(name: str, x: NDArray[np.float64], heights: NDArray[np.float64], top: int) -> str:
    half = CHART_PX[1] / 2 - 4
    zero = top + CHART_PX[1] / 2
    bars = "".join(
        f"M{place:.1f} {zero:.1f}v{-half * min(max(value, -1.0), 1.0):.1f}"
        for place, value in zip(x.tolist(), heights.tolist(), strict=True)
    )
    return (
        f'<path d="M{LEFT_PX} {zero}H{CHART_PX[0]}" stroke-width="0.6"/><path d="{bars}" stroke-width="5"/>'
        f"{_text(name, 4, zero + 4, 'start')}"
    )


def _text(text: str, x: float, y: float, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" fill="#000" stroke="none" text-anchor="{anchor}">'
        f"{attribute(text)}</text>"
    )


def _nearest(onlooker: Onlooker, why: Why, explanation: Explanation) -> Iterator[Html]:
    if not why.nearest:
        return
    yield element("h2", "The kept examples that look most alike")
    figures = []
    for exemplar, neighbour in zip(why.nearest, explanation.nearest, strict=True):
        example = onlooker.example(exemplar)
        png = None if example is None or example.image is None else Raw.of(example).picture
        caption = (
            element("strong", onlooker.called(exemplar.label)),
            f" {exemplar.source}",
            Html("<br>"),
            f"squared distance {neighbour.distance:.0f}",
        )
        figures.append(figure(thumbnail(png), *caption))
    yield element("div", *figures, cls="pictures")


def _basis(onlooker: Onlooker, why: Why) -> Iterator[Html]:
    yield element("h2", "What this rests on")
    if why.notes:
        yield element("ul", *(element("li", f"{note}.") for note in why.notes), cls="small")
    digests = [("judged by knowledge", why.part.knowledge)] + [("explained by knowledge", why.known)] * why.changed
    digests.append(("bundle", onlooker.recipe.bundle.digest))
    for name, digest in digests:
        yield element("p", f"{name}: ", element("span", digest or "nothing", cls="mono"), cls="small")


def _scale(logit: float) -> str:
    return f"-{logit:.0f} to +{logit:.0f}"


def _number(value: float) -> Html:
    return element("td", f"{value:+.1f}", cls="n")
