"""What happens in Paint, without a widget."""

import json
from pathlib import Path

import pytest
from PIL import Image

from studio.core.errors import CancelledError, DeviceError
from studio.core.recipe import RECIPE_VERSION, Recipe, Restored
from studio.core.requests import ImageRequest, Point
from studio.runtime.memory_store import MemoryStore
from studio.state.paint_mask import Mask
from tests.studio.paint_kit import make_kit, package, picture


@pytest.fixture
def kit(tmp_path, qtbot):
    made = make_kit(tmp_path)
    made.settle(qtbot)
    yield made
    made.background.close()


def test_first_model_is_open_with_its_defaults(kit) -> None:
    assert kit.state.package.manifest.id == "diffusion"
    assert kit.state.values.controls == {"steps": 20}
    assert kit.state.values.labels == {}
    assert not kit.state.is_live
    assert kit.state.can_mask


def test_last_model_is_opened_again(tmp_path, qtbot) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"last_package": "map"}))
    kit = make_kit(tmp_path)
    assert kit.state.package.manifest.id == "map"
    kit.background.close()


def test_generate_freezes_what_is_set_and_draws_a_new_seed(kit) -> None:
    kit.state.set_control("steps", 7)
    kit.state.set_labels({"tree": 0.5, "river": 0.5, "stone": 0.0})
    kit.state.change({"count": 3})
    before = kit.state.values.seed
    kit.state.generate()
    request = kit.queue.all[1].request
    assert request.controls == {"steps": 7}
    assert request.labels == {"tree": 0.5, "river": 0.5}
    assert request.count == 3
    assert request.seed == kit.state.values.seed != before
    kit.state.set_control("steps", 9)
    assert kit.queue.all[1].request.controls == {"steps": 7}


def test_a_typed_seed_stays(kit) -> None:
    kit.state.set_seed(42)
    kit.state.generate()
    kit.state.generate(front=True)
    assert [job.request.seed for job in kit.queue.jobs()] == [42, 42]
    assert kit.queue.fronts == [2]


def test_batch_previews_and_files_reach_the_viewer(kit) -> None:
    kit.state.change({"count": 3})
    kit.state.generate()
    kit.queue.play()
    assert [shown.path for shown in kit.state.results.batch] == [f"/results/{i}.png" for i in range(3)]
    assert kit.state.results.picture.kind == "made"
    assert kit.state.results.running is None
    kit.state.results.show(0)
    assert kit.state.results.picture is kit.state.results.batch[0]


def test_the_same_button_stops(kit) -> None:
    kit.state.generate_or_stop()
    kit.queue.start()
    kit.state.generate_or_stop()
    assert kit.queue.stops == 1
    assert kit.queue.all[1].state == "cancelled"
    assert kit.state.results.running is None


def test_live_drag_asks_at_once_and_counts_as_one_undo(kit) -> None:
    kit.state.choose("map")
    kit.state.hold()
    for x in (0.3, 0.4, 0.5):
        kit.state.set_map_place(x, 0.5)
    kit.state.release()
    assert len(kit.lane.live) == 3
    request = kit.lane.answer()
    assert request.point.vector == pytest.approx((0.0, 0.0), abs=1e-6)
    assert kit.state.results.picture.kind == "live"
    kit.state.undo()
    assert kit.state.values.vector == ()
    assert not kit.state.can_undo
    kit.state.redo()
    assert kit.state.map_place() == pytest.approx((0.5, 0.5))


def test_keep_makes_the_live_picture_again_in_the_queue(kit) -> None:
    kit.state.choose("latent")
    kit.state.set_control("attr:smile", 2.0)
    live = kit.lane.answer()
    kit.state.keep()
    assert kit.queue.all[1].request == live
    assert kit.queue.fronts == [1]


def test_random_generate_leaves_the_place_on_the_map(kit) -> None:
    kit.state.choose("map")
    kit.state.set_map_place(0.9, 0.9)
    kit.state.generate()
    assert kit.queue.all[1].request.point is not None
    kit.state.change({"random_seed": True})
    kit.state.generate()
    assert kit.queue.all[2].request.point is None


def test_a_place_is_one_picture(kit) -> None:
    kit.state.choose("map")
    kit.state.change({"count": 4})
    kit.state.set_map_place(0.2, 0.2)
    kit.state.generate()
    assert kit.queue.all[1].request.count == 1


