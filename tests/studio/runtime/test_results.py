import errno
import os
import re
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.core.errors import BadInputError, StorageError
from studio.core.events import PictureMade, RunFacts
from studio.core.requests import ImageRequest, Point
from studio.runtime import results as results_module
from studio.runtime.gallery_index import Query
from studio.runtime.pictures import read_picture
from studio.runtime.recipes import read_recipe
from studio.runtime.results import NAME_LIMIT, Results
from tests.studio.runtime.gallery_tools import library, pixels, save

AT = datetime(2026, 11, 21, 14, 32, 5, tzinfo=UTC)


@pytest.fixture
def place(tmp_path):
    index, results = library(tmp_path)
    yield tmp_path, index, results
    index.close()


def test_a_result_lies_in_a_dated_folder_under_a_readable_name(place):
    folder, index, results = place
    entry = save(results, seed=7)
    path = Path(entry.path)
    assert path.parent.parent == folder / "results"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", path.parent.name)
    assert re.fullmatch(r"\d{6}_emoji-diffusion_seed7\.png", path.name)
    assert np.array_equal(read_picture(path), pixels(7))
    assert index.get(entry.id) == entry
    restored = read_recipe(path)
    assert restored is not None
    assert restored.recipe is not None
    assert restored.recipe.request == ImageRequest("emoji-diffusion", seed=7)


def test_names_never_clash(place):
    folder, _, results = place
    fixed = Results(lambda: folder / "results", results.index, now=lambda: AT)
    made = PictureMade(pixels(), ImageRequest("same"))

    def work():
        fixed.save_picture(made, RunFacts("CPU"), model_name="m", model_sha256="")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [path.name for path in (folder / "results").rglob("*.png")]
    assert len(names) == 8
    assert len({name.casefold() for name in names}) == 8


@given(st.text(min_size=1, max_size=300))
def test_any_package_name_becomes_a_name_every_file_system_takes(name):
    stem = results_module._stem(ImageRequest(name.encode("utf-8", "replace").decode(), seed=2**53 - 1), AT)
    assert len(stem) <= NAME_LIMIT - 9
    assert len(stem.encode()) <= 200
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f\s]', stem)
    assert not stem.endswith((".", " "))
    assert stem.startswith("143205_")
    assert stem.endswith(f"_seed{2**53 - 1}")


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp"])
def test_every_format_is_indexed_with_its_size(place, file_format):
    _, _, results = place
    made = PictureMade(pixels(), ImageRequest("m"))
    entry = results.save_picture(made, RunFacts("CPU"), model_name="M", model_sha256="", format=file_format)
    assert (entry.width_px, entry.height_px, entry.kind) == (8, 8, "picture")


def test_the_path_is_announced_before_anything_is_written(place):
    folder, _, results = place
    seen = []

    def announce(path):
        seen.append((path, path.exists()))

    made = PictureMade(pixels(), ImageRequest("m"))
    entry = results.save_picture(made, RunFacts("CPU"), model_name="", model_sha256="", announce=announce)
    assert seen == [(Path(entry.path), False)]
    assert entry.model == "m"
    assert folder in seen[0][0].parents


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_refuses_is_a_sentence_and_leaves_nothing(place, monkeypatch, code):
    folder, index, results = place
    save(results)

    def refuse(handle):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError) as caught:
        save(results, seed=1)
    monkeypatch.undo()
    assert caught.value.message
    assert len([each for each in (folder / "results").rglob("*") if each.is_file()]) == 1
    assert index.count(Query()) == 1


def test_a_file_in_place_of_the_folder_is_a_sentence(place):
    folder, _, results = place
    (folder / "results").write_text("in the way")
    with pytest.raises(StorageError):
        save(results)


def test_a_result_is_safe_even_when_the_index_is_not(place):
    folder, index, results = place
    index.close()
    with pytest.raises(StorageError):
        index.count(Query())
    entry = save(results)
    assert entry.id == 0
    assert Path(entry.path).exists()
    index._open()
    assert index.rebuild(folder / "results").added == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file size limit")
