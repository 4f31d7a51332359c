"""Silence: the environment that keeps every library off the network. Called first in every process.

Must run before onnxruntime is imported: from 1.29 on, a bare ``import onnxruntime`` makes DNS look-ups and writes a
device id, and neither ``disable_telemetry_events()`` nor setting the variable later stops it.
"""

import os

QUIET_ENVIRONMENT = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
}


def silence() -> None:
    """Set the variables of `QUIET_ENVIRONMENT` in this process and, by inheritance, in its children."""
    os.environ.update(QUIET_ENVIRONMENT)
