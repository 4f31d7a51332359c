import subprocess
import sys

import msgspec
import pytest
from PIL import Image

from studio.cli import FAILED, OK, STOPPED, USAGE, cli, main
from studio.cli.generate import flags_as_values
from studio.cli.library import state_of, trained_families
from studio.core.errors import BadInputError, CancelledError
from studio.core.families_table import SYSTEMS, system
from studio.core.manifest import Metric
from studio.core.paths import default_paths
from studio.runtime.film import read_frames
from studio.runtime.packages import export_package, open_package, read_package
from studio.runtime.recipes import read_recipe
from tests.package_kit import FIXTURES, change_manifest, copy_fixture


@pytest.fixture
def home(monkeypatch, tmp_path):
    """This test's own home, with the fixtures in it and no starters."""
    monkeypatch.setattr("studio.core.paths.Paths.bundled_packages", property(lambda _self: tmp_path / "starters"))
    paths = default_paths()
    for name in ("tiny-latent", "tiny-diffusion"):
        copy_fixture(paths.packages, name)
    # Tried out already, so that no test waits for a child; the child has tests of its own.
    monkeypatch.setattr("studio.cli.workshop.DisposableCheck", lambda _verdicts: None)
    return paths


def run(capsys, *arguments):
    code = main(list(arguments))
    output = capsys.readouterr()
    return code, output.out, output.err


def lines(text):
    return [msgspec.json.decode(line) for line in text.splitlines()]


def test_generate_to_a_file_with_its_recipe(home, capsys, tmp_path):
    target = tmp_path / "x.png"
    wish = ["generate", "image", "--model", "tiny-diffusion", "--seed", "7", "--label", "cat=0.5", "--steps", "3"]
    code, out, _ = run(capsys, *wish, "--out", str(target))
    assert (code, out.strip()) == (OK, str(target))
    request = read_recipe(target).recipe.request
    assert (request.seed, request.labels, request.controls["steps"]) == (7, {"cat": 0.5}, 3)
    again = tmp_path / "again.png"
    run(capsys, *wish[:-2], "--set", "steps=3", "--out", str(again))
    assert Image.open(again).tobytes() == Image.open(target).tobytes()


def test_generate_several_as_json(home, capsys, tmp_path):
    code, out, err = run(
        capsys,
        "generate",
        "image",
        "--model",
        "tiny-latent",
        "--count",
        "3",
        "--out",
        str(tmp_path / "x.webp"),
        "--json",
    )
    made = lines(out)
    assert code == OK
    assert err == ""
    first = made[0]["seed"]
    assert [each["seed"] for each in made] == [first, first + 1, first + 2]
    assert [each["path"] for each in made] == [str(tmp_path / f"x_seed{first + i}.webp") for i in range(3)]
    assert len({each["pixels_sha256"] for each in made}) == 3


def test_generate_into_the_results(home, capsys):
    code, out, _ = run(capsys, "generate", "image", "--model", "tiny-latent", "--seed", "1")
    assert code == OK
    assert out.startswith(str(home.results))
    assert home.index_file.exists()


def test_generate_from_a_picture(home, capsys, tmp_path):
    Image.new("RGB", (64, 48), (200, 30, 30)).save(tmp_path / "source.png")
    Image.new("L", (64, 48), 255).save(tmp_path / "mask.png")
    wish = ["generate", "image", "--model", "tiny-diffusion", "--seed", "7", "--steps", "3", "--out", str(tmp_path)]
    code, _, _ = run(
        capsys,
        *wish,
        "--source",
        str(tmp_path / "source.png"),
        "--mask",
        str(tmp_path / "mask.png"),
        "--strength",
        "0.3",
    )
    assert code == OK
    request = read_recipe(tmp_path / "tiny-diffusion_seed7.png").recipe.request
    assert request.source
    assert request.mask
    assert request.strength == 0.3


@pytest.mark.parametrize("name", ["film.gif", "film.mp4"])
def test_a_film_from_seed_to_seed_with_its_recipe(home, capsys, tmp_path, name):
    target = tmp_path / "made" / name
    wish = ["generate", "film", "--model", "tiny-latent", "--seeds", "1,2,3", "--frames", "4", "--loop"]
    code, out, _ = run(capsys, *wish, "--truncation", "0.5", "--out", str(target))
    assert code == OK
    assert out.strip() == str(target)
    assert len(list(read_frames(target))) == 12
    request = read_recipe(target).recipe.request
    assert [point.seed for point in request.path] == [1, 2, 3]
    assert request.controls == {"truncation": 0.5}
    assert not home.index_file.exists()