def test_a_file_that_may_not_grow_is_a_sentence(tmp_path):
    code = CHILD_PROLOGUE + (
        "noise = np.random.default_rng(0).integers(0, 256, (64, 64, 4)).astype(np.uint8)\n"
        "made = PictureMade(noise, ImageRequest('m'))\n"
        "results.folder.mkdir(parents=True)\n"
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n    results.save_picture(made, RunFacts(''), model_name='', model_sha256='')\n"
        "except StorageError as error:\n    print('told', error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "told" in done.stdout, done.stderr
    assert [each for each in (tmp_path / "results").rglob("*") if each.is_file()] == []


def test_a_film_is_saved_with_its_recipe(place):
    folder, index, results = place
    request = ImageRequest("vae", seed=3, path=(Point(1), Point(2)), film_format="gif")
    film = results.film(request, RunFacts("CPU"), model_name="VAE", model_sha256="")
    for seed in range(3):
        film.add(pixels(seed))
    entry = film.finish()
    assert (entry.kind, entry.width_px, film.frames) == ("film", 256, 3)
    restored = read_recipe(Path(entry.path))
    assert restored is not None
    assert restored.recipe is not None
    assert restored.recipe.request == request
    index.start_over()
    assert index.rebuild(folder / "results").added == 1
    assert index.page(Query())[0].kind == "film"


def test_a_stopped_film_keeps_what_is_done(place):
    folder, _, results = place
    request = ImageRequest("vae", path=(Point(1), Point(2)))
    film = results.film(request, RunFacts("CPU"), model_name="VAE", model_sha256="")
    film.add(pixels(0))
    assert film.keep() is None
    assert [each for each in (folder / "results").rglob("*") if each.is_file()] == []
    film = results.film(request, RunFacts("CPU"), model_name="VAE", model_sha256="")
    film.add(pixels(0))
    film.add(pixels(1))
    kept = film.keep()
    assert kept is not None
    assert Path(kept.path).exists()
    with pytest.raises(BadInputError, match="no frames"):
        results.film(request, RunFacts("CPU"), model_name="VAE", model_sha256="").finish()


CHILD_PROLOGUE = """
import sys
from pathlib import Path
import numpy as np
from studio.core.errors import StorageError
from studio.core.events import PictureMade, RunFacts
from studio.core.requests import ImageRequest
from studio.runtime.gallery_index import GalleryIndex
from studio.runtime.queue_store import QueueStore
from studio.runtime.results import Results
folder = Path(sys.argv[1])
index = GalleryIndex(folder / "data" / "index.sqlite", folder / "data" / "trash")
results = Results(lambda: folder / "results", index)
"""

CHILD_SAVES = (
    CHILD_PROLOGUE
    + """
print("ready", flush=True)
for seed in range(100000):
    made = PictureMade(np.full((32, 32, 4), seed % 256, np.uint8), ImageRequest("m", seed=seed))
    entry = results.save_picture(made, RunFacts(""), model_name="m", model_sha256="")
    print(entry.path, flush=True)
"""
)


def killed_while_saving(folder, after_s):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD_SAVES, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "ready"
    time.sleep(after_s)  # the instant of the kill is what is tested
    child.kill()
    out, errors = child.communicate(timeout=30)
    assert "Traceback" not in errors
    return [line for line in out.split("\n") if line.endswith(".png")]


def check_after_kill(folder, acknowledged):
    index, results = library(folder)
    try:
        results.sweep()
        rebuilt = index.rebuild(folder / "results")
        files = {str(path) for path in (folder / "results").rglob("*") if path.is_file()}
        assert set(acknowledged) <= files
        assert {entry.path for entry in index.page(Query(), limit=100_000)} == files
        assert rebuilt.unreadable == ()
        for path in files:
            assert read_recipe(Path(path)) is not None
    finally:
        index.close()


@pytest.mark.parametrize("after_s", [0.003, 0.05, 0.11])
def test_kill_while_saving_loses_nothing(tmp_path, after_s):
    check_after_kill(tmp_path, killed_while_saving(tmp_path, after_s))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_while_saving_at_100_instants(tmp_path):
    rng = np.random.default_rng(7)
    for _ in range(100):
        check_after_kill(tmp_path, killed_while_saving(tmp_path, float(rng.uniform(0.0, 0.06))))
