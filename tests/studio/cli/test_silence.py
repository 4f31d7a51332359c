"""Nothing needs the network: the system calls of real commands, counted."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from studio.core.paths import default_paths
from tests.package_kit import copy_fixture

STRACE = shutil.which("strace")
INTERNET = re.compile(r"AF_INET6?\b|AF_NETLINK|AF_PACKET")


def internet_calls(tmp_path, *command):
    """Network system calls of a command and its children that are not about local sockets."""
    log = tmp_path / "strace.log"
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "ORT_DISABLE_TELEMETRY")}
    done = subprocess.run(
        [STRACE, "-f", "-qq", "-e", "trace=%network", "-o", str(log), sys.executable, *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if "ptrace" in done.stderr and done.returncode:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()[:200]}")
    return done, [line for line in log.read_text().splitlines() if INTERNET.search(line)]


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
class TestSilence:
    def test_the_count_sees_a_socket(self, tmp_path):
        code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()"
        _, calls = internet_calls(tmp_path, "-c", code)
        assert len(calls) == 1

    def test_generate(self, tmp_path):
        copy_fixture(default_paths().packages, "tiny-diffusion")
        out = tmp_path / "x.png"
        wish = ("generate", "image", "--model", "tiny-diffusion", "--seed", "7", "--steps", "2", "--out", str(out))
        done, calls = internet_calls(tmp_path, "-m", "studio.cli", *wish)
        assert done.returncode == 0, done.stderr
        assert out.exists()
        assert calls == []

    def test_check(self, tmp_path):
        copy_fixture(default_paths().packages, "tiny-latent")
        done, calls = internet_calls(tmp_path, "-m", "studio.cli", "check", "--json")
        assert '"id":"tiny-latent","ok":true' in done.stdout
        assert calls == []
