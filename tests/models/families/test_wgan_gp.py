"""WGANGP and CGAN: shapes, the penalty, learning, what the critic is shown."""

import numpy as np
import pytest
import torch

from models.core.family import Batch, DataFacts, StepContext
from models.families import FAMILIES
from models.families.image.wgan_gp import Pair, WassersteinConfig, damaged, gradient_penalty
from studio.core.errors import TrainingError

GAN = FAMILIES["WGANGP"]


def tiny(labels: int = 2) -> WassersteinConfig:
    return WassersteinConfig(16, 16, 3, labels, latent=4, generator_widths=(8, 16), critic_widths=(8, 16))


def batch(labels: int = 2, count: int = 16) -> Batch:
    """Class 0 is dark, class 1 bright."""
    which = torch.arange(count) % 2
    images = (which * 1.4 - 0.7)[:, None, None, None].expand(count, 3, 16, 16).contiguous()
    return Batch(images, torch.eye(2)[which][:, :labels])


def train(network: Pair, steps: int, data: Batch) -> list[dict[str, float]]:
    rng = torch.Generator().manual_seed(0)
    optimizers = GAN.optimizers(network, {"learning_rate": 3e-3})
    shown = []
    for step in range(steps):
        figures: dict[str, float] = {}
        for loss in GAN.losses(network, data, StepContext(step, steps, rng, {})):
            network.zero_grad()
            loss.value.backward()
            optimizers[loss.optimizer].step()
            figures |= loss.shown
        shown.append(figures)
    return shown


@pytest.mark.parametrize("side", [16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_size_and_channel_count_fits(side, channels):
    config = GAN.config(DataFacts(side, side, channels, 9, ("a", "b")), {})
    network = GAN.build(config)
    image = network.generator(torch.randn(2, config.latent), torch.eye(2))
    assert image.shape == (2, channels, side, side)
    assert network.critic(image, torch.eye(2)).shape == (2,)


def test_a_conditional_network_insists_on_classes():
    with pytest.raises(TrainingError, match="two classes"):
        FAMILIES["CGAN"].config(DataFacts(16, 16, 3, 9, ("only",)), {})


def test_one_step_is_several_critic_rounds_and_one_of_the_generator():
    network = GAN.build(tiny())
    context = StepContext(0, 1, torch.Generator().manual_seed(0), {"critic_rounds": 3})
    assert [loss.optimizer for loss in GAN.losses(network, batch(), context)] == ["critic"] * 3 + ["generator"]


def test_the_same_generator_gives_the_same_losses():
    torch.manual_seed(0)
    first, second = GAN.build(tiny()), GAN.build(tiny())
    second.load_state_dict(first.state_dict())
    assert train(first, 2, batch()) == train(second, 2, batch())


@pytest.mark.parametrize("labels", [0, 2])
def test_training_brings_the_samples_towards_the_data(labels):
    torch.manual_seed(0)
    config, data = tiny(labels), batch(labels)
    network = GAN.build(config)
    with torch.no_grad():
        network.generator.out.bias.fill_(0.0)
    before = network.generator(torch.randn(64, 4), data.labels.repeat(4, 1) if labels else None)
    figures = train(network, 120, data)
    after = network.generator(torch.randn(64, 4), data.labels.repeat(4, 1) if labels else None)
    gap = [(images.abs().mean() - 0.7).abs().item() for images in (before, after)]
    assert gap[1] < 0.8 * gap[0]
    assert 0.3 < figures[-1]["gradient_norm"] < 2.0
    if labels:
        dark, bright = after[0::2].mean().item(), after[1::2].mean().item()
        assert bright > dark + 0.3


class Plane(torch.nn.Module):
    """A critic whose gradient has length 3 everywhere."""

    def forward(self, image, y=None):
        return 3 * image[:, 0, 0, 0]


def test_the_penalty_of_a_critic_of_slope_three_is_four():
    real, made = torch.randn(5, 3, 4, 4), torch.randn(5, 3, 4, 4)
    penalty, length = gradient_penalty(Plane(), real, made, None, torch.Generator().manual_seed(0))
    assert penalty.item() == pytest.approx(4, abs=1e-5)
    assert length.item() == pytest.approx(3, abs=1e-5)


def test_the_damage_keeps_shapes_and_lets_gradients_through():
    images = torch.rand(32, 4, 16, 16, requires_grad=True)
    shown = damaged(images, torch.Generator().manual_seed(0))
    shown.sum().backward()
    assert shown.shape == images.shape
    assert images.grad is not None
    assert set(images.grad.unique().tolist()) <= {0.0, 1.0}  # a moved picture loses rows, and never shows one twice
    assert 0.5 < images.grad.mean() < 1
    assert shown.min() == -1


def test_a_sample_depends_on_seed_and_class_alone():
    torch.manual_seed(0)
    config = tiny()
    network = GAN.build(config)
    both = GAN.sample(network, config, seeds=[1, 2], labels=torch.eye(2)[[0, 0]])
    other = GAN.sample(network, config, seeds=[2, 2], labels=torch.eye(2)[[0, 1]])
    assert np.abs(both[1] - other[0]).max() < 1e-5
    assert np.abs(other[0] - other[1]).max() > 1e-3
    assert np.abs(both[0] - both[1]).max() > 1e-3


def test_validation_ranks_and_measures_the_gradient():
    told = GAN.validate(GAN.build(tiny()), tiny(), batch(), torch.Generator().manual_seed(0))
    assert set(told) == {"distance", "gradient_norm", "real_ranked_higher", "sliced_distance"}
    assert 0 <= told["real_ranked_higher"] <= 1


def test_two_graphs_with_their_classes():
    config = tiny()
    decode, critic = GAN.graphs(GAN.build(config), config)
    assert (decode.role, tuple(decode.inputs)) == ("decode", ("z", "y"))
    assert (critic.role, tuple(critic.inputs)) == ("critic", ("image", "y"))
