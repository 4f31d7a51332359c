"""The engine finds model, pipeline and device; broken devices end on the processor with a reason."""

import numpy as np
import pytest

from studio.core.cancel import CancelToken
from studio.core.errors import CancelledError, DeviceError, PackageError
from studio.core.events import Done, FrameMade, PictureMade
from studio.core.requests import ImageRequest, Point
from studio.runtime.devices import DEVICES, Devices
from studio.runtime.engine import Engine
from studio.runtime.sessions import DeviceMemoryError, SessionCache, open_session
from tests.engine_kit import picture, pictures, play, tiny, tiny_engine

REQUEST = ImageRequest("tiny-map", seed=1, count=40)


class Gpu:
    """A runtime whose GPU passes its test."""

    def providers(self):
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def driver(self, provider):
        return "13.0"

    def smoke(self, provider):
        return ""


class GpuSession:
    """Looks like a session on the GPU, calculates on the processor, fails at run ``fails_at``."""

    provider = "CUDAExecutionProvider"

    def __init__(self, path, *, fails_at, error):
        self._session = open_session(path, threads=1)
        self._left = fails_at
        self._error = error

    def run(self, feeds, *, cancel=None):
        self._left -= 1
        if self._left == 0:
            raise self._error
        return self._session.run(feeds, cancel=cancel)


def gpu_engine(*, fails_at=0, error=None, load_error=None, device="auto"):
    opened = []

    def open_one(path, *, device, threads, spin):
        opened.append(device)
        if device == "cpu":
            return open_session(path, threads=threads, spin=spin)
        if load_error is not None:
            raise load_error
        return GpuSession(path, fails_at=fails_at, error=error)

    engine = Engine(tiny, device=device, threads=1, devices=Devices(Gpu()), sessions=SessionCache(open_one))
    return engine, opened


def test_a_request_ends_with_done_and_its_facts():
    engine = tiny_engine()
    assert engine.facts() is None
    events = play(REQUEST, engine)
    assert isinstance(events[-1], Done)
    facts = events[-1].facts
    assert facts == engine.facts()
    assert (facts.provider, facts.reason) == ("CPUExecutionProvider", "")
    assert facts.seconds > 0
    assert facts.versions["optimisation"] == "all"
    assert "onnxruntime" in facts.versions["onnxruntime"]


@pytest.mark.parametrize("name", ["tiny-map", "tiny-latent", "tiny-diffusion"])
def test_the_same_request_gives_the_same_bytes(name):
    request = ImageRequest(name, seed=7, count=2)
    runs = [
        [made.pixels.tobytes() for made in pictures(request, tiny_engine(threads=threads))] for threads in (1, 1, 2)
    ]
    assert runs[0] == runs[1] == runs[2]
    engine = tiny_engine()
    for _ in range(20):  # one loaded session, again and again
        assert [made.pixels.tobytes() for made in pictures(request, engine)] == runs[0]


def test_a_real_device_does_the_work():
    engine, opened = gpu_engine()
    play(REQUEST, engine)
    assert opened == ["cuda"]
    assert engine.facts().provider == "CUDAExecutionProvider"
    assert engine.facts().reason == ""


@pytest.mark.parametrize(
    "error",
    [
        DeviceError("NVIDIA GPU (CUDA): the model could not be run: device lost."),
        DeviceMemoryError("NVIDIA GPU (CUDA): there is not enough memory for this."),
    ],
)
@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_device_that_fails_in_the_middle_is_left_for_the_processor(error, fails_at):
    engine, opened = gpu_engine(fails_at=fails_at, error=error)
    request = ImageRequest("tiny-map", seed=1, count=33)  # two chunks, the second of one picture
    made = pictures(request, engine)
    assert [one.index for one in made] == list(range(33))  # none lost, none twice
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(made, pictures(request), strict=True))
    if fails_at == 2 or not isinstance(error, DeviceMemoryError):  # a batch of 32 is first tried in halves
        assert opened == ["cuda", "cpu"]
        assert engine.facts().provider == "CPUExecutionProvider"
        assert engine.facts().reason.startswith("NVIDIA GPU (CUDA)")
        assert engine.facts().reason.endswith("The processor is used instead.")


