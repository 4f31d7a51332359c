"""One `GraphExport` to one ONNX file."""

import hashlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import onnx
import torch
from torch import Tensor

from models.core.family import GraphExport
from studio.core.errors import TrainingError
from studio.core.manifest import GraphSpec, TensorSpec
from studio.runtime.onnx_scan import RANDOM_OPS

MAX_BATCH = 65_536
_TRAINING_OPS = frozenset({"Dropout"})
_DTYPES: dict[torch.dtype, Literal["float32", "int64", "bool"]] = {
    torch.float32: "float32",
    torch.int64: "int64",
    torch.bool: "bool",
}


def export_graph(graph: GraphExport, folder: Path) -> GraphSpec:
    """Write ``<role>.onnx`` into ``folder`` and describe it.

    Raises:
        TrainingError: the module is in training mode, cannot be exported, or draws random numbers inside.
    """
    _check(graph)
    path = folder / f"{graph.role}.onnx"
    try:
        with _quiet(), torch.no_grad():
            # Traced here, because the exporter on its own silently bakes in a batch size that it cannot keep open.
            batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
            shapes = tuple({0: batch} for _ in graph.inputs)
            traced = torch.export.export(graph.module, tuple(graph.inputs.values()), dynamic_shapes=shapes)
            program = torch.onnx.export(
                traced,
                dynamo=True,
                external_data=False,
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_shapes=shapes,  # names the axis
                verbose=False,
            )
            outputs = _tuple(graph.module(*graph.inputs.values()))
        assert program is not None  # None only of the old exporter
        model: onnx.ModelProto = program.model_proto
    except (RuntimeError, torch.onnx.OnnxExporterError) as error:
        raise TrainingError(
            f"The {graph.role} graph of this network cannot be exported: {_first_line(error)}",
            "This is a fault of the model family, not of your data: a batch size taken by len(x) instead of x.shape[0]"
            " is baked in, for example.",
        ) from error
    refuse_random(model, graph.role)
    data = model.SerializeToString(deterministic=True)
    path.write_bytes(data)
    return GraphSpec(
        file=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        inputs=tuple(_spec(name, value) for name, value in graph.inputs.items()),
        outputs=tuple(_spec(name, value) for name, value in zip(graph.outputs, outputs, strict=True)),
    )


def refuse_random(model: onnx.ModelProto, role: str) -> None:
    """Refuse operators that draw random numbers or belong to training, in nested graphs and functions too.

    ``torch.randn_like`` exports without a warning, and then two runtimes simply disagree.

    Raises:
        TrainingError: there is one.
    """
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    found: set[str] = set()
    while nodes:
        node = nodes.pop()
        if node.op_type in RANDOM_OPS or node.op_type in _TRAINING_OPS or _trains(node):
            found.add(node.op_type)
        for attribute in node.attribute:
            nodes.extend(attribute.g.node)
            nodes.extend(inner for graph in attribute.graphs for inner in graph.node)
    if found:
        raise TrainingError(
            f"The {role} graph holds {', '.join(sorted(found))}: it would not give the same result twice.",
            "Every random tensor must be an input, and the network in evaluation mode.",
        )


def _check(graph: GraphExport) -> None:
    training = [name or "itself" for name, module in graph.module.named_modules() if module.training]
    if training:
        raise TrainingError(
            f"The {graph.role} graph is in training mode ({training[0]}).", "Call eval() on it before it is exported."
        )
    wrong = [name for name, value in graph.inputs.items() if value.dtype not in _DTYPES or len(value) != 2]
    if wrong:
        raise TrainingError(
            f"The {graph.role} graph's example of {wrong[0]!r} is not a batch of two.", "Give two examples per input."
        )


def _trains(node: Any) -> bool:
    return node.op_type == "BatchNormalization" and any(
        attribute.name == "training_mode" and attribute.i for attribute in node.attribute
    )


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


def _spec(name: str, value: Tensor) -> TensorSpec:
    return TensorSpec(name, _DTYPES[value.dtype], ("batch", *value.shape[1:]))


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter logs and warns about packages that are not installed and about its own old calls."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