def test_a_film_goes_into_the_results(home, capsys):
    code, out, _ = run(capsys, "generate", "film", "--model", "tiny-diffusion", "--seeds", "1,2", "--frames", "2")
    assert code == OK
    assert out.startswith(str(home.results))
    assert out.strip().endswith(".mp4")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--seeds", "1"], "two seeds"),
        (["--seeds", "1,b"], "not seeds"),
        (["--seeds", "1,-2"], "outside"),
        (["--seeds", "1,2", "--out", "film.avi"], ".avi"),
    ],
)
def test_a_film_that_cannot_be_made_is_one_sentence(home, capsys, arguments, word):
    code, _, said = run(capsys, "generate", "film", "--model", "tiny-latent", *arguments)
    assert code == FAILED
    assert word in said


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--model", "nope"], "no model called"),
        (["--model", "tiny-latent", "--set", "nope=1"], "no control called"),
        (["--model", "tiny-latent", "--truncation", "9"], "outside"),
        (["--model", "tiny-latent", "--truncation"], "needs a value"),
        (["--model", "tiny-latent", "stray"], "belongs to no option"),
        (["--model", "tiny-latent", "--set", "truncation"], "name=value"),
        (["--model", "tiny-latent", "--label", "cow"], "no class"),
        (["--model", "tiny-latent", "--label", "cat=much"], "not a number"),
        (["--model", "tiny-latent", "--seed", "-1"], "seed"),
        (["--model", "tiny-latent", "--strength", "2"], "strength"),
        (["--model", "tiny-latent", "--mask", "m.png"], "needs a source"),
        (["--model", "tiny-latent", "--source", "gone.png"], "gone.png"),
    ],
)
def test_a_wrong_wish_is_one_sentence(home, capsys, arguments, word):
    code, out, err = run(capsys, "generate", "image", *arguments)
    assert code == FAILED
    assert out == ""
    assert word in err
    assert "Traceback" not in err


def test_errors_as_json(home, capsys):
    code, _, err = run(capsys, "generate", "image", "--model", "nope", "--json")
    assert code == FAILED
    assert set(lines(err)[0]) == {"error", "hint"}


@pytest.mark.parametrize(
    "arguments", [["nope"], ["generate", "image"], ["import"], ["generate", "image", "--count", "0"]]
)
def test_wrong_usage(capsys, arguments):
    assert run(capsys, *arguments)[0] == USAGE


