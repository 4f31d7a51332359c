"""A small classifier trained on the real classes of a data set: its features measure what a family makes."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.core.data import augmented
from models.core.layers import group_norm, picture_levels
from models.core.metrics import Whitening, fit_whitening

FEATURES = 64


class FeatureNet(nn.Module):
    """Convolutions that halve to 4 px, ``FEATURES`` numbers, one score per class."""

    def __init__(self, channels: int, size: tuple[int, int], classes: int) -> None:
        super().__init__()
        levels = picture_levels(size[1], size[0])
        layers: list[nn.Module] = []
        before = channels
        for width in (24, 48, 96, 128, 128)[:levels]:
            layers += [nn.Conv2d(before, width, 4, stride=2, padding=1), group_norm(width), nn.SiLU()]
            before = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, before, 3, padding=1), nn.SiLU())
        self.features = nn.Linear(before, FEATURES)
        self.classes = nn.Linear(FEATURES, classes)
        self.dropout = nn.Dropout(0.2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, C, H, W)`` to features ``(B, F)`` and class scores ``(B, K)``."""
        h = self.layers(images).mean(dim=(2, 3))  # (B, w)
        features = self.features(self.dropout(h))
        return features, self.classes(F.silu(features))


@dataclass(frozen=True)
class Judge:
    """A trained `FeatureNet` with the whitening of its training features and its accuracy on held-out pictures."""

    network: FeatureNet
    whitening: Whitening
    accuracy: float

    def features(self, images: Tensor) -> Tensor:
        """Whitened features ``(N, F)`` float64 of ``(N, C, H, W)``."""
        return self.whitening(_through(self.network, images)[0])

    def probabilities(self, images: Tensor) -> Tensor:
        """``(N, K)`` class probabilities."""
        return _through(self.network, images)[1].softmax(dim=1)


def train_judge(
    train: tuple[Tensor, Tensor], valid: tuple[Tensor, Tensor], *, classes: int, steps: int, seed: int = 0
) -> Judge:
    """Train on ``(images, class indices)``; every weight is a function of ``seed`` and the data."""
    images, targets = train
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        rng = torch.Generator().manual_seed(seed)
        network = FeatureNet(images.shape[1], (images.shape[2], images.shape[3]), classes)
        optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        settings = {"flip": True, "shift_px": 2}
        for _ in range(steps):
            rows = torch.randint(len(images), (64,), generator=rng)
            _, scores = network(augmented(images[rows], settings, rng))
            loss = F.cross_entropy(scores, targets[rows], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            decay.step()
    return judge_of(network, images, valid)


def load_judge(weights: Mapping[str, Tensor], train: Tensor, valid: tuple[Tensor, Tensor], *, classes: int) -> Judge:
    """The judge that was trained before, from its weights."""
    network = FeatureNet(train.shape[1], (train.shape[2], train.shape[3]), classes)
    network.load_state_dict(weights)
    return judge_of(network, train, valid)


def judge_of(network: FeatureNet, train: Tensor, valid: tuple[Tensor, Tensor]) -> Judge:
    """Whiten by the features of ``train`` and measure the accuracy on ``valid``."""
    network.eval()
    whitening = fit_whitening(_through(network, train)[0])
    scores = _through(network, valid[0])[1]
    return Judge(network, whitening, float((scores.argmax(dim=1) == valid[1]).double().mean()))


def _through(network: FeatureNet, images: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        parts = [network(part) for part in images.split(256)]
    return torch.cat([features for features, _ in parts]), torch.cat([scores for _, scores in parts])
