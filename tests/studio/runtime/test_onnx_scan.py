import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from studio.core.errors import PackageError
from studio.runtime.onnx_scan import RANDOM_OPS, scan_onnx
from tests.package_kit import FIXTURES

GOOD = (FIXTURES / "tiny-latent" / "decode.onnx").read_bytes()


def value(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2])


def model(*nodes, weights=(), domain=""):
    graph = helper.make_graph(list(nodes), "g", [value("x")], [value("y")], list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, 20)])


def external(location, **places):
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in {"location": location, **places}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(text)
    return tensor


def scan(proto, listed=None):
    return scan_onnx(proto.SerializeToString(), "g.onnx", listed or {})


def refused(proto, word, listed=None):
    with pytest.raises(PackageError, match=word) as caught:
        scan(proto, listed)
    assert caught.value.hint


RELU = helper.make_node("Relu", ["x"], ["y"])


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*/*.onnx")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_names_agree_with_onnx(path):
    proto = onnx.load(path)
    facts = scan_onnx(path.read_bytes(), path.name, {})
    assert facts.inputs == tuple(given.name for given in proto.graph.input)
    assert facts.outputs == tuple(given.name for given in proto.graph.output)
    assert facts.nodes == len(proto.graph.node)


def test_initializers_are_no_inputs():
    weight = numpy_helper.from_array(np.zeros(2, np.float32), "w")
    proto = model(RELU, weights=[weight])
    proto.graph.input.append(value("w"))
    assert scan(proto).inputs == ("x",)


@pytest.mark.parametrize("domain", ["evil.ops", "ai.onnx.ml", "com.microsoft.nchwc", "pkg.torch"])
def test_custom_domains(domain):
    refused(model(helper.make_node("Relu", ["x"], ["y"], domain=domain)), "domain")
    refused(model(RELU, domain=domain), "domain")


def test_contrib_operators_are_fine():
    assert scan(model(helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft"))).nodes == 1


@pytest.mark.parametrize("name", sorted(RANDOM_OPS))
def test_random_operators(name):
    refused(model(helper.make_node(name, ["x"], ["y"])), "random numbers")


def test_random_operator_in_a_branch():
    branch = helper.make_graph([helper.make_node("RandomNormalLike", ["x"], ["y"])], "b", [], [value("y")])
    refused(model(helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)), "random numbers")


def test_operators_with_code_of_their_own():
    refused(model(helper.make_node("EPContext", ["x"], ["y"], domain="com.microsoft")), "EPContext")


def test_functions_and_training_graphs():
    with_function = model(RELU)
    with_function.functions.append(
        helper.make_function("com.microsoft", "Relu", ["x"], ["y"], [RELU], [helper.make_opsetid("", 20)])
    )
    refused(with_function, "functions of its own")
    with_training = model(RELU)
    with_training.training_info.add()
    refused(with_training, "training graphs")


@pytest.mark.parametrize(
    "location",
    ["../data.bin", "/etc/passwd", "a/data.bin", "C:\\data.bin", "", ".", "..", "*/_ORT_MEM_ADDR_/*", "other.bin",
     "data.bin\0", "~/data.bin", "manifest.json", "\\\\host\\share", "g.onnx"],
)  # fmt: skip
def test_external_data_elsewhere(location):
    refused(
        model(RELU, weights=[external(location, offset=0, length=16)]), "not a file of this package", {"data.bin": 16}
    )


@pytest.mark.parametrize(("offset", "length"), [(0, 17), (16, 1), (10**17, 1), (8, 16)])
def test_external_data_past_the_end(offset, length):
    refused(model(RELU, weights=[external("data.bin", offset=offset, length=length)]), "past the end", {"data.bin": 16})


@pytest.mark.parametrize("offset", ["-1", "0x10", "", "1e3", "9" * 30])
def test_external_offset_that_is_no_number(offset):
    refused(model(RELU, weights=[external("data.bin", offset=offset)]), "not a number", {"data.bin": 16})


def test_external_data_in_a_constant_node():
    node = helper.make_node("Constant", [], ["y"], value=external("/etc/passwd"))
    refused(model(node), "not a file of this package")


def test_external_data_listed():
    facts = scan(model(RELU, weights=[external("data.bin", offset=0, length=16)]), {"data.bin": 16})
    assert facts.external == {"data.bin"}


def test_a_location_given_twice():
    tensor = external("data.bin")
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    refused(model(RELU, weights=[tensor]), "twice", {"data.bin": 16})


def test_two_graphs():
    proto = model(RELU).SerializeToString()
    with pytest.raises(PackageError, match="twice"):
        scan_onnx(proto + proto, "g.onnx", {})


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"hello", b"\x08\x07", b"\x3a\xff\xff\xff\xff\x7f", b"\x80" * 20, b"\x0b\x0c"]
)
def test_not_onnx(data):
    with pytest.raises(PackageError, match="not an ONNX model"):
        scan_onnx(data, "g.onnx", {})


def field(number, data):
    size, prefix = len(data), bytearray()
    while size > 127:
        prefix.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *prefix, size]) + data


def test_deep_nesting():
    graph = b""
    for _ in range(40):
        graph = field(1, field(5, field(6, graph)))  # node, attribute, graph
    with pytest.raises(PackageError, match="nested too deeply"):
        scan_onnx(b"\x08\x0a" + field(7, graph), "g.onnx", {})


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_mutations_only_ever_raise_our_error(changes):
    data = bytearray(GOOD)
    for at, byte in changes:
        data[at] = byte
    try:
        scan_onnx(bytes(data), "g.onnx", {})
    except PackageError:
        pass


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_only_ever_raise_our_error(data):
    try:
        scan_onnx(data, "g.onnx", {})
    except PackageError:
        pass
