"""Pictures survive the way to the network and back."""

import numpy as np
import pytest

from studio.core.errors import BadInputError
from studio.runtime.pixels import fitted_picture, to_model, to_model_batch, to_picture, to_picture_batch


def every_colour_at(alpha: int) -> np.ndarray:
    picture = np.zeros((16, 16, 4), np.uint8)
    picture[..., 0] = np.arange(256).reshape(16, 16)
    picture[..., 1] = picture[..., 0][::-1]
    picture[..., 2] = picture[..., 0].T
    picture[..., 3] = alpha
    return picture


@pytest.mark.parametrize("alpha", range(256))
def test_rgba_round_trip_keeps_every_byte(alpha):
    picture = every_colour_at(alpha)
    back = to_picture(to_model(picture, 4))
    expected = picture if alpha else np.zeros_like(picture)
    assert np.array_equal(back, expected)


def test_rgb_and_grey_round_trip_of_opaque_pictures():
    colours = every_colour_at(255)
    assert np.array_equal(to_picture(to_model(colours, 3)), colours)
    greys = colours.copy()
    greys[..., :3] = colours[..., :1]
    assert np.array_equal(to_picture(to_model(greys, 1)), greys)


def test_shape_range_and_premultiplication():
    picture = np.full((2, 3, 4), 255, np.uint8)
    picture[0, :, 3] = 0
    planes = to_model(picture, 4)
    assert planes.shape == (4, 2, 3)
    assert planes.dtype == np.float32
    assert planes[:, 0].max() == -1.0  # transparent white is all zero once multiplied
    assert planes[:, 1].min() == 1.0
    assert to_model(picture, 3)[:, 0].max() == -1.0  # over black


def test_out_of_range_values_are_clipped():
    planes = np.full((4, 1, 1), 9.0, np.float32)
    assert to_picture(planes).tolist() == [[[255, 255, 255, 255]]]
    assert to_picture(-planes).tolist() == [[[0, 0, 0, 0]]]


def test_batches_equal_singles():
    pictures = [every_colour_at(200), every_colour_at(3)]
    planes = to_model_batch(pictures, 4)
    assert np.array_equal(planes[1], to_model(pictures[1], 4))
    assert np.array_equal(to_picture_batch(planes)[0], to_picture(planes[0]))


def test_other_channel_counts_are_refused():
    with pytest.raises(BadInputError, match="2 channels"):
        to_model(every_colour_at(255), 2)


def test_a_picture_of_the_right_size_is_not_touched():
    picture = every_colour_at(77)
    assert fitted_picture(picture, width_px=16, height_px=16) is picture


@pytest.mark.parametrize(("width", "height"), [(8, 8), (32, 32), (5, 7), (16, 4)])
def test_fitting_gives_the_size_and_keeps_flat_colour(width, height):
    flat = np.full((16, 24, 4), (10, 200, 30, 255), np.uint8)
    fitted = fitted_picture(flat, width_px=width, height_px=height)
    assert fitted.shape == (height, width, 4)
    assert (fitted == (10, 200, 30, 255)).all()


def test_fitting_cuts_the_centre_out_of_another_shape():
    wide = np.zeros((8, 24, 4), np.uint8)
    wide[..., 3] = 255
    wide[:, 8:16, 0] = 255
    fitted = fitted_picture(wide, width_px=4, height_px=4)
    assert (fitted[:, 1:3, 0] > 250).all()


def test_fitting_does_not_bleed_the_colour_of_transparent_pixels():
    picture = np.zeros((16, 16, 4), np.uint8)
    picture[:, :8] = (255, 0, 0, 255)
    picture[:, 8:] = (0, 255, 0, 0)  # green, but nobody can see it
    fitted = fitted_picture(picture, width_px=4, height_px=4)
    assert fitted[..., 1].max() <= 2
