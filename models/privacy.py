"""What releases of knowledge with noise promise, and what the noise costs: the two are only ever said together.

`release` makes the noise and derives what one release gives away; here releases are added up by dp-accounting, which
is the extra `privacy` and is loaded by nothing else. Pure: the caller keeps the list of what was released.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from models.knowledge import Knowledge
from models.release import MAX_SIGMA, MIN_SIGMA, SENSITIVITY, Variances, noised
from models.sums import Key

MAX_RELEASES: Final = 2**20


@dataclass(frozen=True)
class Report:
    """What releases promise and what the noise costs, for people.

    Attributes:
        epsilon: of all the releases together.
        delta: probability that epsilon may fail with.
        releases: how often the same samples are released, each time with new noise.
        sigma: noise multiplier: standard deviation of the noise in units of `sensitivity`.
        sensitivity: most that one sample changes in a release, derived in `release` [samples].
        exact: accuracy without noise.
        noised: accuracy of a release, once for each time that it was drawn.
    """

    epsilon: float
    delta: float
    releases: int
    sigma: float
    sensitivity: float
    exact: float
    noised: tuple[float, ...]


def epsilon(sigmas: Iterable[float], delta: float) -> float:
    """Give what releases of the same samples promise together.

    Args:
        sigmas: noise multiplier of each release.
        delta: probability that the promise may fail with, above 0 and below 1; well below one over all samples.

    Returns:
        Epsilon, by Renyi divergence: some percent above the smallest that is true.

    Raises:
        ValueError: a sigma or delta is none.
        ModuleNotFoundError: the extra `privacy` is not installed.
    """
    accounting = _accounting()
    accountant = accounting.rdp.RdpAccountant()
    for sigma, times in Counter(sigmas).items():
        Variances.of(1, sigma)
        accountant.compose(accounting.GaussianDpEvent(sigma), times)
    return float(accountant.get_epsilon(_probability(delta)))


def sigma_for(wanted: float, delta: float, releases: int) -> float:
    """Give the noise multiplier that a promise takes.

    Args:
        wanted: epsilon of all the releases together.
        delta: probability that the promise may fail with.
        releases: how often the same samples are released.

    Returns:
        Sigma, just large enough.

    Raises:
        ValueError: one of them is none, or no sigma up to `MAX_SIGMA` is enough.
        ModuleNotFoundError: the extra `privacy` is not installed.
    """
    accounting = _accounting()
    low, high = (epsilon([sigma] * _checked(releases), delta) for sigma in (MAX_SIGMA, MIN_SIGMA))
    if not low < wanted < high:
        raise ValueError(f"{releases} releases can promise epsilon {low:.2g} to {high:.2g}, not {wanted}")
    sigma = accounting.calibrate_dp_mechanism(
        accounting.rdp.RdpAccountant,
        lambda s: accounting.SelfComposedDpEvent(accounting.GaussianDpEvent(s), releases),
        wanted,
        delta,
        bracket_interval=accounting.ExplicitBracketInterval(MIN_SIGMA, MAX_SIGMA),
    )
    return float(sigma)


def report(
    stations: Sequence[Knowledge],
    vectors: Mapping[Key, int],
    sigma: float,
    releases: int,
    delta: float,
    accuracy: Callable[[Knowledge], float],
    sources: Sequence[Random],
) -> Report:
    """Measure what noise costs: every station releases, the releases are added up and judged.

    Args:
        stations: what each knows.
        vectors: as in `noised`.
        sigma: noise multiplier of every release.
        releases: how often each station releases in all; the last one is judged.
        delta: probability that the promise may fail with.
        accuracy: what knowledge is worth, 0 to 1; it may be given knowledge of nothing.
        sources: of randomness, one for each time that the noise is drawn.

    Returns:
        The report.

    Raises:
        ValueError: an argument is none.
        ModuleNotFoundError: the extra `privacy` is not installed.
    """
    if not stations or not sources:
        raise ValueError("want at least one station and one source")
    spent = epsilon([sigma] * _checked(releases), delta)
    drawn = []
    for source in sources:
        first, *others = [noised(station, vectors, sigma, source) for station in stations]
        drawn.append(accuracy(first.merge(*others)))
    exact = accuracy(stations[0].merge(*stations[1:]))
    return Report(spent, delta, releases, sigma, SENSITIVITY, exact, tuple(drawn))


def table(reports: Iterable[Report]) -> str:
    """Give reports as a table in Markdown."""
    lines = ["| sigma | releases | epsilon | delta | accuracy exact | noised, mean (lowest to highest) |"]
    lines.append("|---|---|---|---|---|---|")
    for r in reports:
        mean = sum(r.noised) / len(r.noised)
        cost = f"{r.exact:.3f} | {mean:.3f} ({min(r.noised):.3f} to {max(r.noised):.3f})"
        lines.append(f"| {r.sigma:g} | {r.releases} | {r.epsilon:.2f} | {r.delta:g} | {cost} |")
    return "\n".join(lines)


def _checked(releases: int) -> int:
    if not 1 <= releases <= MAX_RELEASES:
        raise ValueError(f"want 1 to {MAX_RELEASES} releases, got {releases}")
    return releases


def _probability(delta: float) -> float:
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta is a probability above 0 and below 1, got {delta}")
    return delta


def _accounting() -> Any:
    """Load dp-accounting, which takes seconds and is an extra."""
    try:
        import dp_accounting  # noqa: PLC0415 - an extra; nothing else may need it
    except ImportError as error:
        raise ModuleNotFoundError(
            "the accounting of privacy needs the package dp-accounting, which is not installed: "
            "pip install 'edge-agent[privacy]'"
        ) from error
    return dp_accounting
