"""Contract checks for input sources: what they yield, and what they say where nothing is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from audiogen_core.errors import InputError
from audiogen_core.interfaces.input_source import InputSource, Sample
from audiogen_core.options import validate


def check_input_source(
    plugin: type[InputSource],
    options: Mapping[str, Any],
    *,
    missing: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Runs every check of this module over one input source.

    Args:
        plugin: The class.
        options: The keys of ``input`` besides ``type``, for a source that holds samples.
        missing: The same for sources that are not there, cannot be read or hold no sample.

    Raises:
        AssertionError: A check failed; the message says what was wanted and what came.
    """
    source = plugin(validate(plugin.Options, dict(options)))
    found = source.samples()
    assert isinstance(found, Iterator), (
        f"samples() must return an iterator, not {type(found).__name__}: yield the samples"
    )
    samples = list(found)
    assert samples, f"with {dict(options)!r} there is no sample"
    for sample in samples:
        _check_sample(sample)
    places = [sample.where for sample in samples]
    assert len(set(places)) == len(places), f"samples must say where each stands, not {places}"
    for one in missing:
        _check_missing(plugin, one)


def _check_sample(sample: object) -> None:
    assert isinstance(sample, Sample), f"samples() must yield Sample, not {sample!r}"
    assert sample.where.strip(), "a sample's place must not be empty: messages name it"
    assert isinstance(sample.values, Mapping), f"values must be a mapping, not {sample.values!r}"
    for key in sample.values:
        assert isinstance(key, str), f"conditioning keys are strings, not {key!r}"


def _check_missing(plugin: type[InputSource], options: Mapping[str, Any]) -> None:
    # Nothing is read before the first sample is asked for: a source can be built to be looked at.
    source = plugin(validate(plugin.Options, dict(options)))
    try:
        list(source.samples())
        came: object = "nothing"
    except InputError as error:
        came = error
    except Exception as error:
        came = repr(error)
    assert isinstance(came, InputError), (
        f"with {dict(options)!r}, samples() must raise InputError, not {came}"
    )
    assert all(problem.where for problem in came.problems), f"an error must say where: {came}"
