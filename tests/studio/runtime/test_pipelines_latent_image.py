"""Latent places become pictures: seeds, classes, attributes, start pictures, films."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from safetensors.numpy import save

from studio.core.cancel import CancelToken
from studio.core.errors import BadInputError, PackageError
from studio.core.events import Done, PictureMade, Step
from studio.core.latent_map import vector_to_pad
from studio.core.manifest import FileSpec
from studio.core.requests import ImageRequest, Point
from studio.runtime import seeds
from studio.runtime.pipelines import latent_image
from studio.runtime.pipelines.contract import Context
from studio.runtime.pipelines.travel import frames
from studio.runtime.pixels import to_picture
from tests.engine_kit import changed, film, painted, picture, pictures, play, saved, tiny, tiny_engine

MAP = ImageRequest("tiny-map", seed=3)
LATENT = ImageRequest("tiny-latent", seed=3)


def decoded(name: str, **feeds: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(tiny(name).graph_path("decode")), providers=["CPUExecutionProvider"])
    return session.run(None, {key: value.astype(np.float32) for key, value in feeds.items()})[0]


def drawn(seed: int, dimensions: int) -> np.ndarray:
    return seeds.normal(seed, (1, dimensions), system="latent-image", stream="latent")


def test_a_seed_becomes_the_decoders_picture():
    assert np.array_equal(picture(MAP), to_picture(decoded("tiny-map", z=drawn(3, 2))[0]))
    y = np.array([[0.0, 1.0, 0.0]])
    expected = to_picture(decoded("tiny-latent", z=drawn(3, 8), y=y)[0])
    assert np.array_equal(picture(msgspec.structs.replace(LATENT, labels={"dog": 1.0})), expected)


def test_events_count_up_and_end_with_done():
    events = play(msgspec.structs.replace(MAP, count=3))
    assert [event.index for event in events if isinstance(event, Step)] == [1, 2, 3]
    assert [event.index for event in events if isinstance(event, PictureMade)] == [0, 1, 2]
    assert isinstance(events[-1], Done)


def test_batch_rows_equal_single_pictures_and_their_own_requests():
    request = msgspec.structs.replace(LATENT, count=40, labels={"cat": 0.3, "bird": 0.7}, controls={"attr:hat": 1.5})
    batch = pictures(request)  # more than one chunk
    for made in (batch[0], batch[5], batch[39]):
        assert made.request.count == 1
        assert made.request.seed == 3 + made.index
        assert made.request.controls == {"truncation": 1.0, "attr:smile": 0.0, "attr:hat": 1.5}
        assert made.request.package_sha256 == tiny("tiny-latent").sha256
        again = pictures(made.request)[0]
        assert np.array_equal(again.pixels, made.pixels)
        assert again.request == made.request


def test_truncation_attributes_and_labels_enter_as_promised():
    smile = np.array(tiny("tiny-latent").manifest.settings["attributes"]["smile"]["vector"])
    request = msgspec.structs.replace(
        LATENT, labels={"cat": 2.0, "dog": 2.0}, controls={"truncation": 0.5, "attr:smile": 2.0}
    )
    z, y = drawn(3, 8) * 0.5 + 2 * smile, np.array([[0.5, 0.5, 0.0]])
    assert np.abs(picture(request).astype(int) - to_picture(decoded("tiny-latent", z=z, y=y)[0])).max() <= 1


def test_a_model_that_needs_a_class_takes_its_first():
    assert np.array_equal(picture(LATENT), picture(msgspec.structs.replace(LATENT, labels={"cat": 1.0})))


def test_an_explicit_place_is_taken_as_it_is():
    vector = (0.25, -1.5)
    request = msgspec.structs.replace(MAP, point=Point(vector=vector), controls={"truncation": 0.1})
    made = pictures(request)[0]
    assert np.array_equal(made.pixels, to_picture(decoded("tiny-map", z=np.array([vector]))[0]))
    assert (made.facts["pad_x"], made.facts["pad_y"]) == pytest.approx(
        vector_to_pad(vector, tiny("tiny-map").manifest.settings)
    )
    assert np.array_equal(picture(made.request), made.pixels)


def test_a_place_may_carry_its_own_classes_and_controls():
    point = Point(seed=9, labels={"bird": 1.0}, controls={"attr:hat": -1.0})
    there = picture(msgspec.structs.replace(LATENT, point=point, labels={"cat": 1.0}))
    plain = ImageRequest("tiny-latent", seed=9, labels={"bird": 1.0}, controls={"attr:hat": -1.0})
    assert np.array_equal(there, picture(plain))


def test_mixture_prior_is_drawn_from_its_file(tmp_path):
    tensors = {"weights": np.ones(1), "means": np.array([[1.0, -1.0]]), "stds": np.full((1, 2), 1e-6)}
    data = save({name: value.astype(np.float32) for name, value in tensors.items()})
    package = changed(
        "tiny-map",
        tmp_path / "tiny-mixture",
        extra={"prior.safetensors": data},
        settings={"latent_dim": 2, "prior": "mixture", "map": True},
        files={"prior": FileSpec("prior.safetensors", "", len(data))},
    )
    made = picture(ImageRequest("tiny-mixture", seed=5), tiny_engine(lookup=lambda _: package))
    assert np.array_equal(made, to_picture(decoded("tiny-map", z=np.array([[1.0, -1.0]]))[0]))


def test_a_start_picture_is_returned_encoded_or_ignored_by_strength(tmp_path):
    original = picture(MAP)
    source = saved(original, tmp_path / "in.png")

    def at(strength: float) -> np.ndarray:
        return picture(msgspec.structs.replace(MAP, seed=8, source=source, strength=strength))

    assert np.array_equal(at(0.0), original)
    assert np.abs(at(0.001).astype(int) - original).max() <= 4  # decode(encode(source)) is the source for this model
    assert np.array_equal(at(1.0), picture(msgspec.structs.replace(MAP, seed=8)))
    near, far = (np.abs(at(s).astype(int) - original).mean() for s in (0.1, 0.9))
    assert near < far


def test_a_picture_finds_its_place_again():
    engine = tiny_engine()
    vector = engine.encode_picture("tiny-map", picture(MAP))
    assert vector == pytest.approx(drawn(3, 2)[0], abs=0.02)
    again = picture(ImageRequest("tiny-map", point=Point(vector=vector)))
    assert np.abs(again.astype(int) - picture(MAP)).max() <= 3


def test_models_without_an_encoder_say_so(tmp_path):
    source = saved(painted(12), tmp_path / "in.png")
    with pytest.raises(BadInputError, match="no encoder"):
        picture(msgspec.structs.replace(LATENT, source=source))
    with pytest.raises(BadInputError, match="no encoder"):
        tiny_engine().encode_picture("tiny-latent", painted(12))
    with pytest.raises(BadInputError, match="no latent space"):
        tiny_engine().encode_picture("tiny-diffusion", painted(8))


def test_film_meets_its_places_exactly():
    points = (Point(vector=(1.0, 0.0)), Point(vector=(-0.5, 2.0)), Point(seed=4))
    made = film(ImageRequest("tiny-map", path=points, frames=5))
    assert len(made) == 11
    for index, point in zip((0, 5, 10), points, strict=True):
        assert np.array_equal(made[index], picture(ImageRequest("tiny-map", point=point)))


def test_film_travels_through_classes_and_controls():
    points = (
        Point(seed=1, labels={"cat": 1.0}, controls={"attr:smile": -2.0, "truncation": 0.5}),
        Point(seed=2, labels={"bird": 1.0}, controls={"attr:smile": 2.0}),
    )
    made = film(ImageRequest("tiny-latent", path=points, frames=6))
    assert np.array_equal(made[0], picture(ImageRequest("tiny-latent", point=points[0])))
    assert np.array_equal(made[6], picture(ImageRequest("tiny-latent", point=points[1])))
    steps = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(made)]
    assert max(steps) < 2.5 * min(steps)  # no jump anywhere


def test_a_loop_has_no_seam():
    corners = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)]
    request = ImageRequest("tiny-map", path=tuple(Point(vector=corner) for corner in corners), frames=6, loop=True)
    package = tiny("tiny-map")
    assert len(film(request)) == 24
    assert frames(request)[-1].end == 0
    engine = tiny_engine()
    places = [np.array(engine.encode_picture(package.manifest.id, frame)) for frame in film(request)]
    around = [np.linalg.norm(a - b) for a, b in zip(places, [*places[1:], places[0]], strict=True)]
    assert around == pytest.approx([around[0]] * 24, rel=0.05)


def test_films_of_many_dimensions_go_round():
    request = ImageRequest("tiny-latent", path=(Point(seed=1), Point(seed=2)), frames=8)
    latent = latent_image._Latent(context_of(request))
    a, b = (latent._place(request, point, point.seed) for point in request.path)
    places = [latent._between(a, b, t).base for t in np.linspace(0, 1, 9)]
    unit = [place / np.linalg.norm(place) for place in places]
    angles = [float(np.arccos(np.clip(p @ q, -1, 1))) for p, q in pairwise(unit)]
    lengths = [np.linalg.norm(place) for place in places]
    assert min(lengths) > 0.9 * min(lengths[0], lengths[-1])  # a straight way would pass near the average picture
    assert max(angles) < 1.6 * min(angles)


def context_of(request: ImageRequest):
    return Context(tiny(request.package), session=lambda _role: None, cancel=CancelToken())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": {"fish": 1.0}}, "no class called fish.*cat, dog, bird"),
        ({"labels": {"cat": -1.0}}, "weight of the class 'cat' is -1"),
        ({"labels": {"cat": float("nan")}}, "weight of the class"),
        ({"controls": {"sharpness": 1.0}}, "no control called sharpness"),
        ({"controls": {"truncation": 9.0}}, "outside 0 to 1.5"),
        ({"point": Point(vector=(1.0, 2.0))}, "has 8 finite numbers, but 2 were given"),
        ({"point": Point(vector=(float("inf"),) * 8)}, "finite numbers"),
        ({"mask": "m.png"}, "cannot fill in a part"),
        ({"path": (Point(seed=1),)}, "at least two places"),
        ({"path": (Point(seed=1), Point(seed=2)), "source": "a.png"}, "along its path only"),
    ],
)
def test_impossible_requests_are_refused_with_a_sentence(change, words):
    with pytest.raises(BadInputError, match=words):
        play(msgspec.structs.replace(LATENT, **change))


def test_classes_of_a_model_without_any_are_refused():
    with pytest.raises(BadInputError, match="no classes"):
        play(msgspec.structs.replace(MAP, labels={"cat": 1.0}))


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"settings": {"prior": "normal"}}, "settings of the model"),
        ({"settings": {"latent_dim": 3}}, "axes batch x 2, but was given 1 x 3"),
        ({"labels": ("a",)}, "takes z, but was given z, y"),
        ({"size": None}, "how large its pictures are"),
        ({"pipeline": "latent-image/9"}, "which this Reverie does not have"),
    ],
)
def test_packages_that_do_not_fit_are_refused_with_a_sentence(tmp_path, manifest, words):
    package = changed("tiny-map", tmp_path / "tiny-odd", id="tiny-odd", **manifest)
    with pytest.raises(PackageError, match=words):
        play(ImageRequest("tiny-odd"), tiny_engine(lookup=lambda _: package))
