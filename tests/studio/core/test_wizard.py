"""The wizard's flow: what each step needs, what a change voids, what is said."""

import pytest

from studio.core import wizard as steps
from studio.core.findings import FoundItem, Place, Statistics, Understanding
from studio.core.manifest import FORMAT, Manifest, Origin, Preset, Size, TrainingBlock
from studio.core.params import Param
from studio.core.wizard import Flow, Measured


def found(count=60, labels=(), size=(96, 96), **statistics) -> Understanding:
    items = tuple(
        FoundItem(
            Place(f"/x/{i}.png", shown=f"{i}.png"), *size, f"{i:064x}", label=labels[i % len(labels)] if labels else ""
        )
        for i in range(count)
    )
    counts = {label: sum(item.label == label for item in items) for label in labels}
    return Understanding(
        "pictures", "flat", "words", items, labels=counts, statistics=Statistics(**statistics), name="set"
    )


def base(**changes) -> Manifest:
    values = {
        "format": FORMAT, "id": "emoji-vae", "name": "Emoji", "summary": "", "modality": "image",
        "pipeline": "latent-image/1", "family": "VAEF", "config": {}, "graphs": {}, "licence": "CC0",
        "origin": Origin("d", "", 1, "CC0"), "size": Size(64, 64, 4),
        "training": TrainingBlock(
            24, "Pictures.", (Preset("Quick", "", {"steps": 10}), Preset("Long", "", {"steps": 99})),
            (Param("steps", "int", 10, "Steps", high=1000),),
        ),
    }  # fmt: skip
    return Manifest(**(values | changes))


def chosen() -> Flow:
    return steps.with_words(steps.with_base(steps.understood(Flow(), found()), base()), name="Mine")


def test_the_flow_goes_from_left_to_right():
    flow = Flow()
    seen = [steps.step_of(flow)]
    flow = steps.understood(flow, found())
    seen.append(steps.step_of(flow))
    flow = steps.with_base(flow, base())
    seen.append(steps.step_of(flow))
    flow = steps.measured(steps.measuring(flow, "run-1"), Measured(10, 100, 60))
    seen.append(steps.step_of(flow))
    flow = steps.started(flow)
    seen.append(steps.step_of(flow))
    flow = steps.finished(flow, "mine")
    seen.append(steps.step_of(flow))
    assert tuple(seen) == steps.STEPS


@pytest.mark.parametrize(
    "change",
    [
        lambda flow: steps.with_preset(flow, "Long"),
        lambda flow: steps.with_mode(flow, "pad"),
        lambda flow: steps.with_change(flow, "steps", 5),
        lambda flow: steps.with_base(flow, base(id="other")),
        lambda flow: steps.understood(flow, found(30)),
    ],
)
def test_a_change_voids_the_measurement_but_not_the_words(change):
    flow = steps.measured(steps.measuring(chosen(), "run-1"), Measured(10, 100))
    after = change(flow)
    assert after.measured is None
    assert after.run_id == ""
    assert after.name == "Mine"


def test_words_void_nothing():
    flow = steps.measured(steps.measuring(chosen(), "run-1"), Measured(10, 100))
    assert steps.with_words(flow, name="Other", consent="all mine").measured == flow.measured


def test_what_is_missing_is_said_in_words():
    assert steps.missing(Flow(), None) == ("Drop pictures, a folder or a zip.",)
    flow = steps.understood(Flow(), found())
    assert steps.missing(flow, None) == ("Choose a model to start from.",)
    assert steps.missing(steps.with_words(flow, name="  "), base()) == ("Give the new model a name.",)
    assert steps.missing(chosen(), base()) == ()


def test_three_pictures_only():
    flow = steps.with_words(steps.with_base(steps.understood(Flow(), found(3)), base()), name="Mine")
    assert steps.missing(flow, base()) == ("Only 3 usable pictures: this model needs at least 20. Add 17 more.",)


def test_fewer_than_the_model_likes_is_said_and_allowed():
    flow = steps.with_words(steps.with_base(steps.understood(Flow(), found(22)), base()), name="Mine")
    assert steps.missing(flow, base()) == ()
    assert "22 pictures are fewer than the 24" in advice(found(22), base())


def advice(understanding, manifest) -> str:
    return " ".join(remark.text for remark in steps.advise(understanding, manifest))


def test_advice():
    assert "Mirror" in advice(found(30), base())
    assert advice(found(500, alpha_share=1.0), base()) == ""
    assert "enlarged" in advice(found(500, size=(20, 20), alpha_share=1.0), base())
    assert "have none" in advice(found(500), base())
    assert "become white" in advice(found(500, alpha_share=0.5), base(size=Size(64, 64, 3)))
    assert "colours are lost" in advice(found(500), base(size=Size(28, 28, 1)))
    assert "look like others" in advice(found(500, alpha_share=1.0, near_duplicates=9), base())
    assert "cannot be fine-tuned" in advice(found(), base(training=None))


def test_advice_on_classes():
    assert "folder names are not used" in advice(found(500, ("cat", "dog"), alpha_share=1.0), base())
    tiles = base(labels=("wall", "floor"))
    assert "No folder is named like a class" in advice(found(500, ("cat",), alpha_share=1.0), tiles)
    assert "cat: not among" in advice(found(500, ("wall", "cat"), alpha_share=1.0), tiles)
    assert advice(found(500, ("wall", "floor"), alpha_share=1.0), tiles) == ""


def test_settings_that_can_be_made():
    assert [param.name for param in steps.params_of(base())] == ["steps", "flip", "shift_px"]


def test_settings_are_the_preset_and_the_changes():
    flow = steps.with_preset(chosen(), "Long")
    assert steps.settings_of(flow, base()) == {"steps": 99}
    assert steps.settings_of(steps.with_change(flow, "seed", 7), base()) == {"steps": 99, "seed": 7}
    assert steps.settings_of(steps.with_change(flow, "steps", 7), base()) == {"steps": 7}


@pytest.mark.parametrize(
    ("name", "taken", "want"),
    [
        ("My Leaves!", (), "my-leaves"),
        ("My Leaves", ("my-leaves", "my-leaves-2"), "my-leaves-3"),
        ("Übergröße", (), "ubergrosse"),
        ("漢字", (), "my-model"),
        ("x" * 300, (), "x" * 48),
        ("../../etc", (), "etc"),
    ],
)
def test_identity_of_a_new_model(name, taken, want):
    assert steps.package_id(name, taken) == want
    assert base(id=steps.package_id(name, taken)).id == want


def test_verdict_and_durations():
    assert (
        steps.verdict(Measured(12.4, 800, 7200, 4000))
        == "It fits: 12 ms a step, 800 MB of memory, about 2.0 hours in all."
    )
    assert "does not fit" in steps.verdict(Measured(12, 8000, 60, 4000))
    assert [steps.lasts(s) for s in (-1, 0.2, 30, 600, 9000)] == [
        "unknown time", "about a second", "about 30 seconds", "about 10 minutes", "about 2.5 hours",
    ]  # fmt: skip
