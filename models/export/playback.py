"""The runtime that plays graphs, on the processor, for comparison with the original."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray


class Session:
    """One graph, ready to run."""

    def __init__(self, path: Path) -> None:
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs by name."""
        outputs: list[Any] = list(self._session.run(self._names, dict(feeds)))
        return dict(zip(self._names, outputs, strict=True))


def open_session(path: Path, *, device: str = "cpu") -> Session:
    """A session on the processor."""
    assert device == "cpu"
    return Session(path)
