"""Figures of quality on data where the answer is known."""

import pytest
import torch

from models.core.classifier import train_judge
from models.core.metrics import (
    coverage,
    cross_entropy,
    diversity,
    fit_principal,
    fit_whitening,
    frechet_distance,
    memorisation,
    moments,
    nearest_distances,
    neighbour_accuracy,
    sliced_distance,
    squared_error,
)


def gaussian(count: int, mean: list[float], stds: list[float], seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(count, len(mean), generator=rng) * torch.tensor(stds) + torch.tensor(mean)


def test_frechet_distance_of_known_gaussians():
    first = gaussian(60_000, [0.0, 0.0, 0.0], [1.0, 2.0, 1.0])
    second = gaussian(60_000, [3.0, 0.0, 0.0], [1.0, 1.0, 1.0], seed=1)
    assert frechet_distance(first, second) == pytest.approx(9 + (2 - 1) ** 2, rel=0.02)


def test_frechet_distance_sees_correlation_and_is_zero_for_the_same():
    base = gaussian(20_000, [0.0, 0.0], [1.0, 1.0])
    tied = base @ torch.tensor([[1.0, 0.9], [0.0, (1 - 0.81) ** 0.5]])  # same variances, correlation 0.9
    assert frechet_distance(base, base) == pytest.approx(0, abs=1e-6)
    # tr(I + C - 2 sqrt(C)) with eigenvalues 1.9 and 0.1
    assert frechet_distance(base, tied) == pytest.approx((1.9**0.5 - 1) ** 2 + (0.1**0.5 - 1) ** 2, rel=0.05)


def test_whitened_features_are_uncorrelated_with_variance_one():
    features = gaussian(5_000, [3.0, -1.0, 0.0], [5.0, 0.5, 1.0]) @ torch.tensor(
        [[1.0, 0.5, 0.0], [0.0, 1.0, 0.2], [0.0, 0.0, 1.0]]
    )
    mean, covariance = moments(fit_whitening(features)(features))
    assert mean.abs().max() < 1e-6
    assert torch.allclose(covariance, torch.eye(3, dtype=torch.float64), atol=1e-6)


def test_memorisation_flags_copies_and_accepts_fresh_ones():
    train, held, fresh = (gaussian(400, [0.0] * 20, [1.0] * 20, seed=seed) for seed in (0, 1, 2))
    nearly = train[:100] + 0.05 * gaussian(100, [0.0] * 20, [1.0] * 20, seed=3)
    assert memorisation(train[:100], held, train) == 0
    assert memorisation(nearly, held, train) < 0.5
    assert memorisation(fresh, held, train) == pytest.approx(1, abs=0.05)


def test_nearest_distance_can_leave_out_the_point_itself():
    points = torch.tensor([[0.0], [1.0], [3.0]])
    assert nearest_distances(points, points).tolist() == [0, 0, 0]
    assert nearest_distances(points, points, skip_self=True).tolist() == [1, 1, 2]


def test_coverage_falls_when_a_mode_is_missing():
    left, right = gaussian(200, [-5.0, 0.0], [1.0, 1.0]), gaussian(200, [5.0, 0.0], [1.0, 1.0], seed=1)
    real = torch.cat([left, right])
    both = torch.cat([gaussian(200, [-5.0, 0.0], [1.0, 1.0], seed=2), gaussian(200, [5.0, 0.0], [1.0, 1.0], seed=3)])
    assert coverage(real, both) > 0.9
    assert 0.4 < coverage(real, both[:200]) < 0.55


def test_diversity_of_one_point_repeated_is_zero():
    assert diversity(torch.ones(5, 3)) == 0
    assert diversity(torch.tensor([[0.0], [2.0]])) == pytest.approx(2)


@pytest.mark.parametrize("count", [30, 500])  # fewer and more pictures than values
def test_principal_components_rebuild_what_lies_in_their_space(count):
    rng = torch.Generator().manual_seed(0)
    axes = torch.randn(3, 64, generator=rng) * 0.05
    images = (torch.randn(count, 3, generator=rng) @ axes).reshape(count, 1, 8, 8)
    linear = fit_principal(images, 3)
    assert squared_error(linear.rebuilt(images), images) < 1e-8
    assert squared_error(fit_principal(images, 2).rebuilt(images), images) > 1e-5
    assert torch.allclose(linear.axes @ linear.axes.T, torch.eye(3), atol=1e-4)


def test_samples_of_the_trivial_generator_have_the_spread_of_the_data():
    images = gaussian(2_000, [0.0] * 16, [0.2] * 8 + [0.01] * 8).reshape(-1, 1, 4, 4)
    made = fit_principal(images, 8).sampled(2_000, images.shape, seed=5)
    assert made.flatten(1).std(dim=0)[:8].mean() == pytest.approx(0.2, rel=0.05)


def test_errors_are_those_of_values_between_nought_and_one():
    assert squared_error(torch.ones(1, 4), -torch.ones(1, 4)) == 1
    assert cross_entropy(torch.zeros(1, 4), torch.ones(1, 4)) == pytest.approx(0.6931, abs=1e-3)


def test_neighbours_vote_for_their_class():
    codes = torch.cat([gaussian(50, [-3.0, 0.0], [1.0, 1.0]), gaussian(50, [3.0, 0.0], [1.0, 1.0], seed=1)])
    classes = torch.arange(100) // 50
    assert neighbour_accuracy(codes, classes, codes, classes) > 0.95
    assert neighbour_accuracy(codes, classes, codes, 1 - classes) < 0.05


def test_a_judge_learns_classes_and_repeats_itself():
    which = torch.arange(80) % 2
    images = torch.full((80, 1, 16, 16), -1.0)
    images[which == 1, :, 6:10, :] = 1.0
    images += 0.2 * gaussian(80, [0.0] * 256, [1.0] * 256).reshape(80, 1, 16, 16)
    first, second = (train_judge((images, which), (images, which), classes=2, steps=12, seed=4) for _ in range(2))
    assert first.accuracy > 0.9
    assert torch.equal(first.features(images), second.features(images))
    assert first.probabilities(images).sum(dim=1).tolist() == pytest.approx([1] * 80, abs=1e-5)


def test_sliced_distance_is_nought_for_the_same_set_and_that_of_a_shift():
    pictures = gaussian(50, [0.0] * 12, [1.0] * 12).reshape(50, 3, 2, 2)
    rng = torch.Generator().manual_seed(1)
    assert sliced_distance(pictures, pictures.flip(0), rng) < 1e-6
    assert sliced_distance(pictures, pictures + 0.5, rng) == pytest.approx(0.4, rel=0.2)
