"""What a `Generator` is asked for, as a generation config."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from audiogen_core.config import GenerationConfig, parse_config
from audiogen_core.config_file import read_config_file
from audiogen_core.errors import Problem, UsageError
from audiogen_core.options import MAX_SHOWN
from audiogen_core.overrides import Override, Overrides, place_named
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.strict_data import Refused, check_data

What: TypeAlias = str | Sequence[str | Mapping[str, Any]] | Mapping[str, Any] | os.PathLike[str]
"""A prompt, a list of prompts or samples, a generation config, or the path of one."""

Named: TypeAlias = dict[str, tuple[str, Any]]
"""Values that have arguments of their own, by their place in a config: the argument, the value."""


def named_values(
    steps: int | None,
    cfg_scale: float | None,
    seed: int | None,
    seconds: float | None,
    sampler: str | None,
) -> Named:
    """What has an argument of its own, by its place in a config: the argument, and the value."""
    return {
        "generation.steps": ("steps", steps),
        "generation.cfg_scale": ("cfg_scale", cfg_scale),
        "generation.seed": ("seed", seed),
        "conditioning_defaults.seconds_total": ("seconds", seconds),
        "generation.sampler_type": ("sampler", sampler),
    }


def asked_config(
    what: What,
    named: Named,
    settings: Mapping[str, Any] | None,
    base: Mapping[str, Any],
    plugins: PluginManager,
    *,
    observed: bool,
) -> tuple[GenerationConfig, Overrides]:
    """The config, and what in it comes from arguments, for the messages about it.

    Args:
        what: What is asked for.
        named: What has an argument of its own; None is no value.
        settings: Other values by their paths, which count more.
        base: The config that prompts and samples alone are put into.
        plugins: Where what it names comes from.
        observed: Whether to build its observers, besides the one that writes the metadata.

    Raises:
        InputError: Something is wrong, with every place and what is allowed.
    """
    origin, data = _data(what, base)
    overrides = Overrides(
        [
            *(
                Override(tuple(path.split(".")), _plain(value), f"{name}={value}")
                for path, (name, value) in named.items()
                if value is not None
            ),
            *(_setting(path, value) for path, value in (settings or {}).items()),
        ]
    )
    data = overrides.applied(data)
    with overrides.explained():
        return parse_config(data, plugins, origin, observed=observed), overrides


def _setting(path: str, value: Any) -> Override:
    argument = f"settings {path}={value}"[:MAX_SHOWN]
    if (place := place_named(str(path))) is None:
        raise UsageError(str(Problem(argument, "must be like generation.steps")))
    return Override(place, _plain(value), argument)


def _data(what: What, base: Mapping[str, Any]) -> tuple[str, Any]:
    """The name of the config's file, and what it holds."""
    if isinstance(what, os.PathLike):
        return os.fspath(what), read_config_file(Path(what))
    if not isinstance(what, Mapping):
        given: Any = [what] if isinstance(what, str) else what
        if not isinstance(given, Sequence) or isinstance(given, bytes):
            asked = "a prompt, a list of prompts or samples, a config, or the path of one"
            raise UsageError(f"what to generate must be {asked}, not {type(what).__name__}")
        samples = [{"prompt": one} if isinstance(one, str) else one for one in given]
        what = {**base, "input": {"type": "config", "samples": samples}}
    return "", check_data(_plain(what), "", "generation config")


def _plain(value: Any) -> Any:
    """Python's values as JSON has them: mappings, sequences and paths, and no number like NaN."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return Refused(f"is {value}, which is no finite number")
    return value
