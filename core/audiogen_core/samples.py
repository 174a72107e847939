"""The samples of a config, as its input source gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from audiogen_core.config import GenerationConfig, with_homes
from audiogen_core.errors import InputError, Problem
from audiogen_core.interfaces.input_source import Sample
from audiogen_core.options import type_name
from audiogen_core.plugin_manager import PluginManager


def samples_of(config: GenerationConfig, plugins: PluginManager) -> Iterator[Sample]:
    """Yields the samples in their order.

    Raises:
        InputError: The source cannot be read, holds no sample, or is a plugin that fails.
    """
    found = False
    with plugins.inputs.calling(config.source.NAME, "input"):
        for sample in config.source.samples():
            if not isinstance(sample, Sample):
                raise TypeError(f"it yields {type_name(sample)}, and no Sample")
            if not isinstance(sample.where, str) or not _is_by_name(sample.values):
                raise TypeError("it yields a Sample without values by name, or without a place")
            found = True
            values = with_homes(sample.values)
            yield sample if values is sample.values else replace(sample, values=values)
    if not found:
        raise InputError(Problem("input", "holds no sample"))


def _is_by_name(values: object) -> bool:
    return isinstance(values, Mapping) and all(isinstance(key, str) for key in values)