def test_a_failed_device_is_not_tried_again_but_a_full_one_is():
    for error, again in (
        (DeviceError("NVIDIA GPU (CUDA): lost."), "cpu"),
        (DeviceMemoryError("NVIDIA GPU (CUDA): there is not enough memory for this."), "cuda"),
    ):
        engine, opened = gpu_engine(load_error=error)
        play(REQUEST, engine)
        assert opened == ["cuda", "cpu"]
        engine.unload()
        play(REQUEST, engine)
        assert opened[2] == again
        assert error.message in engine.facts().reason


def test_a_film_goes_on_where_the_device_failed():
    engine, _ = gpu_engine(fails_at=2, error=DeviceError("NVIDIA GPU (CUDA): lost."))
    request = ImageRequest("tiny-map", path=(Point(seed=1), Point(seed=2)), frames=40)
    indices = [event.index for event in play(request, engine) if isinstance(event, FrameMade)]
    assert indices == list(range(41))


def test_an_error_of_the_processor_is_not_hidden():
    def open_one(path, **_settings):
        raise DeviceMemoryError("Processor: there is not enough memory for this.", "Make fewer pictures at once.")

    engine = tiny_engine(sessions=SessionCache(open_one))
    with pytest.raises(DeviceMemoryError):
        play(ImageRequest("tiny-map"), engine)
    engine = tiny_engine()
    assert picture(ImageRequest("tiny-map"), engine).shape == (16, 16, 4)  # the next job works


def test_encoding_a_picture_falls_back_too():
    engine, opened = gpu_engine(fails_at=1, error=DeviceError("NVIDIA GPU (CUDA): lost."))
    pixels = picture(ImageRequest("tiny-map", seed=1))
    assert engine.encode_picture("tiny-map", pixels) == tiny_engine().encode_picture("tiny-map", pixels)
    assert opened == ["cuda", "cpu"]


def test_cancelled_before_it_starts_does_nothing():
    cancel = CancelToken()
    cancel.cancel()
    engine, opened = gpu_engine()
    with pytest.raises(CancelledError):
        play(REQUEST, engine, cancel)
    assert opened == []


def test_cancel_between_chunks_keeps_what_is_made():
    cancel = CancelToken()
    made = []

    def watch():
        for event in tiny_engine().run(REQUEST, cancel):
            if isinstance(event, PictureMade):
                made.append(event.index)
                cancel.cancel()

    with pytest.raises(CancelledError):
        watch()
    assert made == list(range(32))  # one chunk


def test_many_cancels_leave_nothing_behind():
    engine = tiny_engine()

    def cancelled_at_once(cancel):
        for _ in engine.run(ImageRequest("tiny-diffusion", count=9), cancel):
            cancel.cancel()

    for _ in range(200):
        cancel = CancelToken()
        with pytest.raises(CancelledError):
            cancelled_at_once(cancel)
        assert cancel._callbacks == []
    assert len(engine._sessions) == 1


def test_settings_take_effect_and_unload_frees():
    engine, opened = gpu_engine()
    play(ImageRequest("tiny-map"), engine)
    engine.configure(device="auto", threads=1)
    play(ImageRequest("tiny-map"), engine)
    assert opened == ["cuda"]
    engine.configure(device="cpu", threads=2)
    play(ImageRequest("tiny-map"), engine)
    assert opened == ["cuda", "cpu"]
    assert engine.facts().reason == ""
    engine.unload()
    play(ImageRequest("tiny-map"), engine)
    assert opened == ["cuda", "cpu", "cpu"]


def test_spinning_is_asked_before_every_run():
    answers = iter([True, False])
    seen = []

    def open_one(path, *, device, threads, spin):
        seen.append(spin)
        return open_session(path, threads=1, spin=spin)

    engine = tiny_engine(sessions=SessionCache(open_one), spin=lambda: next(answers))
    play(ImageRequest("tiny-map"), engine)
    play(ImageRequest("tiny-map"), engine)
    assert seen == [True, False]


def test_an_unknown_device_is_said():
    engine = tiny_engine(device="abacus")
    play(ImageRequest("tiny-map"), engine)
    assert "no device called 'abacus'" in engine.facts().reason


def test_unknown_packages_are_the_lookups_business():
    def lookup(package_id):
        raise PackageError(f"There is no model {package_id!r}.")

    with pytest.raises(PackageError, match="no model 'lost'"):
        play(ImageRequest("lost"), tiny_engine(lookup=lookup))


def test_devices_of_the_fake_are_the_real_ones():
    assert Devices(Gpu()).choose("auto").device == DEVICES[0]
