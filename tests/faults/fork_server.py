"""A process that imports once and forks a child per call, so that many crashes cost little.

Lines on stdin: ``import MODULE`` (its ``warm()`` is called, if it has one), or ``call MODULE:FUNCTION
JSON-ARGUMENTS``. For a call it answers the child's process id once that is ready, then, when the child is over, its
wait status. A child waits for SIGUSR1, so that a tracer can attach before it does anything; a generator function first
runs to its ``yield``. It exits with 0, with 3 for a `StudioError`, with 4 for anything else.
"""

import importlib
import inspect
import json
import os
import signal
import sys
import traceback

from studio.core.errors import StudioError


def child(target: str, arguments: list, ready: int) -> None:
    module, _, name = target.partition(":")
    try:
        work = getattr(importlib.import_module(module), name)
        run = work(*arguments) if inspect.isgeneratorfunction(work) else None
        if run is not None:
            next(run)
        os.close(ready)
        signal.sigwait([signal.SIGUSR1])
        if run is None:
            work(*arguments)
        else:
            next(run, None)
    except StudioError:
        os._exit(3)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(4)
    os._exit(0)


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "import":
            getattr(importlib.import_module(rest), "warm", int)()
            print("ready", flush=True)
            continue
        target, _, arguments = rest.partition(" ")
        listening, ready = os.pipe()
        pid = os.fork()
        if pid == 0:
            child(target, json.loads(arguments), ready)
        os.close(ready)
        os.read(listening, 1)  # until the child waits, or is over
        os.close(listening)
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    main()
