import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.core.recipe import Restored
from studio.runtime.foreign_recipes import read_foreign
from studio.runtime.metadata import COMMENT

A1111 = (
    "a red fox, (snow:1.2)\nsecond line\nNegative prompt: blur, text\nSteps: 28, Sampler: DPM++ 2M, "
    "Schedule type: Karras, CFG scale: 6.5, Seed: 1234567890, Size: 512x768, Model hash: abcdef, Model: photo, "
    'Lora hashes: "detail: 12ab, style: 34cd", Version: v1.9'
)


@pytest.mark.parametrize("key", ["parameters", COMMENT])
def test_a1111(key):
    found = read_foreign({key: A1111})
    assert found is not None
    assert (found.source, found.seed) == ("a1111", 1234567890)
    assert found.prompt == "a red fox, (snow:1.2)\nsecond line"
    assert found.negative_prompt == "blur, text"
    assert found.values == {
        "steps": "28",
        "guidance": "6.5",
        "sampler": "DPM++ 2M",
        "schedule": "Karras",
        "width": "512",
        "height": "768",
        "model": "photo",
    }
    assert "'photo'" in found.problems[0]
    assert "Lora hashes" in found.problems[1]


def test_fooocus_in_both_schemes():
    data = {
        "prompt": "castle",
        "negative_prompt": "fog",
        "seed": "77",
        "steps": 30,
        "guidance_scale": 4.0,
        "base_model": "xl",
        "resolution": "(1152, 896)",
        "version": "Fooocus v2.5",
    }
    found = read_foreign({"fooocus_scheme": "fooocus", "parameters": json.dumps(data)})
    assert found is not None
    assert (found.source, found.prompt, found.seed) == ("fooocus", "castle", 77)
    assert (found.values["width"], found.values["height"], found.values["model"]) == ("1152", "896", "xl")
    other = read_foreign({"fooocus_scheme": "a1111", "parameters": A1111})
    assert other is not None
    assert (other.source, other.seed) == ("fooocus", 1234567890)


def test_comfyui_follows_the_links_of_the_sampler():
    graph = {
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "seed": 42,
                "steps": 25,
                "cfg": 7,
                "sampler_name": "euler",
                "scheduler": "normal",
                "positive": ["10", 0],
                "negative": ["7", 0],
            },
        },
        "10": {"class_type": "ConditioningCombine", "inputs": {"conditioning_1": ["6", 0]}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a boat", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "people", "clip": ["4", 1]}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "base.safetensors"}},
        "8": {"class_type": "LoraLoader", "inputs": {"lora_name": "x"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 640, "height": 480}},
    }
    found = read_foreign({"prompt": json.dumps(graph), "workflow": "{}"})
    assert found is not None
    assert (found.source, found.prompt, found.negative_prompt, found.seed) == ("comfyui", "a boat", "people", 42)
    assert found.values["model"] == "base.safetensors"
    assert found.values["width"] == "640"
    assert "LoraLoader" in found.problems[-1]


def test_a_comfyui_graph_that_bites_its_tail_ends():
    graph = {
        "1": {"class_type": "KSampler", "inputs": {"seed": 1, "positive": ["2", 0]}},
        "2": {"class_type": "A", "inputs": {"x": ["3", 0]}},
        "3": {"class_type": "B", "inputs": {"x": ["2", 0]}},
    }
    found = read_foreign({"prompt": json.dumps(graph)})
    assert found is not None
    assert found.seed == 1


def test_a_bare_workflow_says_that_nothing_was_restored():
    found = read_foreign({"workflow": json.dumps({"nodes": []})})
    assert found is not None
    assert "nothing was restored" in found.problems[0]


def test_invokeai_old_and_new():
    new = {"positive_prompt": "hill", "negative_prompt": "no", "seed": 5, "cfg_scale": 7.5, "model": {"name": "m1"}}
    found = read_foreign({"invokeai_metadata": json.dumps(new)})
    assert found is not None
    assert (found.source, found.prompt, found.seed, found.values["model"]) == ("invokeai", "hill", 5, "m1")
    old = {"model": "m0", "image": {"prompt": [{"prompt": "sea", "weight": 1}], "seed": 6}}
    found = read_foreign({"sd-metadata": json.dumps(old)})
    assert found is not None
    assert (found.prompt, found.seed) == ("sea", 6)


def test_plain_json():
    found = read_foreign({"parameters-json": json.dumps({"prompt": "tree", "seed": 9, "num_inference_steps": 4})})
    assert found is not None
    assert (found.source, found.prompt, found.seed, found.values["steps"]) == ("json", "tree", 9, "4")


def test_a_seed_that_is_too_large_is_left_out_and_said():
    found = read_foreign({"parameters": A1111.replace("1234567890", str(2**60))})
    assert found is not None
    assert found.seed is None
    assert "left out" in found.problems[0]


def test_texts_of_cameras_are_not_recipes():
    assert read_foreign({"Software": "GIMP", COMMENT: "holiday, 2020"}) is None
    assert read_foreign({}) is None


@given(
    st.dictionaries(
        st.sampled_from(["parameters", "prompt", "workflow", "fooocus_scheme", "invokeai_metadata", "parameters-json"]),
        st.text(max_size=200)
        | st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["prompt", "seed", "inputs", "class_type", "model", "image", "1", "positive"]),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        ).map(json.dumps),
    )
)
def test_any_text_gives_words_or_nothing(texts):
    found = read_foreign(texts)
    assert found is None or (isinstance(found, Restored) and found.recipe is None and found.problems)
