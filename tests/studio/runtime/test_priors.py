"""Places come from the prior that the manifest names."""

import msgspec
import numpy as np
import pytest
from safetensors.numpy import save

from studio.core.errors import PackageError
from studio.core.manifest import FileSpec, Manifest, Origin
from studio.core.package import Package
from studio.runtime.priors import LatentSettings, drawn_places, read_mixture

SEEDS = range(400)


def test_normal_is_scaled_by_truncation():
    settings = LatentSettings(latent_dim=16)
    places = drawn_places(SEEDS, settings)
    assert places.shape == (400, 16)
    assert places.dtype == np.float32
    assert places.std() == pytest.approx(1, abs=0.03)
    assert np.array_equal(drawn_places(SEEDS, settings, truncation=0.5), places / 2)
    assert not drawn_places(SEEDS, settings, truncation=0.0).any()


def test_box_is_filled_and_never_left():
    settings = LatentSettings(latent_dim=2, prior="box", box_low=(-1.0, 4.0), box_high=(3.0, 5.0))
    for truncation in (1.0, 1.5):
        places = drawn_places(SEEDS, settings, truncation=truncation)
        assert (places >= [-1, 4]).all()
        assert (places <= [3, 5]).all()
        assert places[:, 0].min() < -0.9
        assert places[:, 1].max() > 4.95
    assert drawn_places([1], settings, truncation=0.0).tolist() == [[1.0, 4.5]]


@pytest.fixture
def mixture_package(tmp_path):
    def make(tensors: dict[str, np.ndarray]) -> Package:
        data = save(tensors)
        (tmp_path / "prior.safetensors").write_bytes(data)
        manifest = Manifest(
            format=1, id="m", name="M", summary="", modality="image", pipeline="latent-image/1", family="VAEF",
            config={}, graphs={}, licence="CC0-1.0", origin=Origin("none", "", 0, "CC0-1.0"),
            files={"prior": FileSpec("prior.safetensors", "", len(data))},
        )  # fmt: skip
        return Package(tmp_path, manifest, "")

    return make


def test_mixture_draws_components_by_weight(mixture_package):
    package = mixture_package(
        {
            "weights": np.array([0.25, 0.75], np.float32),
            "means": np.array([[-10.0, 0.0], [10.0, 5.0]], np.float32),
            "stds": np.full((2, 2), 0.5, np.float32),
        }
    )
    settings = LatentSettings(latent_dim=2, prior="mixture")
    mixture = read_mixture(package, settings)
    places = drawn_places(SEEDS, settings, mixture)
    right = places[:, 0] > 0
    assert right.mean() == pytest.approx(0.75, abs=0.07)
    assert places[right].mean(axis=0) == pytest.approx([10, 5], abs=0.1)
    assert places[right].std(axis=0) == pytest.approx([0.5, 0.5], abs=0.06)
    centres = drawn_places(SEEDS, settings, mixture, truncation=0.0)
    assert np.array_equal(centres[right], np.repeat([[10.0, 5.0]], right.sum(), axis=0))


@pytest.mark.parametrize(
    "tensors",
    [
        {"weights": np.ones(1, np.float32)},
        {"weights": np.ones(1, np.float32), "means": np.ones((1, 3), np.float32), "stds": np.ones((1, 3), np.float32)},
        {"weights": np.ones(0, np.float32), "means": np.ones((0, 2), np.float32), "stds": np.ones((0, 2), np.float32)},
    ],
)
def test_damaged_mixtures_are_refused(mixture_package, tensors):
    with pytest.raises(PackageError, match="prior"):
        read_mixture(mixture_package(tensors), LatentSettings(latent_dim=2, prior="mixture"))


def test_missing_and_unreadable_mixture_files_are_refused(mixture_package, tmp_path):
    package = mixture_package({"weights": np.ones(1, np.float32)})
    settings = LatentSettings(latent_dim=2, prior="mixture")
    (tmp_path / "prior.safetensors").write_bytes(b"nonsense")
    with pytest.raises(PackageError, match="cannot be read"):
        read_mixture(package, settings)
    bare = Package(tmp_path, msgspec.structs.replace(package.manifest, files={}), "")
    with pytest.raises(PackageError, match="missing"):
        read_mixture(bare, settings)
    assert read_mixture(bare, LatentSettings(latent_dim=2)) is None


@pytest.mark.parametrize(
    "settings",
    [
        {"latent_dim": 0},
        {"latent_dim": 2, "prior": "box", "box_low": [0.0, 0.0]},
        {"latent_dim": 2, "attributes": {"smile": {"vector": [1.0]}}},
        {"latent_dim": 2, "prior": "cauchy"},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, LatentSettings)