def test_a_broken_live_model_is_told_once(kit) -> None:
    kit.state.choose("latent")
    for value in (1.0, 2.0, 3.0):
        kit.state.set_control("attr:smile", value)
        kit.lane.answer(error=CancelledError() if value == 1.0 else DeviceError("The device is gone."))
    assert [notice.text for notice in kit.said if notice.level == "error"] == ["The device is gone."]


def test_values_of_a_model_wait_for_it(kit) -> None:
    kit.state.set_control("steps", 5)
    kit.state.choose("map")
    kit.state.choose("diffusion")
    assert kit.state.values.controls["steps"] == 5
    kit.state.choose("nowhere")
    assert "nowhere" in kit.said[-1].text


def test_points_make_a_film_and_survive(kit, tmp_path, qtbot) -> None:
    kit.state.choose("map")
    kit.settle(qtbot)
    for x in (0.2, 0.8):
        kit.state.set_map_place(x, 0.5)
        kit.lane.answer()
        kit.state.save_point(thumbnail=b"png")
    kit.state.memory.rename_point(1, "End")
    kit.state.memory.move_point(1, 0)
    kit.state.change({"frames": 12, "film_format": "gif", "loop": False})
    kit.state.make_film()
    request = kit.queue.all[1].request
    assert [place.vector[0] > 0 for place in request.path] == [True, False]
    assert (request.frames, request.film_format, request.loop, request.point) == (12, "gif", False, None)
    kit.queue.play()
    assert len(kit.state.results.film) == 3
    kit.settle(qtbot)
    assert [point.name for point in MemoryStore(tmp_path / "models").load("map").points] == ["End", "Point 1"]


def test_removing_a_point_can_be_undone(kit, qtbot) -> None:
    kit.state.choose("map")
    kit.settle(qtbot)
    kit.state.set_map_place(0.1, 0.1)
    kit.state.save_point()
    kit.state.memory.remove_point(0)
    assert kit.state.memory.points == ()
    kit.said[-1].run()
    assert len(kit.state.memory.points) == 1
    kit.state.set_map_place(0.9, 0.9)
    kit.state.go_to_point(0)
    assert kit.state.map_place() == pytest.approx((0.1, 0.1), abs=1e-6)


def test_without_points_the_film_visits_four_places(kit) -> None:
    kit.state.make_film()
    assert len(kit.queue.all[1].request.path) == 4


def test_presets_by_name(kit, tmp_path, qtbot) -> None:
    kit.state.set_control("steps", 50)
    kit.state.save_preset("Slow")
    kit.state.reset()
    assert kit.state.values.controls["steps"] == 20
    kit.state.apply_preset("Slow")
    assert kit.state.values.controls["steps"] == 50
    kit.settle(qtbot)
    assert MemoryStore(tmp_path / "models").load("diffusion").presets[0].name == "Slow"
    kit.state.memory.remove_preset("Slow")
    assert kit.said[-1].action == "Undo"


def test_start_picture_is_cut_kept_and_masked(kit, tmp_path, qtbot) -> None:
    Image.new("RGB", (40, 20), "red").save(tmp_path / "photo.png")
    kit.state.start.take(tmp_path / "photo.png")
    qtbot.waitUntil(lambda: kit.state.start.pixels is not None)
    assert kit.state.start.pixels.shape == (8, 8, 4)
    kit.state.start.edit_mask(lambda mask: (mask.line((0, 4), (8, 4), radius_px=1, erase=False), mask.end()))
    kit.state.generate()
    qtbot.waitUntil(lambda: bool(kit.queue.all))
    request = kit.queue.all[1].request
    assert Path(request.source).is_file()
    with Image.open(request.mask) as mask:
        assert mask.size == (8, 8)
    kit.state.undo()
    kit.state.undo()
    kit.state.start.clear()
    kit.state.generate()
    assert kit.queue.all[2].request.mask == ""


def test_a_file_that_is_no_picture_says_so(kit, tmp_path, qtbot) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    kit.state.start.take(tmp_path / "bad.png")
    qtbot.waitUntil(lambda: any(notice.level == "error" for notice in kit.said))
    assert kit.state.start.pixels is None


def test_undo_brings_the_start_picture_back(kit, qtbot) -> None:
    kit.state.start.take(picture())
    qtbot.waitUntil(lambda: bool(kit.state.start.path))
    kit.state.start.clear()
    assert kit.state.values.source == ""
    kit.state.undo()
    qtbot.waitUntil(lambda: bool(kit.state.start.path))
    assert kit.state.values.source == kit.state.start.path


