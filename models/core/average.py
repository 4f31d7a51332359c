"""The exponential moving average of the weights, which is what is sampled and exported."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class Average:
    """The moving average of one module, buffers (running statistics) included.

    Early on the decay is ``(1 + n) / (10 + n)``, so that the average forgets the untrained weights quickly.

    Args:
        module: the live module to follow.
        decay: weight of the past, such as 0.999.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        def blend(old: Sequence[Tensor], new: Sequence[Tensor], count: Tensor | int) -> None:
            keep = min(decay, (1 + int(count)) / (10 + int(count)))
            for average, current in zip(old, new, strict=True):
                if average.is_floating_point():
                    average.lerp_(current.to(average.dtype), 1 - keep)
                else:
                    average.copy_(current)

        self._module = module
        self._averaged = AveragedModel(module, multi_avg_fn=torch.no_grad()(blend), use_buffers=True)

    def update(self) -> None:
        """Take in the live weights; once per step."""
        self._averaged.update_parameters(self._module)

    def state(self) -> dict[str, Tensor]:
        """Tensors for a checkpoint."""
        return cast("dict[str, Tensor]", self._averaged.state_dict())

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self._averaged.load_state_dict(tensors, strict=True)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it the live module has the averaged weights; the trained ones come back bit by bit, also on errors."""
        trained = {name: value.clone() for name, value in self._module.state_dict().items()}
        try:
            self._module.load_state_dict(self._averaged.module.state_dict())
            yield
        finally:
            self._module.load_state_dict(trained)
