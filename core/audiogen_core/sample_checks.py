"""What every model asks of the samples of a config: all problems are told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from itertools import chain
from typing import Any

from audiogen_core.config import GenerationConfig
from audiogen_core.errors import MAX_PROBLEMS, InputError, Problem
from audiogen_core.interfaces.input_source import Sample
from audiogen_core.joblist import PAGE
from audiogen_core.models.limits import MAX_SAMPLE_RATE
from audiogen_core.options import shown, type_name
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.recordings import FILES, RecordingChecks
from audiogen_core.samples import samples_of
from audiogen_core.settings import MAX_MET

ValueCheck = Callable[[Any], None]
"""Raises a ValueError for a conditioning value that cannot be used."""

MAX_OUTPUTS = 2_000_000
"""Of one run: what is planned is kept in memory, some 150 bytes for each."""

_TEXTS = frozenset({"prompt", "negative_prompt", "audio_prompt"})

MAX_SECONDS = 10**9
"""More than any audio lasts, and little enough to calculate with."""


def check_samples(config: GenerationConfig, plugins: PluginManager) -> None:
    """Checks the values of samples and defaults for what every model refuses.

    Args:
        config: The config.
        plugins: Where its input source comes from.

    Raises:
        InputError: A value cannot be used, or the samples cannot be read; every problem.
    """
    recordings, file_keys = RecordingChecks(None), frozenset(FILES)
    SampleChecks(config, plugins, recordings, MAX_SAMPLE_RATE, file_keys).check()


class SampleChecks:
    """What every model asks of samples: all problems are collected.

    Args:
        config: The config.
        plugins: Where its input source comes from.
        recordings: What samples may hold of recordings.
        sample_rate: Of the audio.
        file_keys: The keys of values that are paths of files.
    """

    def __init__(
        self,
        config: GenerationConfig,
        plugins: PluginManager,
        recordings: RecordingChecks,
        sample_rate: int,
        file_keys: Set[str],
    ) -> None:
        self._config = config
        self._plugins = plugins
        self._recordings = recordings
        self._cut_rate = sample_rate if config.trims else None
        self._problems: dict[Problem, None] = {}
        # What holds for all samples is checked once, and files are not opened for each of them.
        self._good_defaults: set[tuple[ValueCheck, str]] = set()
        self._file_keys = file_keys
        self._good_files: dict[tuple[ValueCheck, str], None] = {}  # in the order of their coming
        found = {
            key: _documented_problem(key, value, self._cut_rate)
            for key, value in config.conditioning_defaults.items()
        }
        self._bad_defaults = {key: what for key, what in found.items() if what is not None}

    def check(self) -> None:
        """Checks every sample.

        Raises:
            InputError: One holds a value that cannot be used, or they cannot be read.
        """
        with self._collecting():
            for sample in chain.from_iterable(self._pages()):
                values = {**self._config.conditioning_defaults, **sample.values}
                self._check_documented(sample.where, sample.values, values)
                if self._are_enough:
                    break

    @contextmanager
    def _collecting(self) -> Iterator[None]:
        """Raises, in the end, all that was found."""
        try:
            yield
        except InputError as error:
            self._problems.update(dict.fromkeys(error.problems))
        if self._problems:
            raise InputError(list(self._problems), self._config.origin, more=self._are_enough)

    @property
    def _are_enough(self) -> bool:
        return len(self._problems) >= MAX_PROBLEMS

    def _pages(self) -> Iterator[list[Sample]]:
        """The samples as they come, up to as many as a run may have: a grid asks for billions."""
        batch_size = self._config.generation.batch_size
        most, together = MAX_OUTPUTS // batch_size, max(PAGE // batch_size, 1)
        page: list[Sample] = []
        failed: InputError | None = None
        try:
            for number, sample in enumerate(samples_of(self._config, self._plugins)):
                if number == most:
                    what = f"asks for more than {MAX_OUTPUTS:,} outputs in one run"
                    raise InputError(Problem("input", what))
                page.append(sample)
                if len(page) == together:
                    yield page
                    page = []
        except InputError as error:
            failed = error  # what came before it is checked first
        yield page
        if failed is not None:
            raise failed

    def _check_documented(
        self, where: str, given: Mapping[str, Any], values: Mapping[str, Any]
    ) -> set[str]:
        """Checks the values of documented keys, and returns those that cannot be used."""
        refused = {key for key in given if self._refuses(where, key, given[key])}
        for key, what in self._bad_defaults.items():
            if key not in given:
                self._problem("conditioning_defaults", key, what)
                refused.add(key)
        for key, check in self._recordings.of(values):
            self._check_value(check, where, given, key, values[key])
        return refused

    def _check_value(
        self, check: ValueCheck, where: str, given: Mapping[str, Any], key: str, value: Any
    ) -> None:
        is_default = key not in given
        if is_default and (check, key) in self._good_defaults:
            return
        file = (check, value) if key in self._file_keys and isinstance(value, str) else None
        if file in self._good_files:
            return
        try:
            check(value)
        except ValueError as error:
            self._problem("conditioning_defaults" if is_default else where, key, str(error))
        else:
            if is_default:
                self._good_defaults.add((check, key))
            if file is not None:
                if len(self._good_files) >= MAX_MET:
                    del self._good_files[next(iter(self._good_files))]
                self._good_files[file] = None

    def _refuses(self, where: str, key: str, value: Any) -> bool:
        """Whether a value cannot be used whatever the model's conditioners are."""
        if what := _documented_problem(key, value, self._cut_rate):
            self._problem(where, key, what)
            return True
        return False

    def _problem(self, where: str, key: str, what: str) -> None:
        path = f"{where}.{key}" if where.endswith(("]", "defaults")) else f"{where}: {key}"
        self._problems[Problem(path, what)] = None


def _documented_problem(key: str, value: Any, cut_rate: int | None) -> str | None:
    """What is wrong with a value whatever the model's conditioners are.

    Args:
        key: Its key.
        value: The value.
        cut_rate: The sample rate of audio that is cut to ``seconds_total``; None where it is not.
    """
    if value is None:
        return None
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return "holds half of a surrogate pair, which is no Unicode text"
    if key in _TEXTS and not isinstance(value, str):
        return f"must be a string, not {type_name(value)}"
    if key in {"seconds_start", "seconds_total"}:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"must be a number, not {type_name(value)}"
        if not abs(value) <= MAX_SECONDS:
            return f"must be a number of seconds up to {MAX_SECONDS}, not {shown(value)}"
        if key == "seconds_total" and cut_rate is not None and round(value * cut_rate) < 1:
            least = f"at least 1/{cut_rate}, one sample," if value > 0 else "greater than 0"
            return f"must be {least} to cut the audio to it, not {shown(value)}"
    return None
