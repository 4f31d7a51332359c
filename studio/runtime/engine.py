"""The engine: requests in, events out. Finds the model, the pipeline and the device; falls back and says why."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from studio.core.cancel import CancelToken
from studio.core.errors import BadInputError, DeviceError, PackageError
from studio.core.events import Done, Event, FrameMade, PictureMade, Pixels, RunFacts
from studio.core.package import Package
from studio.core.requests import Request
from studio.runtime.devices import CPU, Choice, Devices
from studio.runtime.disposable import runtime_version
from studio.runtime.pipelines import PIPELINES
from studio.runtime.pipelines.contract import Context
from studio.runtime.pipelines.latent_image import encode_picture
from studio.runtime.sessions import OPTIMISATION, DeviceMemoryError, Runner, SessionCache


class Engine:
    """Runs requests, one at a time, on one thread.

    Args:
        lookup: package by id; raises `PackageError` when there is none.
        device: id of `studio.runtime.devices`, or ``auto``.
        threads: threads of the processor; 0 takes one per core.
        devices: what is known of the devices; tests script it.
        sessions: the cache of loaded graphs; tests script it.
        spin: asked before every run: may idle threads wait busily? False while something else needs the cores.
    """

    def __init__(
        self,
        lookup: Callable[[str], Package],
        *,
        device: str = "auto",
        threads: int = 0,
        devices: Devices | None = None,
        sessions: SessionCache | None = None,
        spin: Callable[[], bool] = lambda: True,
    ) -> None:
        self._lookup = lookup
        self._wanted = device
        self._threads = threads
        self._devices = Devices() if devices is None else devices
        self._sessions = SessionCache() if sessions is None else sessions
        self._spin = spin
        self._versions = {"onnxruntime": runtime_version(), "optimisation": OPTIMISATION}  # read once: it costs 8 ms
        self._facts: RunFacts | None = None

    def run(self, request: Request, cancel: CancelToken) -> Iterator[Event]:
        """Yield events until everything asked for was made; the last is `Done`.

        A device that fails in the middle is left for the processor, which goes on after what was made already.

        Raises:
            StudioError: the request, the model or every device failed; `CancelledError` when ``cancel`` was set.
        """
        cancel.raise_if_cancelled()
        started_s = time.perf_counter()
        package = self._lookup(request.package)
        pipeline = PIPELINES.get(package.manifest.pipeline)
        if pipeline is None:
            raise PackageError(
                f"The model {package.manifest.name!r} needs the pipeline {package.manifest.pipeline!r}, "
                "which this Reverie does not have.",
                "Update Reverie to use it.",
            )
        made: set[tuple[type[Event], int]] = set()
        choice = self._devices.choose(self._wanted)
        self._facts = self._facts_of(choice.device.provider, choice)
        while True:
            try:
                for event in pipeline(request, self._context(package, choice, cancel)):
                    if isinstance(event, PictureMade | FrameMade):
                        if (type(event), event.index) in made:
                            continue
                        made.add((type(event), event.index))
                    yield event
                break
            except DeviceError as error:
                choice = self._fallback(choice, error)
        seconds = time.perf_counter() - started_s
        self._facts = replace(self._facts, reason=choice.reason, seconds=seconds)
        yield Done(self._facts)

    def encode_picture(self, package_id: str, pixels: Pixels) -> tuple[float, ...]:
        """The place of a picture ``(H, W, 4) uint8`` in the latent space of a model, for `Point.vector`.

        Raises:
            BadInputError: the model has no latent space or no encoder.
        """
        package = self._lookup(package_id)
        if not package.manifest.pipeline.startswith("latent-image/"):
            raise BadInputError(
                f"The model {package.manifest.name!r} has no latent space to place a picture in.",
                "Choose a model with an encoder, such as a VAE.",
            )
        choice = self._devices.choose(self._wanted)
        while True:
            try:
                vector = encode_picture(pixels, self._context(package, choice, CancelToken()))
                return tuple(float(value) for value in vector)
            except DeviceError as error:
                choice = self._fallback(choice, error)

    def configure(self, *, device: str, threads: int) -> None:
        """Take new settings; graphs are loaded again when next needed."""
        if (device, threads) != (self._wanted, self._threads):
            self._wanted, self._threads = device, threads
            self.unload()

    def unload(self) -> None:
        """Let go of every loaded graph."""
        self._sessions.unload()

    def facts(self) -> RunFacts | None:
        """The live provider of the last run and why it was not the wanted one; None before the first."""
        return self._facts

    def _context(self, package: Package, choice: Choice, cancel: CancelToken) -> Context:
        spin = self._spin()

        def session(role: str) -> Runner:
            opened = self._sessions.get(
                package.graph_path(role), device=choice.device.id, threads=self._threads, spin=spin
            )
            self._facts = self._facts_of(opened.provider, choice)
            return opened

        return Context(package, session, cancel)

    def _fallback(self, choice: Choice, error: DeviceError) -> Choice:
        """The processor instead of a device that failed; raises ``error`` when it was the processor."""
        if choice.device == CPU:
            raise error
        reason = f"{error.message} The processor is used instead."
        if not isinstance(error, DeviceMemoryError):  # a smaller request may fit next time
            self._devices.fail(choice.device, error.message)
        self._sessions.unload()
        return Choice(CPU, reason)

    def _facts_of(self, provider: str, choice: Choice) -> RunFacts:
        return RunFacts(provider, choice.reason, versions=dict(self._versions))
