"""Figures of a starter on held-out pictures, each beside the baseline that it must beat."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from models.core.data import MemoryDataset
from models.core.family import Batch, Family
from models.core.metrics import (
    coverage,
    cross_entropy,
    diversity,
    frechet_distance,
    memorisation,
    neighbour_accuracy,
    squared_error,
)
from models.starters.bench import MADE, SEED, Bench
from models.starters.looks import PIXEL_LOOKS, looks
from studio.core.manifest import Metric
from studio.runtime.pixels import to_picture

FEW = 96
SLOW_MADE, SLOW_FEW = 256, 24  # a diffusion sample costs forty passes, one of a hundred steps two hundred
ATTRIBUTE_STRENGTH = 4.0
_KIND_WORD = {"3-D style": "3-D", "Face": "face", "Person": "person"}


@dataclass(frozen=True)
class Tested:
    """A network under test: ``command`` repeats the measurement."""

    family: Family
    network: Any
    config: Any
    data: MemoryDataset
    command: str

    def sampled(self, count: int, labels: Tensor, *, steps: int = 20, seed: int = SEED) -> Tensor:
        """``(count, C, H, W)`` pictures of ``labels (count, K)``, picture i with seed ``seed + i``."""
        parts: list[Tensor] = []
        for start in range(0, count, 64):
            seeds = list(range(seed + start, seed + min(start + 64, count)))
            made = self.family.sample(
                self.network, self.config, seeds=seeds, labels=labels[start : start + 64], steps=steps
            )
            parts.append(torch.from_numpy(np.ascontiguousarray(made, dtype=np.float32)).clamp(-1, 1))
        return torch.cat(parts)

    def metric(
        self,
        name: str,
        value: float,
        baseline: tuple[str, float],
        better: Literal["lower", "higher"],
        *,
        note: str = "",
    ) -> Metric:
        """A `Metric` of this measurement."""
        return Metric(name, round(value, 5), round(baseline[1], 5), baseline[0], better, self.command, SEED, note)


def evaluate(tested: Tested, bench: Bench) -> tuple[Metric, ...]:
    """All figures that fit the family of ``tested``."""
    labels, wanted = _labels(tested, bench)
    made = tested.sampled(len(labels), labels)
    metrics = [*_shared(tested, bench, made)]
    if tested.data.facts.labels:
        metrics += _conditional(tested, bench, made, wanted)
    if tested.family.id == "DDM":
        metrics += _diffusion(tested, bench, made, labels)
    elif hasattr(tested.network, "critic"):
        metrics += _adversarial(tested, bench, made)
    else:
        metrics += _autoencoder(tested, bench, made)
    return tuple(metrics)


def _labels(tested: Tested, bench: Bench) -> tuple[Tensor, Tensor]:
    """Class vectors ``(N, K)`` and indices, in the proportions of the training pictures, shuffled once."""
    count = SLOW_MADE if tested.family.id == "DDM" else MADE
    rng = torch.Generator().manual_seed(SEED)
    wanted = bench.train_classes[torch.randint(len(bench.train_classes), (count,), generator=rng)]
    return (torch.eye(len(bench.classes))[wanted] if tested.data.facts.labels else torch.zeros(count, 0)), wanted


def _shared(tested: Tested, bench: Bench, made: Tensor) -> Iterator[Metric]:
    flat = bool(getattr(tested.config, "latent", 0) == 2)
    trivial = (bench.principal(2).sampled(MADE, bench.train.shape, seed=SEED) if flat else bench.trivial)[: len(made)]
    trivial_name = f"Gaussian in PCA-{2 if flat else 64} space"
    features, trivial_features = bench.judge.features(made), bench.judge.features(trivial)
    yield tested.metric(
        "feature distance",
        frechet_distance(features, bench.features),
        (trivial_name, frechet_distance(trivial_features, bench.features)),
        "lower",
        note=f"{len(made)} samples against the training pictures, features of an own classifier (held-out accuracy "
        f"{bench.judge.accuracy:.3f}); floor, held-out pictures: {bench.floor:.3f}; "
        f"PCA-64 Gaussian: {bench.ceiling:.3f}.",
    )
    real = bench.valid_features[:1000]
    yield tested.metric(
        "coverage of held-out pictures",
        coverage(real, features),
        (trivial_name, coverage(real, trivial_features)),
        "higher",
        note="Share with a sample nearer than the fifth real neighbour, in the same features; "
        f"training pictures reach {coverage(real, bench.features[: len(made)]):.3f}.",
    )
    shares = bench.judge.probabilities(made).argmax(1).bincount(minlength=len(bench.classes)) / len(made)
    fair = bench.train_classes.bincount(minlength=len(bench.classes)) / len(bench.train_classes)
    yield tested.metric(
        "classes reached",
        float((shares >= fair / 4).double().mean()),
        ("a generator of one class", 1 / len(bench.classes)),
        "higher",
        note="Share of classes that get at least a quarter of their real frequency.",
    )
    yield tested.metric(
        "newness",
        memorisation(made, bench.valid, bench.train),
        ("alarm for copies", 0.5),
        "higher",
        note="Median distance to the nearest training picture, over that of held-out pictures; 0 is a copy. "
        f"The trivial generator: {memorisation(trivial, bench.valid, bench.train):.3f}.",
    )


def _conditional(tested: Tested, bench: Bench, made: Tensor, wanted: Tensor) -> Iterator[Metric]:
    told = bench.judge.probabilities(made).argmax(dim=1)
    agreement = float((told == wanted).double().mean())
    often = float(bench.train_classes.bincount().max() / len(bench.train_classes))
    yield tested.metric(
        "class agreement",
        agreement,
        ("always the most frequent class", often),
        "higher",
        note="An own classifier finds the class asked for; "
        f"on held-out real pictures it is right for {bench.judge.accuracy:.3f}.",
    )
    features = bench.judge.features(made)
    ratios = [
        diversity(features[wanted == index]) / diversity(bench.features[bench.train_classes == index])
        for index in range(len(bench.classes))
        if int((wanted == index).sum()) > 4
    ]
    yield tested.metric(
        "variety within a class",
        float(np.mean(ratios)),
        ("alarm for collapse", 0.6),
        "higher",
        note="Mean distance between two samples of a class over that of two real ones; "
        f"the least varied class: {min(ratios):.3f}.",
    )


def _diffusion(tested: Tested, bench: Bench, made: Tensor, labels: Tensor) -> Iterator[Metric]:
    held = _held(tested)
    rng = torch.Generator().manual_seed(SEED)
    told = tested.family.validate(tested.network, tested.config, held, rng)
    yield tested.metric(
        "noise error at mid noise",
        told["noise_error_mid"],
        ("predicting zero", told["zero_error_mid"]),
        "lower",
        note="Mean absolute error on held-out pictures; "
        f"{told['zero_error_mid'] / told['noise_error_mid']:.1f} times less than zero.",
    )
    fine = tested.sampled(SLOW_FEW, labels[:SLOW_FEW], steps=100)
    moved = squared_error(fine, made[:SLOW_FEW]) ** 0.5
    other = squared_error(fine, made[SLOW_FEW : 2 * SLOW_FEW]) ** 0.5
    yield tested.metric(
        "20 steps against 100",
        moved,
        ("two different seeds", other),
        "lower",
        note="Root mean square difference of the same seeds, values in [0, 1].",
    )


def _adversarial(tested: Tested, bench: Bench, made: Tensor) -> Iterator[Metric]:
    rng = torch.Generator().manual_seed(SEED)
    told = tested.family.validate(tested.network, tested.config, _held(tested), rng)
    yield tested.metric(
        "critic gradient away from 1",
        abs(told["gradient_norm"] - 1),
        ("target", 0.2),
        "lower",
        note=f"Mean length of the critic's gradient between held-out and made pictures: {told['gradient_norm']:.3f}.",
    )
    yield tested.metric(
        "critic prefers held-out pictures",
        told["real_ranked_higher"],
        ("a coin", 0.5),
        "higher",
        note="Share of pairs in which the real one scores higher.",
    )


def _autoencoder(tested: Tested, bench: Bench, made: Tensor) -> Iterator[Metric]:
    network, dimensions = tested.network, tested.config.latent
    with torch.no_grad():
        codes = torch.cat([network.encoder(part)[0] for part in bench.valid.split(256)])
    rebuilt = _decoded(tested, codes)
    linear = bench.principal(dimensions)
    flat = linear.rebuilt(bench.valid)
    name = f"PCA of {dimensions} dimensions"
    yield tested.metric(
        "reconstruction error",
        squared_error(rebuilt, bench.valid),
        (name, squared_error(flat, bench.valid)),
        "lower",
        note="Mean squared error on held-out pictures, values in [0, 1].",
    )
    if tested.config.likelihood == "bernoulli":
        yield tested.metric(
            "reconstruction cross-entropy",
            cross_entropy(rebuilt, bench.valid),
            (name, cross_entropy(flat, bench.valid)),
            "lower",
            note=f"Per value; floor, since targets are grey: {cross_entropy(bench.valid, bench.valid):.4f}.",
        )
    if dimensions == 2:
        yield from _plane(tested, bench, made, codes)
    else:
        yield from _edits(tested, bench, codes)


def _plane(tested: Tested, bench: Bench, made: Tensor, codes: Tensor) -> Iterator[Metric]:
    with torch.no_grad():
        train_codes = torch.cat([tested.network.encoder(part)[0] for part in bench.train.split(256)])
    linear = bench.principal(2)
    accuracies = [
        neighbour_accuracy(first, bench.train_classes, second, bench.valid_classes)
        for first, second in ((train_codes, codes), (linear.codes(bench.train), linear.codes(bench.valid)))
    ]
    mean, std = codes.mean(dim=0).tolist(), codes.std(dim=0).tolist()
    yield tested.metric(
        "class of 15 neighbours on the map",
        accuracies[0],
        ("PCA of 2 dimensions", accuracies[1]),
        "higher",
        note=f"Codes of held-out pictures: mean {mean[0]:.2f}, {mean[1]:.2f}, spread {std[0]:.2f}, {std[1]:.2f}.",
    )
    sure = [
        float((bench.judge.probabilities(x).amax(1) >= 0.5).double().mean())
        for x in (made, linear.sampled(MADE, bench.train.shape, seed=SEED))
    ]
    yield tested.metric(
        "samples that are clearly of a class",
        sure[0],
        ("Gaussian in PCA-2 space", sure[1]),
        "higher",
        note="Share that an own classifier names with at least one half confidence.",
    )


def _edits(tested: Tested, bench: Bench, codes: Tensor) -> Iterator[Metric]:
    directions: dict[str, dict[str, Any]] = tested.family.parts(tested.network, tested.config, tested.data).settings[
        "attributes"
    ]
    flags, names = tested.data.attributes("valid"), tested.data.facts.attributes
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    for direction in directions.values():
        label = direction["label"]
        without = codes[~flags[:, names.index(label)]][:FEW]
        vector = torch.tensor(direction["vector"])
        before[label] = _shows(label, tested, bench, without)
        after[label] = _shows(label, tested, bench, without + ATTRIBUTE_STRENGTH * vector)
    told = ", ".join(f"{label} {after[label]:.2f}" for label in after)
    yield tested.metric(
        "attributes gained",
        float(np.mean(list(after.values()))),
        ("the same codes unedited", float(np.mean(list(before.values())))),
        "higher",
        note=f"Share of held-out pictures without it that show it at slider {ATTRIBUTE_STRENGTH:g}: {told}.",
    )
    half = len(codes) // 2
    first, second = bench.valid[:half], bench.valid[half : 2 * half]
    middle = (codes[:half] + codes[half : 2 * half]) / 2
    yield tested.metric(
        "feature distance half-way in a morph",
        bench.distance(_decoded(tested, middle)),
        ("average of the two pictures", bench.distance((first + second) / 2)),
        "lower",
        note="Between random pairs of held-out pictures.",
    )


def _shows(label: str, tested: Tested, bench: Bench, codes: Tensor) -> float:
    """Share of decoded codes that show an attribute: computed from the pixels, or told by the judge of kinds."""
    images = _decoded(tested, codes)
    if label in PIXEL_LOOKS:
        return float(np.mean([label in looks(to_picture(image)) for image in images.numpy()]))
    wanted = _KIND_WORD.get(label, label)
    columns = [index for index, name in enumerate(bench.classes) if wanted in name.split(" ")]
    return float((bench.judge.probabilities(images)[:, columns].sum(dim=1) > 0.5).double().mean())


def _decoded(tested: Tested, codes: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([tested.network.decoder(part) for part in codes.split(256)])


def _held(tested: Tested) -> Batch:
    return Batch(tested.data.images("valid")[:FEW], tested.data.labels("valid")[:FEW])
