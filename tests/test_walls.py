"""The budgets and bans that keep the house readable, other than those that ruff, import-linter and types check."""

import ast
import re
import shutil
import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODE_FOLDERS = ("studio", "models", "installers", "tests")
TOP_LEVEL_FOLDERS = {"studio", "models", "resources", "installers", "tests"}
TOP_LEVEL_FILES = {
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "DECISIONS.md",
    "CONTRIBUTING.md",
}
DRAWER_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "manager",
    "managers",
    "base",
    "shared",
    "stuff",
}
FILE_LINES_MAX = 500
FILE_LINES_P90 = 350
FUNCTION_LINES_P90 = 35
FUNCTION_LINES_MAX = 90
FILE_MIB_MAX = 16
PACKAGES_MIB_MAX = 150
NOT_IN_STUDIO = {"torch", "torchvision", "onnx", "onnxscript", "models", "diffusers", "transformers"}
PICKLE_SUFFIXES = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".npy"}


def tracked_files() -> list[Path]:
    """What git tracks and is still there; without git, or outside a checkout, all that the folders of the map hold."""
    git = shutil.which("git")
    command = [git or "", "-c", "safe.directory=*", "ls-files", "-z"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=False) if git else None
    if listing is None or listing.returncode != 0:
        found = [path for folder in TOP_LEVEL_FOLDERS for path in (ROOT / folder).rglob("*")]
        return [path for path in found if path.is_file() and "__pycache__" not in path.parts]
    names = [name for name in listing.stdout.decode().split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def function_lengths(path: Path) -> list[tuple[str, int]]:
    """Name and length of every function of a file, without its docstring."""
    lengths: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            lengths.append((f"{named(path)}:{node.name}", (node.end_lineno or node.lineno) - first.lineno + 1))
    return lengths


def percentile_90(values: list[int]) -> float:
    return statistics.quantiles(values, n=10, method="inclusive")[-1]


def imported_names(path: Path) -> set[str]:
    """First part of every name a file imports, also inside functions and by name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found |= {alias.name.partition(".")[0] for alias in names}
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module.partition(".")[0])
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="__import__" | "import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                found.add(name.partition(".")[0])
            case _:
                pass
    return found


def test_top_level_holds_only_what_the_map_shows():
    tops = {path.relative_to(ROOT).parts for path in tracked_files()}
    folders = {parts[0] for parts in tops if len(parts) > 1 and not parts[0].startswith(".")}
    files = {parts[0] for parts in tops if len(parts) == 1 and not parts[0].startswith(".")}
    assert folders <= TOP_LEVEL_FOLDERS
    assert files <= TOP_LEVEL_FILES


def test_no_file_is_longer_than_the_budget():
    too_long = {
        named(path): line_count(path) for path in python_files(*CODE_FOLDERS) if line_count(path) > FILE_LINES_MAX
    }
    assert not too_long


def test_most_files_are_short():
    assert percentile_90([line_count(path) for path in python_files("studio", "models")]) <= FILE_LINES_P90


def test_functions_are_short():
    lengths = [each for path in python_files("studio", "models", "installers") for each in function_lengths(path)]
    assert percentile_90([length for _, length in lengths]) <= FUNCTION_LINES_P90
    assert not [each for each in lengths if each[1] > FUNCTION_LINES_MAX]


def test_no_file_is_a_drawer():
    drawers = [
        named(path)
        for path in python_files(*CODE_FOLDERS)
        if path.stem in DRAWER_NAMES or DRAWER_NAMES & set(path.relative_to(ROOT).parts[:-1])
    ]
    assert not drawers


def test_studio_never_names_the_trainer_in_an_import():
    found = {named(path): imported_names(path) & NOT_IN_STUDIO for path in python_files("studio")}
    assert not {name: banned for name, banned in found.items() if banned}


def test_every_import_form_is_seen(tmp_path: Path):
    source = tmp_path / "sample.py"
    lines = ["import torch.nn", "from onnx import helper", "import_module('models.core')", "__import__('diffusers')"]
    source.write_text("def f():\n" + "".join(f"    {line}\n" for line in lines))
    assert imported_names(source) == {"torch", "onnx", "models", "diffusers"}


def test_nothing_is_put_off():
    marker = re.compile(r"#.*\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
    found = [
        f"{named(path)}:{number}"
        for path in python_files(*CODE_FOLDERS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marker.search(line)
    ]
    assert not found


def test_every_test_folder_mirrors_a_package():
    for top in ("studio", "models"):
        for folder in (ROOT / "tests" / top).rglob("*"):
            if folder.is_dir() and folder.name != "__pycache__" and any(folder.glob("test_*.py")):
                mirrored = ROOT / top / folder.relative_to(ROOT / "tests" / top)
                assert mirrored.is_dir() or mirrored.with_suffix(".py").is_file(), named(folder)


def test_no_tracked_file_is_too_heavy():
    heavy = {named(path): path.stat().st_size for path in tracked_files() if path.stat().st_size > FILE_MIB_MAX << 20}
    assert not heavy


def test_bundled_packages_stay_within_their_budget():
    packages = ROOT / "resources" / "packages"
    assert sum(path.stat().st_size for path in tracked_files() if packages in path.parents) < PACKAGES_MIB_MAX << 20


def test_no_pickle_is_shipped():
    def is_pickle(path: Path) -> bool:
        with path.open("rb") as file:
            head = file.read(2)
        return path.suffix in PICKLE_SUFFIXES or (
            head[:1] == b"\x80" and head[1:] in {b"\x02", b"\x03", b"\x04", b"\x05"}
        )

    assert not [named(path) for path in tracked_files() if is_pickle(path)]


def test_constraints_pin_every_line_exactly():
    lines = (ROOT / "installers" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    loose = [line for line in lines if line and not line.startswith("#") and not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
    assert not loose
