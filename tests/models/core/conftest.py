from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.faults.crash_points import ForkServer
from tests.models.core.tiny_family import make_data


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture(scope="session")
def server() -> Iterator[ForkServer]:
    server = ForkServer("tests.models.core.tiny_family", "tests.models.core.checkpoint_savers")
    yield server
    server.close()