def test_help_names_every_command(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == OK
    assert all(name in out for name in cli.commands)
    assert set(cli.commands) == {
        "generate", "list", "families", "import", "export", "check", "tour", "train", "bench",
    }  # fmt: skip


def test_stopping_keeps_what_is_done(home, capsys, monkeypatch, tmp_path):
    from studio.runtime.engine import Engine

    original = Engine.run

    def stopped(self, request, cancel):
        for event in original(self, request, cancel):
            yield event
            if type(event).__name__ == "PictureMade":
                raise CancelledError

    monkeypatch.setattr(Engine, "run", stopped)
    code, out, err = run(
        capsys, "generate", "image", "--model", "tiny-latent", "--seed", "1", "--count", "5", "--out", str(tmp_path)
    )
    assert code == STOPPED
    assert "kept" in err
    assert [path.name for path in tmp_path.glob("*.png")] == ["tiny-latent_seed1.png"]
    assert len(out.splitlines()) == 1


def test_list(home, capsys):
    copy_fixture(home.packages, "tiny-map")
    (home.packages / "tiny-map" / "decode.onnx").unlink()
    code, out, err = run(capsys, "list", "--json")
    assert code == OK
    assert [row["id"] for row in lines(out)] == ["tiny-diffusion", "tiny-latent"]
    assert "decode.onnx" in lines(err)[0]["error"]
    code, out, _ = run(capsys, "list")
    assert "tiny-latent" in out


def test_import_and_export(home, capsys, tmp_path):
    archive = tmp_path / "x.reverie"
    export_package(open_package(FIXTURES / "tiny-map"), archive)
    code, out, _ = run(capsys, "import", str(archive), "--json")
    assert code == OK
    assert lines(out)[0] | {"folder": ""} == {"id": "tiny-map", "name": "Tiny map", "folder": "", "new": True}
    assert lines(run(capsys, "import", str(archive), "--json")[1])[0]["new"] is False
    target = tmp_path / "out.reverie"
    assert run(capsys, "export", "tiny-map", "--out", str(target))[0] == OK
    assert target.read_bytes() == archive.read_bytes()


def test_import_goes_on_after_a_bad_one(home, capsys, tmp_path):
    (tmp_path / "bad.reverie").write_bytes(b"no zip")
    code, out, err = run(capsys, "import", str(tmp_path / "bad.reverie"), str(FIXTURES / "tiny-map"))
    assert code == FAILED
    assert "Imported Tiny map" in out
    assert "1 of 2" in err


def test_tour(home, capsys, tmp_path):
    code, out, _ = run(capsys, "tour", "--out", str(tmp_path / "tour"))
    assert code == OK
    assert sorted(path.name for path in (tmp_path / "tour").iterdir()) == ["tiny-diffusion.png", "tiny-latent.png"]
    assert str(tmp_path / "tour" / "tiny-latent.png") in out


def test_tour_and_check_without_models(home, capsys, tmp_path):
    for package in home.packages.iterdir():
        package.rename(tmp_path / package.name)
    assert run(capsys, "tour", "--out", str(tmp_path / "tour"))[0] == FAILED
    assert run(capsys, "check")[0] == FAILED


def test_check(home, capsys):
    code, out, _ = run(capsys, "check", "--json")
    rows = lines(out)
    assert code == OK
    assert [row["result"] for row in rows] == ["ok", "ok"]
    assert all(len(row["pixels_sha256"]) == 64 for row in rows)
    assert all("0 asked for" in row["network"] for row in rows)
    graph = home.packages / "tiny-latent" / "decode.onnx"
    graph.write_bytes(bytes(graph.stat().st_size))
    code, out, err = run(capsys, "check", "--json")
    assert code == FAILED
    assert "hash" in lines(out)[1]["result"]
    assert "1 of 2" in lines(err)[0]["error"]


def test_families_are_counted_from_facts(home, capsys):
    code, out, _ = run(capsys, "families", "--json")
    states = {row["id"]: row["state"] for row in lines(out)}
    assert code == OK
    assert len(states) == len(SYSTEMS)
    assert states["DDM"] == "plays"
    assert states["GPT"] == "planned"
    assert states["FSGAN"] == "reference only"


def test_state_of(tmp_path):
    ddm = system("DDM")
    folder = copy_fixture(tmp_path, "tiny-diffusion")
    assert state_of(ddm, [], frozenset()) == "planned"
    assert state_of(ddm, [], {"DDM"}) == "trains"
    assert state_of(ddm, [read_package(folder)], frozenset()) == "plays"
    change_manifest(folder, pipeline="later/9")
    assert state_of(ddm, [read_package(folder)], frozenset()) == "exports"
    metric = Metric("distance", 1.0, 2.0, "noise", "lower", "x", 0)
    change_manifest(folder, pipeline="diffusion-image/1", quality="good", metrics=(metric,))
    assert state_of(ddm, [read_package(folder)], frozenset()) == "beats baseline"


def test_trained_families_are_read_without_importing_the_trainer(tmp_path):
    table = tmp_path / "__init__.py"
    table.write_text('import nowhere\nFAMILIES: dict[str, object] = {"DDM": nowhere.Diffusion(), "AE": 1}\n')
    assert trained_families(table) == {"DDM", "AE"}
    assert trained_families(tmp_path / "gone.py") == frozenset()


def test_flags():
    assert flags_as_values(["--steps", "3", "--attr:smile=-1", "--eta=0.5"]) == ("steps=3", "attr:smile=-1", "eta=0.5")
    assert flags_as_values(["--attr:smile", "-1"]) == ("attr:smile=-1",)
    with pytest.raises(BadInputError):
        flags_as_values(["--"])


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, studio.cli; studio.cli.main(['--help']); "
        "print([name for name in ('onnxruntime', 'torch', 'PySide6', 'models', 'av', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
