from pathlib import Path

import msgspec
import pytest

from studio.core.families_table import SYSTEMS, family_name
from studio.core.manifest import Metric, ParityCheck
from studio.core.model_card import disk_size, model_card
from studio.core.package import Package
from tests.package_kit import FIXTURES, manifest_of

MANIFEST = manifest_of(FIXTURES / "tiny-latent")
GOOD = Metric("distance", 1.0, 2.0, "noise", "lower", "x", 0, "of 100")
BAD = Metric("coverage", 0.2, 0.5, "noise", "higher", "x", 0)


def card(**changes):
    return model_card(Package(Path("x"), msgspec.structs.replace(MANIFEST, **changes), "0" * 64))


def test_figures_say_better_or_not():
    first, second = card(metrics=(GOOD, BAD)).figures
    assert first.words == "Distance: 1, better than noise (2)"
    assert first.note == "of 100"
    assert first.beats
    assert "not better than noise" in second.words


def test_experimental_has_a_reason():
    assert card(quality="good", metrics=(GOOD,)).experimental == ""
    assert "not measured" in card().experimental
    assert "coverage" in card(metrics=(GOOD, BAD)).experimental
    assert card(metrics=(GOOD,)).experimental


def test_parity_in_words():
    checks = (ParityCheck("decode", "single pass", 1e-6, 1e-4, True), ParityCheck("decode", "batch", 1.0, 0.1, False))
    assert card(parity=checks[:1]).parity == "equals the PyTorch original in all 1 checks"
    assert card(parity=checks).parity == "1 of 2 checks against the original failed (decode: batch)"
    assert card().parity == "not compared with an original"


def test_origin_in_words():
    origin = msgspec.structs.replace(
        MANIFEST.origin, dataset="Cats", items=1200, licence="CC0", credit="Ada", parent="tiny-map", consent="my own"
    )
    words = card(origin=origin).trained_on
    assert words == 'Cats, 1,200 items, CC0, Ada; fine-tuned from tiny-map; note on rights: "my own"'


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 KB"), (12_340_000, "12.3 MB"), (250_000_000, "250 MB"),
     (7_200_000_000, "7.2 GB"), (9e12, "9000 GB")],
)  # fmt: skip
def test_disk_size(size, words):
    assert disk_size(size) == words


def test_every_system_once():
    assert len({system.id for system in SYSTEMS}) == len(SYSTEMS)
    assert family_name("DDM") == "Diffusion model"
    assert family_name("XYZ") == "XYZ"
