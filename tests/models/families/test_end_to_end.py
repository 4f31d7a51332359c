"""From pictures on disk to a package whose samples the studio plays exactly as the original makes them."""

import msgspec
import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from models.core.events import Emitter
from models.core.loop import Trainer
from models.core.setup import prepare
from models.core.steering import Steering
from models.export.finish import publish_run
from models.export.publish import Description
from models.families import FAMILIES
from models.starters.playing import play
from studio.core.dataset import ITEMS_NAME, Item, encode_items
from studio.core.protocol import RunSpec
from studio.runtime.packages import open_package

CONFIGS = {
    "AE": {"widths": [8, 16], "blocks": [0, 1]},
    "VAE2": {"widths": [8, 16], "blocks": [0, 1]},
    "VAEF": {"widths": [8, 16], "blocks": [0, 1], "latent": 6, "components": 2},
    "WGANGP": {"generator_widths": [8, 16], "critic_widths": [8, 16], "latent": 6},
    "DDM": {"widths": [8, 16], "blocks": [1, 1], "embedding": 16},
}
CLASSED = {"WGANGP", "DDM"}


@pytest.fixture
def dataset(tmp_path):
    """Twelve opaque pictures of two classes; one attribute."""
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    items = []
    for index in range(12):
        picture = np.full((16, 16, 3), 40 + 150 * (index % 2), np.uint8)
        picture[index % 8 : index % 8 + 4, 4:12] = rng.integers(0, 255, 3)
        Image.fromarray(picture).save(folder / f"{index}.png")
        bright = ("Bright",) if index % 2 else ()
        split = "valid" if index >= 10 else "train"
        items.append(Item(f"{index}.png", split, label="ab"[index % 2], attributes=bright))
    (folder / ITEMS_NAME).write_bytes(encode_items(tuple(items)))
    return folder


@pytest.mark.parametrize("name", list(CONFIGS))
def test_a_trained_family_becomes_a_package_that_plays_the_same(name, dataset, tmp_path, monkeypatch):
    if name not in CLASSED:
        lines = [msgspec.structs.replace(item, label="") for item in _items(dataset)]
        (dataset / ITEMS_NAME).write_bytes(encode_items(tuple(lines)))
    run = tmp_path / "run"
    run.mkdir()
    settings = {"steps": 3, "batch": 6, "seed": 1, "sheet": 2, "sample_s": 9999.0}
    spec = RunSpec(name, str(dataset), "tiny", "Tiny", config=CONFIGS[name], settings=settings, threads=1)
    emitter = Emitter(run)
    job = prepare(run, spec, FAMILIES[name], device="cpu")
    trainer = Trainer(job, emitter=emitter, steering=Steering(run, since_s=psutil.Process().create_time()))
    assert trainer.run().phase == "finished"
    folder = publish_run(trainer, description=Description(summary="x"), play=play)
    emitter.close()

    manifest = open_package(folder, trusted=True).manifest
    assert all(check.passed for check in manifest.parity)
    assert any("PSNR" in check.check for check in manifest.parity)
    assert manifest.labels == (("a", "b") if name in CLASSED else ())
    assert {path.suffix for path in folder.iterdir()} <= {".onnx", ".safetensors", ".png", ".json"}
    rebuilt = FAMILIES[name].build(msgspec.convert(manifest.config, FAMILIES[name].Config))
    assert sum(p.numel() for p in rebuilt.parameters()) == sum(p.numel() for p in job.network.parameters())
    assert torch.isfinite(next(rebuilt.parameters())).all()


def _items(folder):
    return [msgspec.json.decode(line, type=Item) for line in (folder / ITEMS_NAME).read_bytes().splitlines()]
