"""Settings that every run has, beside those of its family."""

from collections.abc import Mapping

import msgspec

from models.core.family import Family
from studio.core.params import Param, Value, checked_values

CORE_PARAMS = (
    Param("steps", "int", 4000, "Steps", "Optimiser steps in all.", low=1, high=10_000_000, unit="steps"),
    Param("batch", "int", 32, "Batch", "Pictures per step; more needs more memory.", low=1, high=8192,
          unit="pictures"),
    Param("learning_rate", "float", 0.001, "Learning rate", "How far a step goes.", low=1e-6, high=0.1),
    Param("seed", "int", 0, "Seed", "Same seed, same training.", low=0, high=2**31 - 1, group="Advanced"),
    Param("ema", "float", 0.999, "Averaging", "How long the averaged weights remember; 0 is off.", low=0, high=0.99999,
          group="Advanced"),
    Param("accumulate", "int", 1, "Accumulate", "Batches per step, for less memory.", low=1, high=256,
          group="Advanced"),
    Param("clip", "float", 1.0, "Gradient limit", "Longest gradient; 0 is off.", low=0, high=1e6, group="Advanced"),
    Param("flip", "bool", False, "Mirror", "Also learn from mirrored pictures.", group="Advanced"),
    Param("shift_px", "int", 0, "Shift", "Also learn from pictures moved by up to this.", low=0, high=64, unit="px",
          group="Advanced"),
    Param("checkpoint_s", "float", 60.0, "Save every", "Time between checkpoints.", low=0, high=86_400, unit="s",
          group="Advanced"),
    Param("checkpoint_steps", "int", 0, "Save every", "Steps between checkpoints; 0 goes by time alone.", low=0,
          high=10_000_000, unit="steps", group="Advanced"),
    Param("sample_s", "float", 60.0, "Show every", "Time between sample sheets.", low=0, high=86_400, unit="s",
          group="Advanced"),
    Param("sample_steps", "int", 0, "Show every", "Steps between sample sheets; 0 goes by time alone.", low=0,
          high=10_000_000, unit="steps", group="Advanced"),
    Param("sheet", "int", 16, "Pictures shown", "Pictures on a sample sheet.", low=1, high=100, group="Advanced"),
)  # fmt: skip


def with_default(name: str, default: Value) -> Param:
    """The common setting ``name`` with a family's own default; raises `KeyError` when there is none."""
    found = {param.name: param for param in CORE_PARAMS}[name]
    return msgspec.structs.replace(found, default=default)


def all_params(family: Family) -> tuple[Param, ...]:
    """The family's settings, then the common ones that it does not define itself."""
    own = {param.name for param in family.params}
    return (*family.params, *(param for param in CORE_PARAMS if param.name not in own))


def run_settings(family: Family, values: Mapping[str, Value]) -> dict[str, Value]:
    """Every setting of a run, checked, defaults filled in.

    Raises:
        BadInputError: a value is out of range or its name unknown.
    """
    return checked_values(all_params(family), dict(values))
