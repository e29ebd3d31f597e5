"""What is left untouched is fitted once, and is a sum over the places of a picture, maxima included."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [workshop]: torch")

from torch import Tensor  # noqa: E402 (torch may be missing)
from torch.nn import functional as F  # noqa: E402, N812

from models.workshop.encoders import Maps  # noqa: E402
from models.workshop.fusion import side_by_side  # noqa: E402
from models.workshop.untouched import Untouched, pooled  # noqa: E402

pytestmark = pytest.mark.workshop

CHANNELS = 7
FINE = 3
DIMS = 5


def maps(levels: int = 1000) -> Maps:
    """Give maps of two pictures that take so many values; with few, maxima are at several places."""
    generator = torch.Generator().manual_seed(1)
    made = (
        torch.randint(levels, (2, channels, side, side), generator=generator) for channels, side in ((3, 4), (4, 2))
    )
    return Maps(*(values / levels for values in made))


def filled() -> Untouched:
    torch.manual_seed(2)
    untouched = Untouched(CHANNELS, DIMS)
    torch.nn.init.normal_(untouched.matrix)
    torch.nn.init.normal_(untouched.offset)
    return untouched


class CountedTwice(Untouched):
    """The wrong implementation: each of several places that are equally high gets the whole maximum."""

    def terms(self, maps: Maps) -> Tensor:
        places = torch.cat([maps.fine, F.interpolate(maps.coarse, scale_factor=2, mode="nearest")], 1).flatten(2)
        highest = (places == places.amax(2, keepdim=True)).float()
        parts = torch.cat([places / places.shape[2], places * highest], 1)
        return parts.transpose(1, 2) @ self.matrix + self.offset / places.shape[2]


def adds_up(untouched: Untouched, seen: Maps) -> bool:
    return torch.allclose(untouched.terms(seen).sum(1), untouched(seen), atol=1e-5)


@pytest.mark.parametrize("levels", [1000, 2, 1])
def test_the_terms_of_the_places_add_up(levels: int) -> None:
    assert adds_up(filled(), maps(levels))


def test_the_check_of_the_terms_has_teeth() -> None:
    wrong = CountedTwice(CHANNELS, DIMS)
    wrong.load_state_dict(filled().state_dict())

    assert not adds_up(wrong, maps(2))


def test_a_maximum_is_told_of_its_place_alone() -> None:
    untouched = Untouched(CHANNELS, 1)
    untouched.matrix[CHANNELS] = 1.0  # the maximum of the first fine channel
    fine = torch.zeros(1, FINE, 4, 4)
    fine[0, 0, 2, 1] = 3.0
    terms = untouched.terms(Maps(fine, torch.zeros(1, CHANNELS - FINE, 2, 2)))[0, :, 0]

    assert terms[2 * 4 + 1] == 3.0
    assert terms.sum() == 3.0


def test_what_is_fitted_is_centred_and_keeps_the_directions_that_vary_most() -> None:
    generator = torch.Generator().manual_seed(3)
    rows = torch.randn(200, 2 * CHANNELS, generator=generator) @ torch.randn(
        2 * CHANNELS, 2 * CHANNELS, generator=generator
    )
    untouched = Untouched(CHANNELS, DIMS)
    untouched.fit(rows + 10.0)
    z = untouched.project(rows + 10.0)
    spread = z.std(0)

    torch.testing.assert_close(z.mean(0), torch.zeros(DIMS), atol=1e-3, rtol=0.0)
    assert (spread[:-1] >= spread[1:]).all()
    assert not any(parameter.requires_grad for parameter in untouched.parameters())


def test_few_examples_fit_no_infinite_direction() -> None:
    untouched = Untouched(CHANNELS, DIMS)
    untouched.fit(torch.cat([pooled(maps()), pooled(maps())[:1]]))

    assert untouched(maps()).isfinite().all()


def test_both_halves_have_the_same_length_and_a_mask_holds() -> None:
    mask = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    block = side_by_side(torch.full((2, DIMS), 100.0), 0.01 * mask.sum(1, keepdim=True).expand(-1, 3), mask)

    torch.testing.assert_close(block[0, :DIMS].norm(), torch.tensor(1.0))
    torch.testing.assert_close(block[0, DIMS:].norm(), torch.tensor(1.0))
    assert not block[1].any()