def test_projection_goes_to_the_pictures_place(kit, qtbot) -> None:
    kit.state.choose("latent")
    kit.state.start.take(picture())
    qtbot.waitUntil(lambda: kit.state.can_project)

    class Encoder:
        def encode_picture(self, package_id, pixels):
            assert package_id == "latent"
            return (0.1, 0.2, 0.3, 0.4)

    kit.state.project()
    kit.lane.calls[-1](Encoder())
    qtbot.waitUntil(lambda: bool(kit.state.values.vector))
    assert kit.state.values.vector == (0.1, 0.2, 0.3, 0.4)
    assert kit.state.values.source == ""


def recipe(request: ImageRequest) -> Restored:
    return Restored("reverie", recipe=Recipe(RECIPE_VERSION, request))


@pytest.mark.parametrize(
    ("scope", "seed_kept", "controls_kept", "labels_kept"),
    [
        ("all", True, True, True),
        ("seed", True, False, False),
        ("prompt", False, False, True),
        ("remix", False, True, True),
    ],
)
def test_restore_scopes(kit, scope, seed_kept, controls_kept, labels_kept) -> None:
    before = kit.state.values.seed
    kit.state.restore(recipe(ImageRequest("diffusion", seed=77, controls={"steps": 3}, labels={"stone": 1.0})), scope)
    values = kit.state.values
    assert (values.seed == 77) is seed_kept
    assert (values.seed == before) is not seed_kept
    assert (values.controls["steps"] == 3) is controls_kept
    assert (values.labels == {"stone": 1.0}) is labels_kept


def test_restore_opens_the_model_and_says_what_is_missing(kit) -> None:
    place = Point(vector=(0.0, 0.0))
    wanted = ImageRequest("map", seed=5, controls={"truncation": 9.0, "gone": 1}, point=place, source="/gone.png")
    kit.state.restore(recipe(wanted))
    assert kit.state.package.manifest.id == "map"
    assert kit.state.values.vector == (0.0, 0.0)
    hint = kit.said[-1].hint
    assert "outside 0 to 1.5" in hint
    assert "gone" in hint
    assert "start picture" in hint
    kit.state.restore(recipe(ImageRequest("elsewhere", seed=1)))
    assert "elsewhere" in kit.said[-1].hint


def test_foreign_recipe_gives_its_seed(kit) -> None:
    kit.state.restore(Restored("a1111", prompt="a cat", seed=9))
    assert kit.state.values.seed == 9
    assert "a1111" in kit.said[-1].hint


def test_library_changes_reach_the_open_model(kit, tmp_path) -> None:
    kit.library.packages = (package(tmp_path, "map"), package(tmp_path, "map", "mine"))
    kit.library.changed.emit()
    assert kit.state.package.manifest.id == "map"
    kit.state.choose_soon("later")
    kit.library.packages = (*kit.library.packages, package(tmp_path, "latent", "later"))
    kit.library.changed.emit()
    assert kit.state.package.manifest.id == "later"
    kit.library.packages = ()
    kit.library.changed.emit()
    assert kit.state.package is None
    kit.state.generate()
    assert kit.queue.all == {}


def test_contact_sheet_lies_beside_the_results(kit, tmp_path, qtbot) -> None:
    kit.state.change({"count": 5})
    kit.state.generate()
    kit.queue.play()
    kit.state.results.save_sheet("My: model")
    qtbot.waitUntil(lambda: any(notice.level == "success" for notice in kit.said))
    sheet = next((tmp_path / "results").glob("My_ model sheet *.png"))
    with Image.open(sheet) as image:
        assert image.size == (3 * 136 + 8, 2 * 136 + 8)


def test_mask_strokes_undo_as_a_whole() -> None:
    mask = Mask(10, 10)
    mask.begin()
    for x in range(8):
        mask.line((x, 5), (x + 1, 5), radius_px=1, erase=False)
    mask.end()
    painted = mask.canvas.copy()
    assert painted[5, 2] == 255
    assert painted[0, 0] == 0
    mask.line((4, 5), (4, 5), radius_px=2, erase=True)
    mask.end()
    assert mask.canvas[5, 4] == 0
    mask.undo()
    assert (mask.canvas == painted).all()
    mask.undo()
    assert mask.empty
    mask.redo()
    mask.invert()
    assert mask.canvas[0, 0] == 255
    mask.clear()
    assert mask.empty
    mask.line((50, 50), (60, 60), radius_px=2, erase=False)
    mask.end()
    assert mask.empty
