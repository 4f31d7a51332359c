"""A look into an ONNX file without loading it: a reader of the protobuf wire format that knows where danger can lie.

A malformed or hostile graph can crash ONNX Runtime, reach for files outside the package or bring its own operators, so
nothing is handed to the runtime before this scan passed. It refuses, never repairs. Field numbers are those of the
public ``onnx.proto`` (IR version 10).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from studio.core.errors import PackageError

MAX_BYTES = 2**31 - 1  # protobuf's own limit for one message
DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})
RANDOM_OPS = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli", "Sampling"}
)
FOREIGN_OPS = frozenset({"ATen", "PythonOp", "PythonOpGrad", "PyOp", "TritonOp", "ExternalOp", "EPContext", "SNPE"})
"""Operators that run code or read files of their own."""

_MAX_DEPTH = 24
_MAX_NODES = 1_000_000
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NUMBER = re.compile(r"[0-9]{1,18}")

# ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto: the fields that are looked at.
_MODEL_IR, _MODEL_GRAPH, _MODEL_OPSET, _MODEL_TRAINING, _MODEL_FUNCTION = 1, 7, 8, 20, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_SPARSE = 1, 5, 11, 12, 15
_NODE_OP, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTR_TENSOR, _ATTR_GRAPH, _ATTR_TENSORS, _ATTR_GRAPHS, _ATTR_SPARSE, _ATTR_SPARSES = 5, 6, 10, 11, 22, 23
_TENSOR_NAME, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 8, 13, 14
_EXTERNAL = 1


@dataclass
class OnnxFacts:
    """What a scan saw.

    Attributes:
        inputs: names of the graph's inputs that are not initializers, in order.
        outputs: names of its outputs, in order.
        external: names of the files that hold its external data.
        nodes: how many nodes, nested graphs included.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    external: set[str] = field(default_factory=set[str])
    nodes: int = 0


class _BadWireError(ValueError):
    """The bytes are not a protobuf message."""


def scan_onnx(data: bytes, name: str, listed: Mapping[str, int]) -> OnnxFacts:
    """Check the ONNX model in ``data``.

    Args:
        data: the whole file.
        name: its file name, for the sentence.
        listed: size in bytes of every file in which the manifest allows external data.

    Raises:
        PackageError: not an ONNX model, a custom operator domain, randomness inside, external data outside the listed
            files or past their end.
    """
    if len(data) > MAX_BYTES:
        raise PackageError(
            f"The graph {name} is larger than an ONNX file can be.", "Keep its weights in external data."
        )
    scan = _Scan(name, listed)
    try:
        scan.model(memoryview(data))
    except (_BadWireError, UnicodeDecodeError) as error:
        raise PackageError(
            f"The graph {name} is not an ONNX model: {error}.", "Ask for a fresh copy of the package."
        ) from error
    return scan.facts


