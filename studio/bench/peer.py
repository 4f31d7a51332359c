"""The reference loop of another project, as a child process that runs one round when asked."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from studio.core.errors import StudioError


class Peer:
    """A child process that answers a line of JSON with a line of JSON. Use as a context manager.

    Args:
        module: Python module to run, such as ``models.peers.diffusion``.
        package: package folder to give it.
        threads: processor threads.

    Raises:
        StudioError: the child ended before it was ready (diffusers or torch are not installed, say).
    """

    def __init__(self, module: str, package: Path, *, threads: int) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", module, str(package), "--threads", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.ready: dict[str, Any] = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.communicate(timeout=60)

    def ask(self, question: dict[str, int]) -> dict[str, float]:
        """Run one round and give its answer."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(question) + "\n")
        self._child.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if line:
            return json.loads(line)
        _, said = self._child.communicate(timeout=60)
        last = said.strip().splitlines()[-1:] or ["no message"]
        raise StudioError(
            f"The reference loop could not run: {last[0]}.", "Install it with: pip install -e .[trainer,bench]"
        )
