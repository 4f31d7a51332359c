"""Noise becomes the picture of its class, step by step: guidance, start pictures, masks, films, cancel."""

import msgspec
import numpy as np
import pytest

from studio.core.cancel import CancelToken
from studio.core.errors import BadInputError, CancelledError, DeviceError, PackageError
from studio.core.events import Preview, Step
from studio.core.requests import ImageRequest, Point
from studio.runtime import samplers, seeds
from studio.runtime.pipelines import diffusion_image
from studio.runtime.pipelines.contract import PREVIEW_INTERVAL_S, Context, Pace
from studio.runtime.pixels import to_model, to_picture
from studio.runtime.sessions import DeviceMemoryError, open_session
from tests.engine_kit import PACKAGES, changed, film, painted, picture, pictures, play, saved, tiny, tiny_engine

DOG = ImageRequest("tiny-diffusion", seed=3, labels={"dog": 1.0}, controls={"guidance": 1.0})
GRAPH = PACKAGES / "tiny-diffusion" / "denoise.onnx"


def with_controls(request: ImageRequest, **controls) -> ImageRequest:
    return msgspec.structs.replace(request, controls={**request.controls, **controls})


def class_planes(index: int) -> np.ndarray:
    """The picture that the tiny model's class lies around, ``(4, 8, 8)``."""
    feeds = {
        "x": np.zeros((1, 4, 8, 8), np.float32),
        "noise_variance": np.ones(1, np.float32),
        "y": np.eye(3, dtype=np.float32)[[index]],
    }
    return -open_session(GRAPH, threads=1).run(feeds)["prediction"][0]  # v is -x0 where all is noise


class Recorder:
    """A session that counts what goes through it."""

    def __init__(self, *, after=None, error=None):
        self._session = open_session(GRAPH, threads=1)
        self.batches = []
        self.variances = []
        self._after = after
        self._error = error

    def run(self, feeds, *, cancel=None):
        self.batches.append(len(feeds["x"]))
        self.variances.append(float(feeds["noise_variance"][0]))
        if self._error is not None:
            self._error(feeds)
        out = self._session.run(feeds, cancel=cancel)
        if self._after is not None:
            self._after(len(self.batches))
        return out


def context_with(session, *, cancel=None, clock=lambda: 0.0) -> Context:
    return Context(tiny("tiny-diffusion"), session=lambda _role: session, cancel=cancel or CancelToken(), clock=clock)


@pytest.mark.parametrize("sampler", samplers.SAMPLERS)
@pytest.mark.parametrize("schedule", samplers.SCHEDULES)
def test_every_sampler_and_schedule_ends_at_the_class(sampler, schedule):
    made = to_model(picture(with_controls(DOG, sampler=sampler, schedule=schedule, eta=0.5)), 4)
    distances = [np.abs(made - class_planes(index)).mean() for index in range(3)]
    assert int(np.argmin(distances)) == 1
    assert distances[1] < 0.2  # the model's own spread is 0.2


def test_the_pipeline_is_the_sampler_over_the_graph():
    session = open_session(GRAPH, threads=1)
    settings = tiny("tiny-diffusion").manifest.settings

    def denoise(x, sigma):
        a, s = samplers.rates(sigma)
        feeds = {
            "x": np.asarray(x * a, np.float32),
            "noise_variance": np.full(1, s * s, np.float32),
            "y": np.array([[0, 1, 0]], np.float32),
        }
        predicted = session.run(feeds)["prediction"]
        return np.clip(samplers.predicted_x0("v", x, predicted, sigma), -1, 1)

    noise = seeds.normals([3], (4, 8, 8), system="diffusion-image", stream="latent")
    sigmas = samplers.schedule("cosine", 20, sigma_min=settings["sigma_min"], sigma_max=settings["sigma_max"])
    *_, last = samplers.ddim(denoise, np.float32(sigmas[0]) * noise, sigmas, noise=lambda _: noise)
    assert np.array_equal(picture(DOG), to_picture(last.x[0]))


@pytest.mark.parametrize("controls", [{}, {"guidance": 2.5}, {"sampler": "euler_ancestral"}, {"eta": 1.0}])
def test_batch_rows_equal_single_pictures_and_their_own_requests(controls):
    batch = pictures(msgspec.structs.replace(with_controls(DOG, **controls), count=10))
    assert len({made.pixels.tobytes() for made in batch}) == 10
    for made in (batch[0], batch[7], batch[9]):
        assert (made.request.count, made.request.seed) == (1, 3 + made.index)
        assert set(made.request.controls) == {"steps", "sampler", "guidance", "schedule", "eta"}
        again = pictures(made.request)[0]
        assert np.array_equal(again.pixels, made.pixels)
        assert again.request == made.request


def test_guidance_zero_ignores_the_class_and_one_needs_no_second_pass():
    unconditional = msgspec.structs.replace(DOG, labels={})
    assert np.array_equal(picture(with_controls(DOG, guidance=0.0)), picture(unconditional))
    batches = {}
    for guidance in (0.0, 1.0, 2.0):
        recorder = Recorder()
        list(diffusion_image.run(with_controls(DOG, guidance=guidance, steps=2), context_with(recorder)))
        batches[guidance] = recorder.batches
    assert batches == {0.0: [1, 1], 1.0: [1, 1], 2.0: [2, 2]}


