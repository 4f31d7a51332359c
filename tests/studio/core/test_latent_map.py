"""The pad leads to places and back."""

from statistics import NormalDist

import pytest

from studio.core.errors import PackageError
from studio.core.latent_map import EDGE, has_map, pad_to_vector, vector_to_pad

NORMAL = {"latent_dim": 2, "map": True, "prior": "normal"}
BOX = {"latent_dim": 2, "map": True, "prior": "box", "box_low": [-2.0, 1.0], "box_high": [4.0, 3.0]}
MIXTURE = {"latent_dim": 2, "map": True, "prior": "mixture", "map_mean": [1.0, -1.0], "map_std": [2.0, 0.5]}


@pytest.mark.parametrize("settings", [NORMAL, BOX, MIXTURE])
@pytest.mark.parametrize("place", [(0.5, 0.5), (0.1, 0.9), (0.001, 0.999)])
def test_there_and_back(settings, place):
    assert vector_to_pad(pad_to_vector(*place, settings), settings) == pytest.approx(place)


def test_the_middle_is_the_mean_and_quarters_are_quantiles():
    assert pad_to_vector(0.5, 0.75, NORMAL) == pytest.approx((0.0, NormalDist().inv_cdf(0.75)))
    assert pad_to_vector(0.5, 0.5, MIXTURE) == pytest.approx((1.0, -1.0))
    assert pad_to_vector(0.25, 1.0, BOX) == pytest.approx((-0.5, 3.0))


def test_borders_stay_finite():
    assert pad_to_vector(-3.0, 7.0, NORMAL) == pad_to_vector(EDGE, 1 - EDGE, NORMAL)
    assert vector_to_pad((-99.0, 99.0), BOX) == (0.0, 1.0)


@pytest.mark.parametrize(
    "settings",
    [{}, {"latent_dim": 2}, {"latent_dim": 3, "map": True}, BOX | {"box_high": [1.0]}, BOX | {"box_low": [9, 9]}],
)
def test_models_without_a_usable_map_are_refused(settings):
    with pytest.raises(PackageError):
        pad_to_vector(0.5, 0.5, settings)
    with pytest.raises(PackageError):
        vector_to_pad((0.0, 0.0, 0.0), settings)
    assert has_map(BOX)
    assert not has_map({"latent_dim": 200, "map": False})
