"""AE, VAE2, VAEF: shapes, learning without collapse, attribute directions, the fitted prior."""

import numpy as np
import pytest
import torch
from safetensors.torch import load

from models.core.family import Batch, DataFacts, StepContext
from models.core.mixture import fit_mixture
from models.families import FAMILIES
from models.families.image.vae import AutoencoderConfig, attribute_directions, encoded

SIDE = 16


class Squares:
    """Grey pictures with a bright square: left or right (attribute), at a random height."""

    def __init__(self, count: int = 64) -> None:
        rng = torch.Generator().manual_seed(1)
        tops = torch.randint(0, SIDE - 6, (count,), generator=rng).tolist()
        right = torch.rand(count, generator=rng) < 0.5
        self.pictures = torch.full((count, 1, SIDE, SIDE), -1.0)
        for index, top in enumerate(tops):
            left = SIDE // 2 + 1 if right[index] else 1
            self.pictures[index, 0, top : top + 6, left : left + 6] = 1
        self.flags = right[:, None]
        self.facts = DataFacts(SIDE, SIDE, 1, count, (), ("Right",))

    def images(self, split):
        return self.pictures

    def labels(self, split):
        return torch.zeros(len(self.pictures), 0)

    def attributes(self, split):
        return self.flags


def tiny(name: str, **changes) -> AutoencoderConfig:
    small = {"widths": (8, 16), "blocks": (0, 1), "latent": 4, **changes}
    return FAMILIES[name].config(Squares(2).facts, small)


def trained(name: str, config: AutoencoderConfig, steps: int, data: Squares):
    torch.manual_seed(0)
    system = FAMILIES[name]
    network = system.build(config)
    optimizer = system.optimizers(network, {"learning_rate": 5e-3})["main"]
    rng = torch.Generator().manual_seed(0)
    values = []
    for step in range(steps):
        for loss in system.losses(
            network, Batch(data.pictures, data.labels("train")), StepContext(step, steps, rng, {})
        ):
            optimizer.zero_grad()
            loss.value.backward()
            optimizer.step()
            values.append(loss.shown["reconstruction"])
    return network.eval(), values


@pytest.fixture(scope="module")
def learnt():
    data, config = Squares(), tiny("VAEF", components=3)
    return data, config, *trained("VAEF", config, 150, data)


@pytest.mark.parametrize("name", ["AE", "VAE2", "VAEF"])
@pytest.mark.parametrize("side", [16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_size_and_channel_count_round_trips_in_shape(name, side, channels):
    config = FAMILIES[name].config(DataFacts(side, side, channels, 4), {})
    network = FAMILIES[name].build(config)
    mu, logvar = network.encoder(torch.zeros(2, channels, side, side))
    image = network.decoder(mu)
    assert mu.shape == logvar.shape == (2, config.latent)
    assert image.shape == (2, channels, side, side)
    assert image.abs().max() <= 1


def test_the_map_has_two_dimensions_unless_told_otherwise():
    assert FAMILIES["VAE2"].config(Squares(2).facts, {}).latent == 2


@pytest.mark.parametrize("name", ["AE", "VAE2"])
def test_training_lowers_the_reconstruction(name):
    _, values = trained(name, tiny(name), 60, Squares())
    assert values[-1] < 0.6 * values[0]


def test_the_same_generator_gives_the_same_losses():
    data = Squares(8)
    assert trained("VAEF", tiny("VAEF"), 3, data)[1] == trained("VAEF", tiny("VAEF"), 3, data)[1]


def test_no_dimension_collapses(learnt):
    data, config, network, _ = learnt
    batch = Batch(data.pictures, data.labels("valid"))
    told = FAMILIES["VAEF"].validate(network, config, batch, torch.Generator())
    assert told["active_dimensions"] >= 2
    assert 1 < told["kl_nats"] < 100


def test_an_attribute_slider_moves_pictures_the_right_way(learnt):
    data, config, network, _ = learnt
    vector = FAMILIES["VAEF"].parts(network, config, data).settings["attributes"]["right"]["vector"]
    left = encoded(network, data.pictures[~data.flags[:, 0]])[0]
    with torch.no_grad():
        before, after = network.decoder(left), network.decoder(left + 3 * torch.tensor(vector))
    half = SIDE // 2
    assert (before[..., :half].mean() > before[..., half:].mean()).item()
    moved = after[..., half:].mean(dim=(1, 2, 3)) > after[..., :half].mean(dim=(1, 2, 3))
    assert moved.float().mean() > 0.8


def test_a_direction_is_the_difference_of_means_with_a_useful_length():
    mu = torch.tensor([[0.0, 0.0], [0.0, 2.0], [6.0, 0.0], [6.0, 2.0]])
    flags = torch.tensor([[False], [False], [True], [True]])
    direction = attribute_directions(mu, flags, ("Big nose",))["big-nose"]
    assert direction == {"vector": pytest.approx([2.0, 0.0]), "label": "Big nose"}


def test_an_attribute_of_one_picture_gets_no_slider():
    flags = torch.tensor([[True], [False], [False], [False]])
    assert attribute_directions(torch.randn(4, 3), flags, ("Rare",)) == {}


def test_the_package_has_a_slider_and_a_fitted_prior(learnt):
    data, config, network, _ = learnt
    parts = FAMILIES["VAEF"].parts(network, config, data)
    assert [control.name for control in parts.controls] == ["truncation", "attr:right"]
    prior = load(parts.files["prior.safetensors"])
    assert {name: tuple(value.shape) for name, value in prior.items()} == {
        "weights": (3,), "means": (3, 4), "stds": (3, 4),
    }  # fmt: skip
    assert float(prior["weights"].sum()) == pytest.approx(1)
    made = FAMILIES["VAEF"].sample(network, config, seeds=[1, 2, 1], labels=torch.zeros(3, 0))
    assert np.array_equal(made[0], made[2])
    assert np.abs(made[0] - made[1]).max() > 0.05


def test_an_autoencoder_samples_from_the_box_of_its_codes():
    data, config = Squares(), tiny("AE")
    network, _ = trained("AE", config, 5, data)
    settings = FAMILIES["AE"].parts(network, config, data).settings
    mu = encoded(network, data.pictures)[0]
    assert settings["prior"] == "box"
    assert settings["box_low"] == pytest.approx(mu.amin(0).tolist())
    made = FAMILIES["AE"].sample(network, config, seeds=[1, 2], labels=torch.zeros(2, 0))
    assert made.shape == (2, 1, SIDE, SIDE)


def test_a_mixture_finds_two_clouds_and_their_widths():
    rng = torch.Generator().manual_seed(0)
    points = torch.cat([torch.randn(300, 2, generator=rng) * 0.5 - 4, torch.randn(100, 2, generator=rng) + 4])
    weights, means, stds = fit_mixture(points, torch.zeros(400, 2), components=2)
    order = weights.argsort(descending=True)
    assert weights[order].tolist() == pytest.approx([0.75, 0.25], abs=0.02)
    assert means[order].mean(dim=1).tolist() == pytest.approx([-4, 4], abs=0.25)
    assert stds[order].mean(dim=1).tolist() == pytest.approx([0.5, 1.0], abs=0.12)


def test_a_mixture_with_more_components_than_points_keeps_its_height():
    weights, means, _ = fit_mixture(torch.randn(6, 3), torch.ones(6, 3), components=8)
    assert means.shape == (8, 3)
    assert float(weights.sum()) == pytest.approx(1)
