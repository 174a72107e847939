"""Tells the observers of a run how it goes; none of them can harm it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from audiogen_core.hooks import warn_of_plugin
from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.registry import describe

if TYPE_CHECKING:
    from audiogen_core.config import GenerationConfig
    from audiogen_core.job import Job
    from audiogen_core.outcome import Outcome


class Observers(Observer):
    """All observers of a run as one.

    Args:
        observers: The observers, in the order in which they are told.
        plugins: For the distribution of one that fails.
    """

    NAME = "observers"

    def __init__(self, observers: Sequence[Observer], plugins: PluginManager) -> None:
        super().__init__()
        self._observers = list(observers)
        self._plugins = plugins
        self._warned: set[int] = set()

    def add(self, observer: Observer) -> None:
        """Adds one that is told from now on, after the others."""
        self._observers.append(observer)

    def each(self) -> Iterator[Observer]:
        """The single ones, also of those that are several as one."""
        for one in self._observers:
            if isinstance(one, Observers):
                yield from one.each()
            else:
                yield one

    def stage(self, what: str) -> None:
        """Tells all."""
        self._tell(lambda one: one.stage(what))

    def note(self, what: str) -> None:
        """Tells all."""
        self._tell(lambda one: one.note(what))

    def downloaded(self, done: int, total: int | None) -> None:
        """Tells all."""
        self._tell(lambda one: one.downloaded(done, total))

    def run_started(self, config: GenerationConfig, jobs: Sequence[Job]) -> None:
        """Tells all."""
        self._tell(lambda one: one.run_started(config, jobs))

    def batch_started(self, jobs: Sequence[Job]) -> None:
        """Tells all."""
        self._tell(lambda one: one.batch_started(jobs))

    def step(self, done: int, total: int | None) -> None:
        """Tells all."""
        self._tell(lambda one: one.step(done, total))

    def waiting(self) -> None:
        """Tells all."""
        self._tell(lambda one: one.waiting())

    def sample_done(self, output: Output) -> None:
        """Tells those first whom the output needs.

        Raises:
            Exception: What one of those raises: the output has failed, and the others know nothing.
        """
        told = list(self.each())
        for one in told:
            if one.REQUIRED:
                one.sample_done(output)
        for one in told:
            if not one.REQUIRED:
                self._tell_one(one, lambda one: one.sample_done(output))

    def sample_failed(self, job: Job, cause: str) -> None:
        """Tells all."""
        self._tell(lambda one: one.sample_failed(job, cause))

    def run_ended(self, outcome: Outcome) -> None:
        """Tells all."""
        self._tell(lambda one: one.run_ended(outcome))

    def close(self) -> None:
        """Tells all."""
        self._tell(lambda one: one.close())

    def _tell(self, what: Callable[[Observer], Any]) -> None:
        for one in self._observers:
            self._tell_one(one, what)

    def _tell_one(self, one: Observer, what: Callable[[Observer], Any]) -> None:
        try:
            what(one)
        # Whatever it is, the outputs are worth more.
        except (Exception, SystemExit) as error:
            self._warn(one, error)

    def _warn(self, observer: Observer, error: BaseException) -> None:
        if id(observer) in self._warned:
            return
        self._warned.add(id(observer))
        registry = self._plugins.observers
        name = getattr(observer, "NAME", type(observer).__name__)
        whose = f" of {registry.origin(name)}" if name in registry else ""
        warn_of_plugin(f"observer '{name}'{whose} failed, and the run goes on: {describe(error)}")