def test_more_guidance_leaves_the_average_further_behind():
    average = np.mean([class_planes(index) for index in range(3)], axis=0)
    away = [np.abs(to_model(picture(with_controls(DOG, guidance=g)), 4) - average).mean() for g in (0.0, 1.0, 3.0)]
    assert away == sorted(away)
    assert away[0] < away[2] / 2


def test_soft_classes_mix():
    mixed = to_model(picture(msgspec.structs.replace(DOG, labels={"cat": 1.0, "dog": 1.0})), 4)
    middle = (class_planes(0) + class_planes(1)) / 2
    assert np.abs(mixed - middle).mean() < 0.2


def test_steps_previews_and_total():
    ticks = iter(range(1000))
    request = msgspec.structs.replace(with_controls(DOG, steps=5), count=2)
    events = list(diffusion_image.run(request, context_with(Recorder(), clock=lambda: float(next(ticks)))))
    assert [event.index for event in events if isinstance(event, Step)] == [2, 4, 6, 8, 10]
    assert {event.total for event in events if isinstance(event, Step)} == {10}
    previews = [event for event in events if isinstance(event, Preview)]
    assert [preview.index for preview in previews] == [0, 1] * 4  # not after the last step: that is the picture
    assert previews[0].pixels.shape == (8, 8, 4)


def test_previews_keep_their_pace():
    pace = Pace(iter([0.0, PREVIEW_INTERVAL_S * 0.6, PREVIEW_INTERVAL_S * 1.2, PREVIEW_INTERVAL_S * 1.3]).__next__)
    assert [pace.due() for _ in range(4)] == [True, False, True, False]


def test_cancel_stops_within_one_step():
    cancel = CancelToken()
    recorder = Recorder(after=lambda calls: cancel.cancel() if calls == 3 else None)
    with pytest.raises(CancelledError):
        list(diffusion_image.run(DOG, context_with(recorder, cancel=cancel)))
    assert len(recorder.batches) == 3


def test_strength_zero_returns_the_start_picture_and_one_ignores_it(tmp_path):
    pixels = painted(8)
    request = msgspec.structs.replace(DOG, source=saved(pixels, tmp_path / "in.png"))
    assert np.array_equal(picture(msgspec.structs.replace(request, strength=0.0)), pixels)
    assert np.array_equal(picture(msgspec.structs.replace(request, strength=1.0)), picture(DOG))


def test_strength_decides_steps_noise_and_distance(tmp_path):
    pixels = painted(8)
    request = msgspec.structs.replace(DOG, source=saved(pixels, tmp_path / "in.png"))
    distances, steps, first = [], [], []
    for strength in (0.1, 0.5, 0.9):
        recorder = Recorder()
        changed_request = msgspec.structs.replace(request, strength=strength)
        *_, made = diffusion_image.run(changed_request, context_with(recorder))
        distances.append(np.abs(made.pixels.astype(int) - pixels).mean())
        steps.append(len(recorder.batches))
        first.append(recorder.variances[0])
    assert distances == sorted(distances)
    assert steps == [2, 10, 18]
    assert first == sorted(first)


def test_a_larger_start_picture_is_fitted(tmp_path):
    request = msgspec.structs.replace(DOG, source=saved(painted(31), tmp_path / "in.png"), strength=0.0)
    assert picture(request).shape == (8, 8, 4)


@pytest.mark.parametrize("strength", [0.5, 1.0])
@pytest.mark.parametrize("sampler", samplers.SAMPLERS)
def test_a_mask_leaves_the_rest_exactly(tmp_path, strength, sampler):
    pixels = painted(8)
    pixels[0, 0] = (200, 100, 50, 0)  # colour under a transparent pixel survives too
    mask = np.zeros((8, 8, 4), np.uint8)
    mask[..., 3] = 255
    mask[2:6, 2:6, :3] = 255
    request = msgspec.structs.replace(
        with_controls(DOG, sampler=sampler),
        source=saved(pixels, tmp_path / "in.png"),
        mask=saved(mask, tmp_path / "mask.png"),
        strength=strength,
    )
    made = picture(request)
    inside = np.zeros((8, 8), bool)
    inside[2:6, 2:6] = True
    assert np.array_equal(made[~inside], pixels[~inside])
    assert (made[inside] != pixels[inside]).mean() > 0.8
    if strength == 1.0:
        assert np.abs(to_model(made, 4) - class_planes(1))[:, inside].mean() < 0.25


def test_masks_that_do_not_fit_are_refused(tmp_path):
    mask = saved(painted(9), tmp_path / "mask.png")
    with pytest.raises(BadInputError, match="needs a picture to start from"):
        play(msgspec.structs.replace(DOG, mask=mask))
    with pytest.raises(BadInputError, match="mask is 9 x 9 px, its picture 8 x 8"):
        play(msgspec.structs.replace(DOG, source=saved(painted(8), tmp_path / "in.png"), mask=mask))


