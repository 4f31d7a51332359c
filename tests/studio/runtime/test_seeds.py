"""The generator gives the published words, and normals that are normal, on every machine."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from studio.runtime import seeds

# Published with the Random123 library (kat_vectors, "philox4x32 10"): counter, key, result.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]

PINNED_WORDS = [696478826, 1587175978, 56396458, 1089828172, 2982756303, 3688644433]
PINNED_NORMALS = "f422ae3f48ed90bfa57d753f5f5be03d"


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_philox_gives_the_published_words(counter, key, expected):
    drawn = seeds.philox(np.array(counter, np.uint32)[:, None], key)
    assert tuple(int(word) for word in drawn[:, 0]) == expected


def test_layout_is_pinned():
    """Recipes replay these numbers years later: this test must never be changed."""
    drawn = seeds.words(2**40 + 7, 6, system="latent-image", stream="latent", step=3)
    assert [int(word) for word in drawn] == PINNED_WORDS
    values = seeds.normal(5, (4,), system="diffusion-image", stream="step", step=1)
    assert values.tobytes().hex() == PINNED_NORMALS


def test_a_longer_draw_starts_with_the_shorter_one():
    short = seeds.normal(9, (5,), system="s", stream="t")
    long = seeds.normal(9, (3, 7), system="s", stream="t")
    assert np.array_equal(long.ravel()[:5], short)


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"seed": 2**32},
        {"system": "b"},
        {"stream": "b"},
        {"step": 1},
    ],
)
def test_every_part_of_the_key_gives_other_numbers(other):
    base = {"seed": 0, "system": "a", "stream": "a", "step": 0}
    first, second = (
        seeds.normal(key["seed"], (64,), system=key["system"], stream=key["stream"], step=key["step"])
        for key in (base, base | other)
    )
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.5


def test_batch_rows_equal_single_draws():
    rows = seeds.normals([4, 5], (2, 3), system="s", stream="t")
    assert np.array_equal(rows[1], seeds.normal(5, (2, 3), system="s", stream="t"))


def test_uniforms_are_open_and_even():
    drawn = seeds.uniform(0, (200_000,), system="s", stream="t")
    assert drawn.dtype == np.float32
    assert 0.0 < drawn.min() < 1e-4
    assert 1 - 1e-4 < drawn.max() < 1.0
    counts = np.histogram(drawn, bins=50, range=(0, 1))[0]
    assert ((counts - 4000) ** 2 / 4000).sum() < 90  # chi-squared, 49 degrees of freedom: p = 0.0003


def test_normals_are_normal():
    drawn = seeds.normal(0, (400_000,), system="s", stream="t").astype(np.float64)
    assert drawn.mean() == pytest.approx(0, abs=0.006)
    assert drawn.std() == pytest.approx(1, abs=0.005)
    assert (drawn**3).mean() == pytest.approx(0, abs=0.03)
    assert (drawn**4).mean() == pytest.approx(3, abs=0.06)
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.006


def test_quantile_is_the_inverse_of_the_distribution():
    p = np.concatenate([np.geomspace(2.0**-33, 0.5, 400), 1 - np.geomspace(2.0**-33, 0.5, 400)])
    exact = np.array([NormalDist().inv_cdf(value) for value in p])
    assert np.allclose(seeds.normal_quantile(p), exact, rtol=2e-12, atol=2e-15)


def test_own_logarithm_is_accurate():
    x = np.geomspace(1e-10, 0.5, 1000)
    ours = seeds._log(x)
    assert max(abs(a / math.log(b) - 1) for a, b in zip(ours, x, strict=True)) < 4e-16


def test_negative_seeds_are_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        seeds.normal(-1, (1,), system="s", stream="t")
