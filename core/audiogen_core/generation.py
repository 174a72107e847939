"""What `Generator.generate` returns: results, made one after the other as they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from audiogen_core.arrays import FloatArray
from audiogen_core.batching import Batch, make_batches
from audiogen_core.cancelling import CancelledError, Cancelling
from audiogen_core.errors import AudiogenError
from audiogen_core.interfaces.observer import Observer
from audiogen_core.interfaces.post_processor import AudioContext
from audiogen_core.job import Job
from audiogen_core.making import make_batch
from audiogen_core.metadata import metadata
from audiogen_core.observer import Observers
from audiogen_core.outcome import Outcome
from audiogen_core.post_processing import post_process
from audiogen_core.prepare import Planned
from audiogen_core.registry import describe
from audiogen_core.result import Result


class SampleError(AudiogenError):
    """One output could not be made; the others can.

    Attributes:
        index: Which of the generation's outputs it is, from 0.
        where: Where its sample stands: ``input.samples[3]``.
        seed: Its seed.
        cause: What went wrong, in one line.
    """

    def __init__(self, job: Job, cause: str) -> None:
        super().__init__(f"{job.where} (seed {job.seed}): {cause}")
        self.index, self.where, self.seed, self.cause = job.index, job.where, job.seed, cause


class Generation(Iterator[Result]):
    """Results in the order in which they are made. Nothing is made before it is asked for.

    Nor does an observer hear of anything before that: of a generation that nobody begins, it is not
    closed either.

    An output that cannot be made raises a `SampleError` in its turn, unless ``on_failure`` takes
    it; either way the others follow. To stop, leave the loop, or `cancel` from another thread.

    Attributes:
        notes: What the user should know about the outputs before they are made.
    """

    def __init__(
        self,
        planned: Planned,
        lock: AbstractContextManager[object],
        observer: Observer | None = None,
        cancelled: threading.Event | None = None,
        on_failure: Callable[[SampleError], object] | None = None,
    ) -> None:
        self.notes = planned.plan.notes
        self._planned = planned
        self._lock = lock
        self._cancelled = cancelled or threading.Event()
        told = [Cancelling(self._cancelled), *([] if observer is None else [observer])]
        self._observer = Observers(told, planned.plugins)
        self._on_failure = on_failure
        self._outcome = Outcome(len(planned.plan.jobs))
        self._made = self._make()

    def __len__(self) -> int:
        """How many outputs were asked for: results and failures."""
        return self._outcome.planned

    def __next__(self) -> Result:
        """Makes the next result.

        Raises:
            SampleError: It cannot be made; the next call goes on with the one after it.
            StopIteration: All are made, or the generation was cancelled.
        """
        while True:
            made = next(self._made)
            if isinstance(made, Result):
                return made
            if self._on_failure is None:
                raise made
            self._on_failure(made)

    @property
    def cancelled(self) -> bool:
        """Whether somebody has cancelled it."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ends the loop over it at the next step of the sampler. From any thread, at any time."""
        self._cancelled.set()

    def _make(self) -> Iterator[Result | SampleError]:
        planned, outcome = self._planned, self._outcome
        try:
            self._observer.run_started(planned.request.config, planned.plan.jobs)
            for batch in make_batches(planned.plan.jobs, planned.batch_limit):
                for part, index, made in self._make_batch(batch):
                    if self.cancelled:
                        return
                    yield self._finished(part, index, made)
        except CancelledError:
            return
        finally:
            outcome.interrupted = self.cancelled
            self._observer.run_ended(outcome)
            self._observer.close()

    def _make_batch(self, batch: Batch) -> list[tuple[Batch, int, FloatArray | str]]:
        # No generator: the model is not to be held while somebody looks at a result.
        with self._lock:
            return list(make_batch(self._planned.model, batch, self._observer))

    def _finished(self, batch: Batch, index: int, made: FloatArray | str) -> Result | SampleError:
        """The audio as it would be encoded, or what prevented it."""
        job, rate = batch.jobs[index], self._planned.model.config.sample_rate
        if isinstance(made, str):
            return self._failed(job, made)
        notes: list[str] = []
        context = AudioContext(rate, job.values, notes.append)
        try:
            audio = post_process(made, self._planned.request.config.post_processors, context)
        except (
            Exception,
            SystemExit,
        ) as error:  # whatever a plugin raises, it costs this output alone
            return self._failed(job, describe(error))
        content = metadata(self._planned, batch, index, audio.shape[-1])
        return Result(audio, rate, job, content, tuple(notes), self._planned, batch)

    def _failed(self, job: Job, cause: str) -> SampleError:
        self._outcome.failures.append((job, cause))
        self._observer.sample_failed(job, cause)
        return SampleError(job, cause)
