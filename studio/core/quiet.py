"""Silence: the environment that keeps every library off the network. Called first in every process.

Must run before onnxruntime is imported: from 1.29 on, a bare ``import onnxruntime`` makes DNS look-ups and writes a
device id, and neither ``disable_telemetry_events()`` nor setting the variable later stops it.
"""

import ctypes
import os
import sys

QUIET_ENVIRONMENT = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
}


_IMMORTAL = 1 << 48


def silence() -> None:
    """Set the variables of `QUIET_ENVIRONMENT` in this process and, by inheritance, in its children."""
    os.environ.update(QUIET_ENVIRONMENT)
    _pin_constants()


def _pin_constants() -> None:
    """Make None, True and False immortal where they are not (CPython before 3.12).

    PySide 6.12 returns them without counting, as is right from 3.12 on; on 3.11 each event that Python handles takes
    one reference from None, and after some ten thousand events the process aborts ("deallocating None", measured).
    """
    if sys.version_info >= (3, 12) or sys.implementation.name != "cpython":
        return
    for constant in (None, True, False):
        count = ctypes.c_ssize_t.from_address(id(constant))
        if count.value < _IMMORTAL:
            count.value += _IMMORTAL
