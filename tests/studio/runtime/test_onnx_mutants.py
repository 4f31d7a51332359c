"""Thousands of structure-mutated graphs: each ends as a refusal or as a model that runs, never as another error.

A mutant that crashes ONNX Runtime ends its child only; that is what the disposable child is for.
"""

import os
import shutil

import pytest

from tests.faults.crash_points import SAID, ForkServer
from tests.package_kit import copy_fixture

MUTANTS = int(os.environ.get("REVERIE_MUTANTS", "20000"))


@pytest.fixture
def server():
    made = ForkServer("tests.studio.runtime.onnx_mutants", "tests.package_kit")
    yield made
    made.close()


def outcomes(server, tmp_path, count):
    seen = {"runs": 0, "refused": 0, "crashed": 0}
    for name, role in (("tiny-latent", "decode"), ("tiny-diffusion", "denoise"), ("tiny-map", "encode")):
        folder = copy_fixture(tmp_path / name, name)
        shutil.copy(folder / f"{role}.onnx", folder.parent / "original.onnx")
        for seed in range(count // 3):
            status = server.run("tests.studio.runtime.onnx_mutants:open_mutant", str(folder), role, seed)
            if os.WIFSIGNALED(status):
                seen["crashed"] += 1
                continue
            code = os.waitstatus_to_exitcode(status)
            assert code in (0, SAID), f"{name} {role} seed {seed} raised something else"
            seen["runs" if code == 0 else "refused"] += 1
    return seen


def test_a_hundred_mutants(server, tmp_path):
    seen = outcomes(server, tmp_path, 120)
    assert seen["refused"] > 60
    assert seen["runs"] > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_all_mutants(server, tmp_path):
    seen = outcomes(server, tmp_path, MUTANTS)
    print(seen)
    assert sum(seen.values()) >= MUTANTS - 3