@pytest.mark.parametrize("sampler", ["ddim", "euler_ancestral"])
def test_film_meets_its_places_exactly(sampler):
    points = (
        Point(seed=1, labels={"cat": 1.0}, controls={"guidance": 1.0}),
        Point(seed=2, labels={"bird": 1.0}, controls={"guidance": 3.0}),
        Point(seed=5),
    )
    request = with_controls(ImageRequest("tiny-diffusion", path=points, frames=4), sampler=sampler, steps=8)
    made = film(request)
    assert len(made) == 9
    for index, point in zip((0, 4, 8), points, strict=True):
        single = ImageRequest("tiny-diffusion", seed=point.seed, labels=point.labels, controls=point.controls)
        assert np.array_equal(made[index], picture(with_controls(single, sampler=sampler, steps=8)))


def test_places_may_change_steps_and_sampler_halfway():
    points = (Point(seed=1, controls={"steps": 4}), Point(seed=2, controls={"steps": 9, "sampler": "dpmpp_2m"}))
    made = film(ImageRequest("tiny-diffusion", path=points, frames=4))
    assert np.array_equal(made[0], picture(ImageRequest("tiny-diffusion", seed=1, controls={"steps": 4})))
    last = ImageRequest("tiny-diffusion", seed=2, controls={"steps": 9, "sampler": "dpmpp_2m"})
    assert np.array_equal(made[4], picture(last))


def test_a_loop_has_no_seam():
    points = tuple(Point(seed=seed) for seed in (1, 2, 3))
    made = film(with_controls(ImageRequest("tiny-diffusion", path=points, frames=10, loop=True), steps=8))
    assert len(made) == 30
    around = [np.abs(a.astype(int) - b).mean() for a, b in zip(made, [*made[1:], made[0]], strict=True)]
    seam, others = around[-1], around[:-1]
    assert min(others) * 0.5 < seam < max(others) * 1.5


def test_a_film_does_not_depend_on_its_chunks(monkeypatch):
    points = (Point(seed=1), Point(seed=2))
    request = with_controls(ImageRequest("tiny-diffusion", path=points, frames=11), steps=4)
    whole = film(request)
    monkeypatch.setattr(diffusion_image, "_CHUNK", 1)
    assert all(np.array_equal(a, b) for a, b in zip(whole, film(request), strict=True))


def test_a_batch_that_is_too_large_is_made_in_smaller_ones():
    def too_large(feeds):
        if len(feeds["x"]) > 2:
            raise DeviceMemoryError("Processor: there is not enough memory for this.", "Make fewer pictures at once.")

    recorder = Recorder(error=too_large)
    request = msgspec.structs.replace(with_controls(DOG, steps=2), count=5)
    events = list(diffusion_image.run(request, context_with(recorder)))
    made = [event.pixels for event in events if hasattr(event, "request")]
    assert all(np.array_equal(a, b.pixels) for a, b in zip(made, pictures(request), strict=True))
    assert recorder.batches == [5, 2, 2, 2, 2, 1, 1]

    def always(_feeds):
        raise DeviceMemoryError("Processor: there is not enough memory for this.", "Use a smaller model.")

    with pytest.raises(DeviceMemoryError, match="not enough memory"):
        list(diffusion_image.run(request, context_with(Recorder(error=always))))


def test_numbers_that_are_not_finite_end_in_a_clear_error():
    class Broken:
        def run(self, feeds, *, cancel=None):
            return {"prediction": np.full_like(feeds["x"], np.nan)}

    with pytest.raises(DeviceError, match="not finite"):
        list(diffusion_image.run(DOG, context_with(Broken())))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": {"fish": 1.0}}, "no class called fish.*cat, dog, bird"),
        ({"controls": {"steps": 0}}, "outside 1 to 100 steps"),
        ({"controls": {"sampler": "magic"}}, "cannot be 'magic'"),
        ({"controls": {"truncation": 1.0}}, "no control called truncation"),
        ({"point": Point(vector=(1.0, 2.0))}, "are seeds, not vectors"),
        ({"path": (Point(seed=1), Point(vector=(1.0,)))}, "are seeds, not vectors"),
        ({"path": (Point(seed=1),)}, "at least two places"),
        ({"path": (Point(seed=1), Point(seed=2)), "source": "a.png"}, "along its path only"),
        ({"source": "/nowhere/at/all.png"}, "all.png"),
    ],
)
def test_impossible_requests_are_refused_with_a_sentence(change, words):
    with pytest.raises(BadInputError, match=words):
        play(msgspec.structs.replace(DOG, **change))


@pytest.mark.parametrize(
    "settings",
    [
        {"prediction": "score", "sigma_min": 0.1, "sigma_max": 9.0},
        {"prediction": "v", "sigma_min": 9.0, "sigma_max": 0.1},
        {"prediction": "v"},
    ],
)
def test_impossible_settings_are_refused(tmp_path, settings):
    package = changed("tiny-diffusion", tmp_path / "tiny-odd", id="tiny-odd", settings=settings)
    with pytest.raises(PackageError, match="settings of the model"):
        play(ImageRequest("tiny-odd"), tiny_engine(lookup=lambda _: package))
