"""The processor takes over from every kind of broken device, and the reason is a sentence."""

import base64
import sys

import numpy as np
import pytest

from studio.runtime import devices
from studio.runtime.devices import CPU, DEVICES, Devices, run_smoke

CUDA = DEVICES[0]
ALL = [device.provider for device in DEVICES]


class FakeRuntime:
    def __init__(self, *, providers=ALL, driver="13.0", smoke=""):
        self._providers = providers
        self.version = driver
        self.said = smoke
        self.asked = []

    def providers(self):
        return self._providers

    def driver(self, provider):
        return self.version

    def smoke(self, provider):
        self.asked.append(provider)
        return self.said


def test_a_real_device_is_chosen_without_a_word():
    choice = Devices(FakeRuntime()).choose("auto")
    assert (choice.device, choice.reason) == (CUDA, "")
    assert Devices(FakeRuntime()).choose("cuda") == choice


def test_a_machine_without_a_gpu_lacks_nothing():
    runtime = FakeRuntime(driver="")
    assert Devices(runtime).choose("auto") == devices.Choice(CPU, "")
    assert runtime.asked == []


@pytest.mark.parametrize(
    ("runtime", "reason"),
    [
        (FakeRuntime(providers=["CPUExecutionProvider"]), "is not part of this installation of ONNX Runtime."),
        (FakeRuntime(driver=""), "no driver for it was found."),
        (FakeRuntime(smoke="its libraries could not be loaded."), "its libraries could not be loaded."),
        (FakeRuntime(smoke="it calculates wrongly."), "it calculates wrongly."),
        (FakeRuntime(smoke="its test did not end within 20 seconds."), "did not end within 20 seconds."),
    ],
)
def test_a_wanted_device_that_is_not_real_falls_back_with_the_reason(runtime, reason):
    choice = Devices(runtime).choose("cuda")
    assert choice.device == CPU
    assert choice.reason.startswith("NVIDIA GPU (CUDA)")
    assert reason in choice.reason
    assert choice.reason.endswith("The processor is used instead.")


def test_auto_says_why_an_installed_gpu_is_not_used():
    choice = Devices(FakeRuntime(providers=ALL[:1], smoke="it calculates wrongly.")).choose("auto")
    assert choice.device == CPU
    assert "calculates wrongly" in choice.reason


def test_unknown_devices_fall_back_too():
    choice = Devices(FakeRuntime()).choose("abacus")
    assert choice.device == CPU
    assert "'abacus'" in choice.reason


def test_auto_never_takes_a_device_that_rounds_differently():
    runtime = FakeRuntime(providers=["CoreMLExecutionProvider", "OpenVINOExecutionProvider"])
    chosen = Devices(runtime)
    assert chosen.choose("auto").device == CPU
    assert chosen.choose("openvino").device.id == "openvino"
    assert [device.id for device in chosen.installed()] == ["coreml", "openvino", "cpu"]


def test_verdicts_are_kept_until_the_driver_changes(tmp_path):
    file = tmp_path / "cache" / "devices.json"
    runtime = FakeRuntime(smoke="it calculates wrongly.")
    Devices(runtime, verdicts_file=file).choose("cuda")
    again = Devices(runtime, verdicts_file=file)
    assert "calculates wrongly" in again.choose("cuda").reason
    assert again.choose("cuda").device == CPU
    assert len(runtime.asked) == 1
    runtime.version, runtime.said = "13.1", ""
    assert again.choose("cuda").device == CUDA
    assert len(runtime.asked) == 2


def test_a_damaged_verdict_file_is_only_a_lost_second(tmp_path):
    file = tmp_path / "devices.json"
    file.write_bytes(b"{")
    runtime = FakeRuntime()
    assert Devices(runtime, verdicts_file=file).choose("cuda").device == CUDA
    assert len(runtime.asked) == 1


def test_a_device_that_failed_in_work_is_left_alone():
    chosen = Devices(FakeRuntime(providers=ALL[:1]))
    chosen.fail(CUDA, "NVIDIA GPU (CUDA): the model could not be run.")
    assert chosen.choose("auto").device == CPU
    assert "could not be run" in chosen.choose("auto").reason
    assert "could not be run" in chosen.choose("cuda").reason


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", ""),
        ("print('noise'); print('it calculates wrongly.'); raise SystemExit(1)", "it calculates wrongly."),
        ("import os; os._exit(11)", "its test crashed (exit code 11)."),
        ("import time; time.sleep(60)", "its test did not end within 0.5 seconds."),
    ],
)
def test_the_child_may_fail_in_every_way(code, said):
    timeout_s = 0.5 if "sleep" in code else 20
    assert run_smoke([sys.executable, "-c", code], timeout_s=timeout_s) == said


def test_a_child_that_cannot_start_is_said(tmp_path):
    assert "could not be started" in run_smoke([str(tmp_path / "missing")])


def test_the_smoke_graph_is_right_on_the_processor():
    assert run_smoke([sys.executable, "-m", "studio.runtime.devices", CPU.provider]) == ""


def test_the_child_reports_a_device_that_is_not_there():
    said = run_smoke([sys.executable, "-m", "studio.runtime.devices", "DmlExecutionProvider"])
    assert said in ("its libraries could not be loaded.", "it calculates wrongly.") or "failed" in said


def test_the_smoke_graph_is_what_it_says():
    onnx = pytest.importorskip("onnx", reason="needs the trainer's dependencies")
    graph = onnx.load_from_string(devices.SMOKE_GRAPH)
    onnx.checker.check_model(graph, full_check=True)
    assert [node.op_type for node in graph.graph.node] == ["Conv", "Relu", "MatMul"]
    padded = np.pad(devices.SMOKE_INPUT[0, 0], 1)
    summed = sum(padded[i : i + 4, j : j + 4] for i in range(3) for j in range(3))
    expected = np.maximum(summed, 0) @ np.arange(8).reshape(4, 2)
    assert np.array_equal(devices.SMOKE_OUTPUT[0, 0], expected)
    assert len(base64.b64encode(devices.SMOKE_GRAPH)) < 400
