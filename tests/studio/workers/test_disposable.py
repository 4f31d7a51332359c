import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from studio.core.errors import PackageError
from studio.runtime.disposable import Report, Verdicts
from studio.runtime.packages import open_package
from studio.workers import disposable
from studio.workers.disposable import DisposableCheck, try_out
from tests.package_kit import copy_fixture, replace_graph

HANG = "import time\nwhile True: time.sleep(1)\n"


@pytest.fixture
def folder(tmp_path):
    return copy_fixture(tmp_path)


def model(*nodes, weights=()):
    def value(name, axes):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, axes)

    graph = helper.make_graph(
        list(nodes),
        "g",
        [value("z", ["batch", 8]), value("y", ["batch", 3])],
        [value("image", ["batch", 4, 12, 12])],
        [numpy_helper.from_array(np.asarray(data), name) for name, data in weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


def test_a_good_package(folder, tmp_path):
    package = open_package(folder)
    report = try_out(package)
    assert report.ok
    assert report.graphs["decode"] > 0
    assert report.sockets == 0
    verdicts = Verdicts(tmp_path / "cache")
    DisposableCheck(verdicts)(package)
    assert verdicts.find(package) == Report(True)


def test_a_known_verdict_starts_no_process(folder, tmp_path, monkeypatch):
    package = open_package(folder)
    verdicts = Verdicts(tmp_path)
    verdicts.remember(package, Report(False, "It crashed.", "Leave it."))
    monkeypatch.setattr(disposable.subprocess, "run", None)
    with pytest.raises(PackageError, match="It crashed"):
        DisposableCheck(verdicts)(package)


def test_a_damaged_cache_is_no_verdict(folder, tmp_path):
    package = open_package(folder)
    (tmp_path / f"{package.sha256}.json").write_bytes(b"{}")
    assert Verdicts(tmp_path).find(package) is None


def test_a_graph_that_does_not_load(folder):
    replace_graph(folder, "decode", model(helper.make_node("NoSuchOperator", ["z", "y"], ["image"])))
    report = try_out(open_package(folder))
    assert not report.ok
    assert "does not run" in report.message


def test_a_graph_that_gives_no_numbers(folder):
    nodes = [
        helper.make_node("ReduceSum", ["z"], ["sum"], keepdims=1),
        helper.make_node("Reshape", ["sum", "one"], ["row"]),
        helper.make_node("Div", ["row", "zero"], ["bad"]),
        helper.make_node("Expand", ["bad", "shape"], ["image"]),
    ]
    weights = [
        ("one", np.array([1, 1, 1, 1], np.int64)),
        ("zero", np.float32(0)),
        ("shape", np.array([1, 4, 12, 12], np.int64)),
    ]
    replace_graph(folder, "decode", model(*nodes, weights=weights))
    assert "not finite" in try_out(open_package(folder)).message


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_a_graph_that_wants_all_memory(folder):
    nodes = [helper.make_node("ConstantOfShape", ["shape"], ["image"])]
    replace_graph(folder, "decode", model(*nodes, weights=[("shape", np.array([2**20, 2**18, 1, 1], np.int64))]))
    assert not try_out(open_package(folder)).ok


def fake_child(monkeypatch, tmp_path, code):
    script = tmp_path / "child.py"
    script.write_text(code)
    run = disposable.subprocess.run
    monkeypatch.setattr(disposable.subprocess, "run", lambda command, **k: run([command[0], str(script)], **k))


def test_a_crash_is_a_verdict(folder, tmp_path, monkeypatch):
    fake_child(monkeypatch, tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    package = open_package(folder)
    verdicts = Verdicts(tmp_path / "cache")
    with pytest.raises(PackageError, match=r"crashed ONNX Runtime .*SIGSEGV"):
        DisposableCheck(verdicts)(package)
    assert verdicts.find(package) is not None


def test_a_hang_is_an_error_but_no_verdict(folder, tmp_path, monkeypatch):
    fake_child(monkeypatch, tmp_path, HANG)
    package = open_package(folder)
    verdicts = Verdicts(tmp_path / "cache")
    with pytest.raises(PackageError, match="did not answer"):
        DisposableCheck(verdicts, timeout_s=0.5)(package)
    assert verdicts.find(package) is None


def test_the_scan_refuses_before_anything_is_loaded(folder):
    package = open_package(folder)
    proto = onnx.load_from_string((folder / "decode.onnx").read_bytes())
    proto.graph.node[0].domain = "evil"
    replace_graph(folder, "decode", proto.SerializeToString())
    report = try_out(package)
    assert not report.ok
    assert "domain" in report.message


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX links")
def test_a_starter_may_share_its_files(folder, tmp_path):
    (tmp_path / "elsewhere.onnx").hardlink_to(folder / "decode.onnx")
    assert try_out(open_package(folder, bundled=True)).ok
