"""What a starter is measured with: real pictures, a judge of their classes, and the trivial generator to beat."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load as decode_tensors
from safetensors.torch import save as encode_tensors
from torch import Tensor

from models.core.classifier import Judge, load_judge, train_judge
from models.core.data import MemoryDataset
from models.core.metrics import Principal, fit_principal, frechet_distance
from models.starters.preparation import classes_of
from studio.core.dataset import read_items
from studio.runtime.atomic import write_bytes

JUDGE_NAME = "judge.safetensors"
JUDGE_STEPS = 600
SEED = 1_000_000
"""First seed of measured samples, far from those of previews and from an artist's first tries."""
MADE = 768
TRIVIAL_DIMENSIONS = 64


@dataclass(frozen=True)
class Bench:
    """Everything that does not depend on the network under test.

    Attributes:
        train, valid: pictures ``(N, C, H, W) float32 in [-1, 1]``.
        train_classes, valid_classes: ``(N,)`` indices in ``classes``.
        features, valid_features: whitened, ``(N, F)``.
        floor: feature distance of held-out to training pictures.
        trivial: pictures of a Gaussian in the space of the first 64 principal components.
        ceiling: feature distance of ``trivial`` to training pictures.
    """

    classes: tuple[str, ...]
    train: Tensor
    valid: Tensor
    train_classes: Tensor
    valid_classes: Tensor
    judge: Judge
    features: Tensor
    valid_features: Tensor
    floor: float
    trivial: Tensor
    ceiling: float

    def distance(self, images: Tensor) -> float:
        """Feature distance of made pictures to the training pictures."""
        return frechet_distance(self.judge.features(images), self.features)

    def principal(self, dimensions: int) -> Principal:
        """The best linear code of the training pictures."""
        return fit_principal(self.train, dimensions)


def make_bench(data: MemoryDataset, dataset: Path, work: Path, *, steps: int = JUDGE_STEPS) -> Bench:
    """Train the judge, or load the one that ``work`` keeps, and measure floor and ceiling."""
    named = classes_of(dataset)
    items = read_items(dataset)
    classes = tuple(sorted(set(named.values())))
    place = {name: index for index, name in enumerate(classes)}
    sides = {
        split: torch.tensor([place[named[item.file]] for item in items if item.split == split])
        for split in ("train", "valid")
    }
    train, valid = data.images("train"), data.images("valid")
    judge = _judge(work / JUDGE_NAME, (train, sides["train"]), (valid, sides["valid"]), len(classes), steps)
    features, valid_features = judge.features(train), judge.features(valid)
    trivial = fit_principal(train, TRIVIAL_DIMENSIONS).sampled(MADE, train.shape, seed=SEED)
    return Bench(
        classes=classes,
        train=train,
        valid=valid,
        train_classes=sides["train"],
        valid_classes=sides["valid"],
        judge=judge,
        features=features,
        valid_features=valid_features,
        floor=frechet_distance(valid_features, features),
        trivial=trivial,
        ceiling=frechet_distance(judge.features(trivial), features),
    )


def _judge(path: Path, train: tuple[Tensor, Tensor], valid: tuple[Tensor, Tensor], classes: int, steps: int) -> Judge:
    if path.exists():
        return load_judge(decode_tensors(path.read_bytes()), train[0], valid, classes=classes)
    judge = train_judge(train, valid, classes=classes, steps=steps)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.contiguous() for name, value in judge.network.state_dict().items()}
    write_bytes(path, encode_tensors(tensors))
    return judge
