"""DDM: shapes, determinism, learning, the identity of the sampler, export."""

import math

import numpy as np
import pytest
import torch

from models.core.family import Batch, DataFacts, StepContext
from models.families import FAMILIES, family
from models.families.image.diffusion import DiffusionConfig, UNet
from studio.core.errors import TrainingError

DDM = FAMILIES["DDM"]


def facts(side: int = 16, channels: int = 3, labels: tuple[str, ...] = ("a", "b")) -> DataFacts:
    return DataFacts(side, side, channels, 8, labels)


def tiny(labels: int = 2) -> DiffusionConfig:
    return DiffusionConfig(
        width_px=16, height_px=16, channels=3, labels=labels, patch=2, widths=(8, 16), blocks=(1, 1), embedding=16
    )


def batch(labels: int = 2) -> Batch:
    rng = torch.Generator().manual_seed(3)
    images = torch.rand(8, 3, 1, 1, generator=rng).expand(8, 3, 16, 16) * 2 - 1
    return Batch(images.contiguous(), torch.eye(max(1, labels))[torch.arange(8) % max(1, labels)][:, :labels])


def train(network: UNet, steps: int, seed: int = 0) -> list[float]:
    rng = torch.Generator().manual_seed(seed)
    optimizer = DDM.optimizers(network, {"learning_rate": 3e-3})["main"]
    values = []
    for step in range(steps):
        for loss in DDM.losses(network, batch(network.config.labels), StepContext(step, steps, rng, {})):
            optimizer.zero_grad()
            loss.value.backward()
            optimizer.step()
            values.append(loss.value.item())
    return values


@pytest.mark.parametrize("side", [16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_config_fits_every_size_and_channel_count(side, channels):
    config = DDM.config(facts(side, channels), {})
    network = DDM.build(config)
    out = network(torch.zeros(2, channels, side, side), torch.tensor([0.1, 0.9]), torch.eye(2))
    assert out.shape == (2, channels, side, side)


def test_a_size_that_cannot_be_halved_is_refused_with_advice():
    with pytest.raises(TrainingError, match="multiple of"):
        DDM.config(facts(30), {})


def test_the_same_generator_gives_the_same_losses():
    torch.manual_seed(0)
    first, second = DDM.build(tiny()), DDM.build(tiny())
    second.load_state_dict(first.state_dict())
    assert train(first, 3) == train(second, 3)


def test_training_lowers_the_loss():
    torch.manual_seed(0)
    values = train(DDM.build(tiny()), 80)
    assert np.mean(values[-10:]) < 0.8 * np.mean(values[:10])


def test_the_class_changes_the_prediction_and_zeros_mean_no_class():
    torch.manual_seed(0)
    network = DDM.build(tiny())
    train(network, 5)
    x, variance = torch.randn(2, 3, 16, 16), torch.tensor([0.5, 0.5])
    with torch.no_grad():
        assert not torch.allclose(
            network(x, variance, torch.eye(2)[[0, 0]]), network(x, variance, torch.eye(2)[[1, 1]])
        )
        assert torch.equal(network(x, variance, torch.zeros(2, 2)), network(x, variance))


@pytest.mark.parametrize("prediction", ["v", "eps", "x0"])
def test_with_the_true_answer_the_sampler_returns_the_clean_picture(prediction):
    clean = torch.linspace(-0.9, 0.9, 3 * 16 * 16).reshape(1, 3, 16, 16)
    config = DiffusionConfig(width_px=16, height_px=16, channels=3, prediction=prediction, signal_low=0.02)

    class Oracle(UNet):
        def forward(self, x, noise_variance, y=None):
            s = noise_variance.sqrt()[:, None, None, None]
            a = (1 - noise_variance).sqrt()[:, None, None, None]
            eps = (x - a * clean) / s
            return {"v": a * eps - s * clean, "eps": eps, "x0": clean.expand_as(x)}[prediction]

    made = DDM.sample(Oracle(config), config, seeds=[5], labels=torch.zeros(1, 0), steps=20)
    assert np.abs(made - clean.numpy()).max() < 2e-3  # float32 at a signal rate of 0.02 loses digits with eps


def test_a_sample_depends_on_its_seed_and_not_on_its_batch():
    torch.manual_seed(0)
    config = tiny(labels=0)
    network = DDM.build(config)
    train(network, 3)
    both = DDM.sample(network, config, seeds=[1, 2], labels=torch.zeros(2, 0), steps=3)
    alone = DDM.sample(network, config, seeds=[2], labels=torch.zeros(1, 0), steps=3)
    assert np.abs(both[1] - alone[0]).max() < 1e-4
    assert np.abs(both[0] - both[1]).max() > 0.01


def test_validation_compares_with_predicting_zero():
    torch.manual_seed(0)
    told = DDM.validate(DDM.build(tiny()), tiny(), batch(), torch.Generator().manual_seed(0))
    assert told["zero_error_mid"] == pytest.approx(math.sqrt(2 / math.pi), abs=0.03)
    assert next(iter(told)) == "loss"


def test_the_graph_names_every_input():
    config = tiny()
    (graph,) = DDM.graphs(DDM.build(config), config)
    assert (graph.role, tuple(graph.inputs), graph.outputs) == (
        "denoise",
        ("x", "noise_variance", "y"),
        ("prediction",),
    )
    config = tiny(labels=0)
    (graph,) = DDM.graphs(DDM.build(config), config)
    assert tuple(graph.inputs) == ("x", "noise_variance")


def test_an_unknown_family_is_a_sentence():
    with pytest.raises(TrainingError, match="no model family called 'NOPE'"):
        family("NOPE")
