"""Structure-mutated ONNX files and what becomes of them; run in a child, because some crash ONNX Runtime."""

import random
from pathlib import Path

import onnx
import onnxruntime  # noqa: F401  # pyright: ignore[reportUnusedImport] - once, before children are forked
from onnx import TensorProto

from studio.core.package import Package
from studio.runtime.disposable_child import run_graphs
from studio.runtime.packages import open_package
from tests.package_kit import replace_graph


def mutate(data: bytes, seed: int) -> bytes:
    """A model that is still a protobuf but whose nodes, tensors, attributes or names are not what they were."""
    rng = random.Random(seed)
    model = onnx.load_from_string(data)
    for _ in range(rng.randint(1, 3)):
        rng.choice([_names, _operators, _attributes, _tensors, _order, _types, _values, _values])(model.graph, rng)
    return model.SerializeToString()


def _names(graph, rng):
    node = rng.choice(graph.node)
    ends = rng.choice([node.input, node.output])
    if ends:
        ends[rng.randrange(len(ends))] = rng.choice(
            ["", "nowhere", graph.input[0].name, graph.output[0].name, node.name]
        )


def _operators(graph, rng):
    kinds = ["Loop", "If", "Scan", "Gemm", "Conv", "Resize", "Gather", "Slice", "Einsum", "TopK", "Reshape", "LSTM"]
    rng.choice(graph.node).op_type = rng.choice(kinds)


def _attributes(graph, rng):
    node = rng.choice(graph.node)
    values = {"axis": rng.choice([-9, 0, 99, 2**40]), "to": rng.randint(-1, 40), "transA": 7, "perm": [3, 3, -1]}
    name = rng.choice(list(values))
    del node.attribute[:]
    node.attribute.append(onnx.helper.make_attribute(name, values[name]))


def _tensors(graph, rng):
    if not graph.initializer:
        return
    tensor = rng.choice(graph.initializer)
    change = rng.randrange(4)
    if change == 0 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice([0, -1, 1, 2**31, 2**40])
    elif change == 1:
        tensor.data_type = rng.randint(0, 30)
    elif change == 2:
        tensor.raw_data = tensor.raw_data[: rng.randrange(len(tensor.raw_data) + 1)]
    else:
        tensor.data_location = TensorProto.EXTERNAL


def _values(graph, rng):
    tensor = rng.choice(graph.initializer)
    data = bytearray(tensor.raw_data)
    for _ in range(rng.randint(1, 4)):
        if data:
            data[rng.randrange(len(data))] = rng.randint(0, 255)
    tensor.raw_data = bytes(data)


def _order(graph, rng):
    nodes = list(graph.node)
    rng.shuffle(nodes)
    del graph.node[:]
    graph.node.extend(nodes[: rng.randint(0, len(nodes))] + nodes[:1])


def _types(graph, rng):
    value = rng.choice([*graph.input, *graph.output])
    value.type.tensor_type.elem_type = rng.randint(0, 30)
    if value.type.tensor_type.shape.dim:
        value.type.tensor_type.shape.dim[0].dim_value = rng.choice([0, -1, 2**33])


def open_mutant(folder: str, role: str, seed: int) -> None:
    """Write the mutant into the package in ``folder`` and open it as a stranger's; exit codes as in fork_server."""
    place = Path(folder)
    original = place.parent / "original.onnx"
    replace_graph(place, role, mutate(original.read_bytes(), seed))
    package = open_package(place)
    run_graphs(Package(package.folder, package.manifest, package.sha256))
