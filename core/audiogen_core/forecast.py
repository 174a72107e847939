"""What a run would make, how long it would take and what it would fill, before anything is made."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from audiogen_core.batching import Batch, make_batches
from audiogen_core.errors import AudiogenError
from audiogen_core.interfaces.observer import Observer
from audiogen_core.interrupts import raise_if_stopped
from audiogen_core.job import Job
from audiogen_core.making import make_audio
from audiogen_core.memory import batch_limit
from audiogen_core.prepare import Prepared
from audiogen_core.registry import describe
from audiogen_core.settings import Settings

METADATA_BYTES = 2500
"""Of a JSON file beside an output, with a sentence for its prompt."""

MEASURED_STEPS = (2, 4)
"""What is timed: the difference is that of the steps alone."""


@dataclass(frozen=True)
class Forecast:
    """What a run would do.

    Attributes:
        asked: How many outputs the request asks for.
        done: How many of them stand already.
        batches: In how many batches those that are left would be made.
        largest: How many outputs the largest of these has.
        seconds: The length of the audio that is left to make.
        size: Bytes of its files with their metadata; None where the encoder cannot say.
        seeds_open: Whether seeds would only be drawn when the run starts, and names with them.
        steps: For each length in latents and number of outputs in a batch, how many steps of
            sampling there are in all, and how many batches.
    """

    asked: int
    done: int
    batches: int
    largest: int
    seconds: float
    size: int | None
    seeds_open: bool
    steps: dict[tuple[int, int], tuple[int, int]]

    @property
    def left(self) -> int:
        """How many outputs would be made."""
        return self.asked - self.done


def forecast(prepared: Prepared) -> Forecast:
    """Looks at every output that is left, and makes none.

    Batches are as large as this machine would make them now; a folder where a run has begun keeps
    to the size that was decided first.
    """
    request, model = prepared.request, prepared.model.config
    encoder = request.config.encoder
    samples = 0
    size: int | None = 0
    for job in prepared.plan.jobs:
        if job.index in prepared.left:
            length = _samples(prepared, job)
            samples += length
            with prepared.plugins.encoders.calling(encoder.NAME, "output.file_format"):
                expected = encoder.expected_bytes(length, model.sample_rate, model.channels)
            size = None if size is None or expected is None else size + expected
    if size is not None and request.config.output.save_metadata:
        size += METADATA_BYTES * len(prepared.left)
    sizes: Counter[tuple[int, int]] = Counter()
    steps: Counter[tuple[int, int]] = Counter()
    largest = 0
    for batch in _batches(prepared):
        kind = (batch.settings.latents, len(batch.jobs))
        sizes[kind] += 1
        steps[kind] += batch.settings.generation.steps
        largest = max(largest, len(batch.wanted))
    return Forecast(
        prepared.done + len(prepared.left),
        prepared.done,
        sizes.total(),
        largest,
        samples / model.sample_rate,
        size,
        prepared.plan.draws and not prepared.folder.has_key,
        {kind: (steps[kind], count) for kind, count in sizes.items()},
    )


def measure(prepared: Prepared, made: Forecast, observer: Observer) -> float:
    """How many seconds of computing a run would take, by a batch that is sampled on trial.

    The model is loaded. The first batch is sampled in a few steps, three times; what the others
    take is counted by their steps and latents. Encoding and writing are not in it.

    Raises:
        AudiogenError: The model cannot be had, or the batch cannot be made.
    """
    batch = next(_batches(prepared), None)
    if batch is None:
        return 0.0
    prepared.load(observer)
    few, more = MEASURED_STEPS
    _timed(prepared, batch, few, observer)  # the first time, everything takes longer
    short, long = (_timed(prepared, batch, steps, observer) for steps in (few, more))
    step = max(long - short, 0.0) / (more - few)
    rest = max(short - few * step, 0.0)
    latents = batch.settings.latents * len(batch.jobs)
    return sum(
        (steps * step + batches * rest) * (length * outputs / latents)
        for (length, outputs), (steps, batches) in made.steps.items()
    )


def _timed(prepared: Prepared, batch: Batch, steps: int, observer: Observer) -> float:
    """How long a batch takes with so many steps."""
    settings = batch.settings
    few = Settings(
        settings.generation.model_copy(update={"steps": steps}), settings.sampler, settings.latents
    )
    jobs = tuple(replace(job, settings=few) for job in batch.jobs)
    observer.stage(f"measuring {steps} steps")
    start = time.perf_counter()
    try:
        make_audio(prepared.model, Batch(jobs, batch.wanted), Observer())
    except (Exception, SystemExit) as error:  # what a run would tell of an output that failed
        raise_if_stopped()
        raise AudiogenError(f"cannot be measured: {describe(error)}") from error
    return time.perf_counter() - start


def _batches(prepared: Prepared) -> Iterator[Batch]:
    """The batches that hold something to make."""
    request = prepared.request

    def limit(settings: Settings) -> int:
        if request.max_batch is not None:
            return request.max_batch
        return batch_limit(prepared.model, settings, request.device, request.dtype)

    for batch in make_batches(prepared.plan.jobs, limit):
        if wanted := frozenset(job.index for job in batch.jobs if job.index in prepared.left):
            yield Batch(batch.jobs, wanted)


def _samples(prepared: Prepared, job: Job) -> int:
    """The length of an output's file, in samples a channel."""
    model = prepared.model.config
    made = job.settings.latents * model.ratio
    seconds = job.values.get("seconds_total")
    if seconds is None or not prepared.request.config.trims:
        return made
    asked: int = round(seconds * model.sample_rate)
    return min(made, asked)
