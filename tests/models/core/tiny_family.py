"""A tiny family with all that is hard to resume: batch norm, dropout, noise, two optimisers."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from models.core.events import Emitter
from models.core.family import Batch, DataFacts, Dataset, GraphExport, Loss, PackageParts, StepContext
from models.core.loop import Trainer
from models.core.setup import prepare
from models.core.steering import Steering, terminable
from studio.core.dataset import ITEMS_NAME, Item, encode_items
from studio.core.params import Param, Value
from studio.core.protocol import SPEC_NAME, RunSpec, TrainingEvent

LATENT = 4


class Config(msgspec.Struct, frozen=True):
    channels: int = 3
    size_px: int = 8


class Network(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        c, s = config.channels, config.size_px
        self.encoder = nn.Sequential(
            nn.Conv2d(c, 8, 3, padding=1), nn.SiLU(), nn.Flatten(), nn.Linear(8 * s * s, LATENT)
        )
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, 8 * s * s), nn.Unflatten(1, (8, s, s)), nn.BatchNorm2d(8), nn.Dropout(0.1),
            nn.Conv2d(8, c, 3, padding=1), nn.Tanh(),
        )  # fmt: skip


class Tiny:
    """An autoencoder whose halves take turns."""

    id = "TINY"
    pipeline = "latent-image/1"
    Config = Config
    judged_by: Mapping[str, str] = {"mse": "reconstruction error"}
    params = (Param("learning_rate", "float", 0.003, "Learning rate", low=0.0, high=1e9),)

    def config(self, facts: DataFacts, overrides: Mapping[str, Any]) -> Config:
        return Config(channels=facts.channels, size_px=facts.width_px)

    def build(self, config: Config) -> Network:
        return Network(config)

    def optimizers(self, network: Network, settings: Mapping[str, Value]) -> dict[str, torch.optim.Optimizer]:
        rate = float(settings["learning_rate"])
        return {
            "encoder": torch.optim.Adam(network.encoder.parameters(), lr=rate),
            "decoder": torch.optim.SGD(network.decoder.parameters(), lr=rate, momentum=0.9),
        }

    def losses(self, network: Network, batch: Batch, context: StepContext) -> Iterator[Loss]:
        for name in ("encoder", "decoder"):
            code = network.encoder(batch.images)
            code = code + 0.1 * torch.randn(code.shape, generator=context.rng)
            yield Loss(name, (network.decoder(code) - batch.images).square().mean())

    def averaged(self, network: Network) -> nn.Module:
        return network.decoder

    def sample(
        self, network: Network, config: Config, *, seeds: list[int], labels: Tensor, steps: int = 20
    ) -> np.ndarray:
        codes = [np.random.default_rng(seed).standard_normal(LATENT).astype(np.float32) for seed in seeds]
        return network.decoder(torch.from_numpy(np.stack(codes))).numpy()

    def validate(self, network: Network, config: Config, batch: Batch, rng: torch.Generator) -> dict[str, float]:
        made = network.decoder(network.encoder(batch.images))
        return {"mse": float((made - batch.images).square().mean())}

    def graphs(self, network: Network, config: Config) -> tuple[GraphExport, ...]:
        shape = (2, config.channels, config.size_px, config.size_px)
        image = torch.linspace(-1, 1, 2 * config.channels * config.size_px**2).reshape(shape)
        return (
            GraphExport(
                "decode", network.decoder, {"z": torch.linspace(-1, 1, 2 * LATENT).reshape(2, LATENT)}, ("image",)
            ),
            GraphExport("encode", network.encoder, {"image": image}, ("mu",)),
        )

    def parts(self, network: Network, config: Config, data: Dataset) -> PackageParts:
        return PackageParts((), {"latent_dim": LATENT, "prior": "normal"})


def make_data(folder: Path, *, items: int = 20, size_px: int = 8, channels: int = 3) -> Path:
    """A prepared data set of coloured noise; every fifth picture is held out."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    listed: list[Item] = []
    for index in range(items):
        pixels = rng.integers(0, 256, (size_px, size_px, channels), dtype=np.uint8)
        Image.fromarray(pixels.squeeze()).save(folder / f"{index}.png")
        split = "valid" if index % 5 == 4 else "train"
        listed.append(
            Item(f"{index}.png", split=split, label="ab"[index % 2], attributes=("odd",) if index % 2 else ())
        )
    (folder / ITEMS_NAME).write_bytes(encode_items(tuple(listed)))
    return folder


def make_run(run: Path, data: Path, *, base: str = "", **settings: Value) -> Path:
    """A run folder with its spec.json."""
    run.mkdir(parents=True)
    values: dict[str, Value] = {"steps": 12, "batch": 6, "flip": True, "shift_px": 1, "sheet": 4, **settings}
    spec = RunSpec("TINY", str(data), "tiny-one", "Tiny one", base=base, settings=values, threads=1)
    (run / SPEC_NAME).write_bytes(msgspec.json.encode(spec))
    return run


def trainer_of(
    run: Path,
    *,
    heard: Callable[[TrainingEvent], None] | None = None,
    family: Tiny | None = None,
    export: Callable[[Trainer], None] | None = None,
) -> Trainer:
    """The trainer of a run folder, at step 0."""
    spec = msgspec.json.decode((run / SPEC_NAME).read_bytes(), type=RunSpec)
    job = prepare(run, spec, family or Tiny(), device="cpu")
    return Trainer(job, emitter=Emitter(run, heard=heard), steering=Steering(run), export=export)


def weights_of(trainer: Trainer) -> dict[str, Tensor]:
    """Trained and averaged weights by name."""
    with trainer.finished_weights() as network:
        averaged = {f"averaged.{name}": value.clone() for name, value in network.state_dict().items()}
    return {**trainer.job.network.state_dict(), **averaged}


def train_in_child(run: str) -> None:
    """What a forked child runs."""
    trainer = trainer_of(Path(run))
    with terminable(trainer.steering):
        trainer.run()
