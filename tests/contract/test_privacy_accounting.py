"""What is said of privacy agrees with closed forms that owe nothing to the package which does the accounting."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from models import Knowledge, release
from models.manifest import Block
from models.privacy import MAX_RELEASES, Report, epsilon, report, sigma_for, table
from models.release import SENSITIVITY
from models.sums import Key

DELTA = 1e-5
SLACK = 1.11
"""Renyi divergence promises up to a tenth more epsilon than is true; it may never promise less."""

BLOCKS = (Block("image", 0, 3, 1.0, "a"),)
GOOD = Key("good", ("image",))
NOTHING = Knowledge.empty("ring", "0" * 64, BLOCKS)


def delta_of(epsilon_: float, mu: float) -> float:
    """Of the Gaussian mechanism with sensitivity over standard deviation mu: Balle and Wang (2018), theorem 8."""
    below = 0.5 * math.erfc(-(mu / 2 - epsilon_ / mu) / math.sqrt(2))
    above = 0.5 * math.erfc((mu / 2 + epsilon_ / mu) / math.sqrt(2))
    return below - math.exp(epsilon_) * above


def smallest(sigmas: list[float], delta: float) -> float:
    """The smallest epsilon that is true: n Gaussian releases are one of mu^2 = sum of 1 / sigma^2."""
    mu = math.sqrt(sum(sigma**-2 for sigma in sigmas))
    low, high = 0.0, 500.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(middle, mu) > delta else (low, middle)
    return high


def of_concentrated(sigmas: list[float], delta: float) -> float:
    """By Canonne, Kamath and Steinke (2020), proposition 12, minimised over alpha."""
    rho = sum(0.5 * sigma**-2 for sigma in sigmas)
    alphas = 1.0 + np.geomspace(1e-3, 1e4, 100_000)
    return float((rho * alphas + np.log1p(-1 / alphas) - (math.log(delta) + np.log(alphas)) / (alphas - 1)).min())


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0, 8.0])
@pytest.mark.parametrize("releases", [1, 50])
def test_epsilon_agrees_with_closed_forms(sigma: float, releases: int) -> None:
    said, sigmas = epsilon([sigma] * releases, DELTA), [sigma] * releases

    assert smallest(sigmas, DELTA) <= said <= SLACK * smallest(sigmas, DELTA)
    assert said == pytest.approx(of_concentrated(sigmas, DELTA), rel=0.01)


def test_releases_of_different_noise_add_up() -> None:
    sigmas = [1.0, 2.0, 2.0, 8.0]

    assert smallest(sigmas, DELTA) <= epsilon(sigmas, DELTA) <= SLACK * smallest(sigmas, DELTA)
    assert epsilon(sigmas, DELTA) == pytest.approx(epsilon(sigmas[::-1], DELTA))
    assert epsilon([], DELTA) == 0.0


def one_release_only(sigmas: list[float], delta: float) -> float:
    return epsilon(sigmas[:1], delta)


def added_up_plainly(sigmas: list[float], delta: float) -> float:
    return sum(epsilon([sigma], delta) for sigma in sigmas)


def without_the_square_root_of_three(sigmas: list[float], delta: float) -> float:
    return epsilon([sigma * SENSITIVITY for sigma in sigmas], delta)


@pytest.mark.parametrize("wrong", [one_release_only, added_up_plainly, without_the_square_root_of_three])
def test_the_comparison_has_teeth(wrong: Callable[[list[float], float], float]) -> None:
    sigmas = [4.0] * 50

    assert not smallest(sigmas, DELTA) <= wrong(sigmas, DELTA) <= SLACK * smallest(sigmas, DELTA)


@pytest.mark.parametrize(("wanted", "releases"), [(0.5, 1), (1.0, 50), (9.0, 50), (50.0, 3)])
def test_sigma_keeps_the_promise_and_no_more(wanted: float, releases: int) -> None:
    sigma = sigma_for(wanted, DELTA, releases)

    assert epsilon([sigma] * releases, DELTA) <= wanted
    assert epsilon([sigma * 0.999] * releases, DELTA) > wanted


@pytest.mark.parametrize(
    ("wanted", "delta", "releases", "reason"),
    [
        (0.0, DELTA, 1, "not 0"),
        (float("nan"), DELTA, 1, "not nan"),
        (1e9, DELTA, 1, "not 1"),
        (1.0, 0.0, 1, "delta"),
        (1.0, 1.0, 1, "delta"),
        (1.0, float("nan"), 1, "delta"),
        (1.0, DELTA, 0, "releases"),
        (1.0, DELTA, MAX_RELEASES + 1, "releases"),
    ],
)
def test_a_promise_that_cannot_be_made_is_refused(wanted: float, delta: float, releases: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        sigma_for(wanted, delta, releases)


def test_no_noise_is_no_privacy() -> None:
    with pytest.raises(ValueError, match="sigma"):
        epsilon([4.0, 0.0], DELTA)


def test_a_report_says_promise_and_cost_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "discrete_gaussian", lambda _, source: source.randrange(2))
    stations = [NOTHING.learn("good", np.array([[16384, 0, 0]], dtype=np.int16))] * 3
    said = report(stations, {GOOD: 1}, 4.0, 50, DELTA, lambda k: k.samples("good"), [Random(seed) for seed in range(4)])

    assert said.exact == 3
    assert all(3 <= counted <= 6 for counted in said.noised)
    assert len(set(said.noised)) > 1
    assert (said.sigma, said.releases, said.delta) == (4.0, 50, DELTA)
    assert said.epsilon == epsilon([4.0] * 50, DELTA)
    assert said.sensitivity**2 == pytest.approx(3.0)


def test_the_table_says_all_at_once() -> None:
    text = table([Report(9.235, 1e-5, 50, 4.0, SENSITIVITY, 0.926, (0.1, 0.2, 0.3))])

    assert text.splitlines()[-1] == "| 4 | 50 | 9.23 | 1e-05 | 0.926 | 0.200 (0.100 to 0.300) |"


@pytest.mark.parametrize(("stations", "releases", "sources"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_a_report_on_nothing_is_refused(stations: int, releases: int, sources: int) -> None:
    with pytest.raises(ValueError, match="want"):
        report([NOTHING] * stations, {GOOD: 1}, 4.0, releases, DELTA, lambda _: 0.0, [Random(0)] * sources)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    with pytest.raises(ModuleNotFoundError, match=r"dp-accounting.*pip install 'edge-agent\[privacy\]'"):
        epsilon([4.0], DELTA)
