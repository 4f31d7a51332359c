import msgspec
import pytest
from PIL import Image

from studio.cli import FAILED, OK, STOPPED, main
from studio.core.errors import CancelledError
from studio.core.manifest import Preset, TrainingBlock
from studio.core.params import Param
from studio.core.paths import default_paths
from studio.core.protocol import RunSpec
from tests.package_kit import change_manifest, copy_fixture


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setattr("studio.core.paths.Paths.bundled_packages", property(lambda _self: tmp_path / "starters"))
    monkeypatch.setattr("studio.cli.workshop.DisposableCheck", lambda _verdicts: None)
    paths = default_paths()
    folder = copy_fixture(paths.packages, "tiny-diffusion")
    presets = (Preset("Quick", "Short.", {"steps": 5, "rate": 0.5}), Preset("Long", "Long.", {"steps": 50}))
    params = (Param("steps", "int", 9, "Steps", low=1, high=100),)
    change_manifest(folder, training=TrainingBlock(3, "A folder of pictures.", presets, params))
    return paths


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "My cats"
    folder.mkdir()
    for number in range(5):
        colour = (40 * number, 200 - 30 * number, 90)
        picture = Image.new("RGB", (40, 40), colour)
        picture.paste((250, 250, 250), (number * 6, 4, number * 6 + 12, 30))
        picture.save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def trainer(monkeypatch):
    """Stands in for the child process: remembers the run and leaves a package there."""
    seen = []

    def follow(run, verb, *, heard, cancel):
        spec = msgspec.json.decode((run / "spec.json").read_bytes(), type=RunSpec)
        seen.append((run, verb, spec))
        if spec.settings.get("steps") == 13:
            raise CancelledError
        if spec.settings.get("steps") != 12:
            folder = copy_fixture(run / "package", "tiny-latent")
            change_manifest(folder, id=spec.package_id, name=spec.package_name)
            folder.rename(run / "package" / spec.package_id)

    monkeypatch.setattr("studio.cli.training.follow_trainer", follow)
    return seen


def run(capsys, *arguments):
    code = main(list(arguments))
    output = capsys.readouterr()
    return code, output.out, output.err


def test_a_folder_becomes_a_model(home, pictures, trainer, capsys):
    code, out, err = run(
        capsys, "train", str(pictures), "--base", "tiny-diffusion", "--preset", "long", "--set", "rate=0.25",
        "--name", "Purr", "--consent", "mine",
    )  # fmt: skip
    assert code == OK, err
    _, verb, spec = trainer[0]
    assert verb == "train"
    assert spec.settings == {"steps": 50, "rate": 0.25}
    assert (spec.family, spec.package_id, spec.package_name, spec.consent) == ("DDM", "purr", "Purr", "mine")
    assert spec.base == str(home.packages / "tiny-diffusion")
    assert "library as purr" in out
    assert "notes.txt" in err
    assert (home.packages / "purr" / "manifest.json").exists()


def test_the_first_preset_and_the_folders_name(home, pictures, trainer, capsys):
    assert run(capsys, "train", str(pictures), "--base", "tiny-diffusion", "--set", "steps=7")[0] == OK
    assert trainer[0][2].settings == {"steps": 7, "rate": 0.5}
    assert trainer[0][2].package_name == "My cats"


def test_go_on_with_a_run(home, pictures, trainer, capsys):
    assert run(capsys, "train", str(pictures), "--base", "tiny-diffusion", "--set", "steps=13")[0] == STOPPED
    (folder,) = home.runs.iterdir()
    spec = (folder / "spec.json").read_bytes()
    (folder / "spec.json").write_bytes(spec.replace(b'"steps": 13', b'"steps": 14'))
    assert run(capsys, "train", str(folder))[0] == OK
    assert [path.name for path in home.runs.iterdir()] == [folder.name]


def test_export_of_a_run(home, pictures, trainer, capsys, tmp_path):
    run(capsys, "train", str(pictures), "--base", "tiny-diffusion", "--set", "steps=13")
    (folder,) = home.runs.iterdir()
    spec = (folder / "spec.json").read_bytes()
    (folder / "spec.json").write_bytes(spec.replace(b'"steps": 13', b'"steps": 14'))
    code, _, _ = run(capsys, "export", str(folder), "--out", str(tmp_path / "x.reverie"), "--json")
    assert code == OK
    assert trainer[-1][1] == "export"
    assert (tmp_path / "x.reverie").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "needs a model to start from"),
        (["--base", "nope"], "no model called"),
        (["--base", "tiny-diffusion", "--preset", "huge"], "no preset"),
        (["--base", "tiny-diffusion", "--set", "steps=0"], "outside"),
        (["--base", "tiny-diffusion", "--set", "steps"], "name=value"),
        (["--base", "tiny-diffusion", "--set", "steps=12"], "without a package"),
    ],
)
def test_a_wrong_wish_is_one_sentence(home, pictures, trainer, capsys, arguments, word):
    code, _, err = run(capsys, "train", str(pictures), *arguments)
    assert code == FAILED
    assert word in err
    assert "Traceback" not in err


def test_too_few_pictures(home, pictures, trainer, capsys):
    for number in (0, 1, 2):
        (pictures / f"{number}.png").unlink()
    code, _, err = run(capsys, "train", str(pictures), "--base", "tiny-diffusion")
    assert code == FAILED
    assert "at least 3" in err
    assert not home.runs.exists()