class _Scan:
    """One pass over one file. Methods are called with the bytes of one message each."""

    def __init__(self, name: str, listed: Mapping[str, int]) -> None:
        self.facts = OnnxFacts()
        self._name = name
        self._listed = listed

    def model(self, data: memoryview) -> None:
        graph: memoryview | None = None
        versioned = False
        for number, value in _fields(data, single=(_MODEL_IR, _MODEL_GRAPH)):
            if number == _MODEL_IR:
                versioned = isinstance(value, int) and value > 0
            elif number == _MODEL_GRAPH:
                graph = _message(value)
            elif number == _MODEL_OPSET:
                self._domain(_text_field(_message(value), 1))
            elif number == _MODEL_TRAINING:
                raise PackageError(f"The graph {self._name} carries training graphs.", "Export it for inference only.")
            elif number == _MODEL_FUNCTION:
                raise PackageError(f"The graph {self._name} defines functions of its own.", "Export it inlined.")
        if graph is None or not versioned:
            raise _BadWireError("it has no version or no graph")
        self.graph(graph, 0)

    def graph(self, data: memoryview, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise _BadWireError("its graphs are nested too deeply")
        inputs: list[str] = []
        outputs: list[str] = []
        constants: set[str] = set()
        for number, value in _fields(data):
            if number == _GRAPH_NODE:
                self._node(_message(value), depth)
            elif number == _GRAPH_INITIALIZER:
                constants.add(self._tensor(_message(value)))
            elif number == _GRAPH_INPUT:
                inputs.append(_text_field(_message(value), 1))
            elif number == _GRAPH_OUTPUT:
                outputs.append(_text_field(_message(value), 1))
            elif number == _GRAPH_SPARSE:
                self._sparse(_message(value))
        if depth == 0:
            self.facts.inputs = tuple(name for name in inputs if name not in constants)
            self.facts.outputs = tuple(outputs)

    def _node(self, data: memoryview, depth: int) -> None:
        self.facts.nodes += 1
        if self.facts.nodes > _MAX_NODES:
            raise _BadWireError("it has too many nodes")
        for number, value in _fields(data, single=(_NODE_OP, _NODE_DOMAIN)):
            if number == _NODE_OP:
                self._operator(_text(value))
            elif number == _NODE_DOMAIN:
                self._domain(_text(value))
            elif number == _NODE_ATTRIBUTE:
                self._attribute(_message(value), depth)

    def _attribute(self, data: memoryview, depth: int) -> None:
        for number, value in _fields(data, single=(_ATTR_TENSOR, _ATTR_GRAPH, _ATTR_SPARSE)):
            if number in (_ATTR_GRAPH, _ATTR_GRAPHS):
                self.graph(_message(value), depth + 1)
            elif number in (_ATTR_TENSOR, _ATTR_TENSORS):
                self._tensor(_message(value))
            elif number in (_ATTR_SPARSE, _ATTR_SPARSES):
                self._sparse(_message(value))

    def _sparse(self, data: memoryview) -> None:
        for number, value in _fields(data, single=(1, 2)):
            if number in (1, 2):
                self._tensor(_message(value))

    def _tensor(self, data: memoryview) -> str:
        """Check one tensor and return its name."""
        name = ""
        external = False
        places: dict[str, str] = {}
        for number, value in _fields(data, single=(_TENSOR_NAME, _TENSOR_LOCATION)):
            if number == _TENSOR_NAME:
                name = _text(value)
            elif number == _TENSOR_LOCATION:
                external = value == _EXTERNAL
            elif number == _TENSOR_EXTERNAL:
                key, place = _entry(_message(value))
                if key in places:
                    raise _BadWireError("a tensor says twice where its data lies")
                places[key] = place
        if external or places:
            self._external(places)
        return name

    def _external(self, places: Mapping[str, str]) -> None:
        location = places.get("location", "")
        offset, length = places.get("offset", "0"), places.get("length", "0")
        if not _PLAIN.fullmatch(location) or location not in self._listed:
            raise PackageError(
                f"The graph {self._name} wants data from {location[:80]!r}, which is not a file of this package.",
                "Ask for a package that holds all of its data.",
            )
        if not _NUMBER.fullmatch(offset) or not _NUMBER.fullmatch(length):
            raise _BadWireError("the place of its external data is not a number")
        if int(offset) + int(length) > self._listed[location]:
            raise PackageError(
                f"The graph {self._name} wants data past the end of {location}.", "Ask for a fresh copy of the package."
            )
        self.facts.external.add(location)

    def _domain(self, domain: str) -> None:
        if domain not in DOMAINS:
            raise PackageError(
                f"The graph {self._name} needs operators of the domain {domain[:80]!r}, which Reverie never loads.",
                "Export it with standard ONNX operators.",
            )

    def _operator(self, name: str) -> None:
        if name in RANDOM_OPS:
            raise PackageError(
                f"The graph {self._name} makes its own random numbers ({name}), so a seed could not repeat a result.",
                "Export it with the noise as a named input.",
            )
        if name in FOREIGN_OPS:
            raise PackageError(
                f"The graph {self._name} uses {name}, which reads files or runs code of its own.",
                "Export it with standard ONNX operators.",
            )


def _fields(data: memoryview, single: tuple[int, ...] = ()) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values of one message; a field of ``single`` that comes twice is refused: readers differ."""
    position, end = 0, len(data)
    seen: set[int] = set()
    while position < end:
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise _BadWireError("it has a field without a number")
        if number in single:
            if number in seen:
                raise _BadWireError("a field that may stand once stands twice")
            seen.add(number)
        if wire == 0:
            value, position = _varint(data, position)
            yield number, value
        elif wire == 2:
            length, position = _varint(data, position)
            if length > end - position:
                raise _BadWireError("it ends in the middle")
            yield number, data[position : position + length]
            position += length
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
            if position > end:
                raise _BadWireError("it ends in the middle")
        else:
            raise _BadWireError("it is not a protobuf message")


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if position >= len(data):
            raise _BadWireError("it ends in the middle")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise _BadWireError("it holds a number that is too long")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _BadWireError("a number stands where a message should")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_message(value)).decode("utf-8")


def _text_field(data: memoryview, wanted: int) -> str:
    for number, value in _fields(data, single=(wanted,)):
        if number == wanted:
            return _text(value)
    return ""


def _entry(data: memoryview) -> tuple[str, str]:
    key = value = ""
    for number, raw in _fields(data, single=(1, 2)):
        if number == 1:
            key = _text(raw)
        elif number == 2:
            value = _text(raw)
    return key, value
