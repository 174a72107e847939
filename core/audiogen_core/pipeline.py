"""The whole flow of a run: check everything, let batches be made, and write what comes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from functools import partial

from audiogen_core.batching import Batch
from audiogen_core.errors import AudiogenError
from audiogen_core.executing.dispatch import Dispatch
from audiogen_core.executing.local import Local
from audiogen_core.failures import FailureLog
from audiogen_core.interfaces.executor import Executor, WorkersLostError
from audiogen_core.interfaces.observer import Observer
from audiogen_core.job import Job
from audiogen_core.joblist import JobList
from audiogen_core.models.model import Model
from audiogen_core.observer import Observers
from audiogen_core.outcome import Outcome
from audiogen_core.output import Encoded, encode_output, publish_output
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.prepare import Prepared, Request, prepare
from audiogen_core.publishing import concerns_all
from audiogen_core.registry import describe
from audiogen_core.runfolder.folder import OpenFolder
from audiogen_core.standing import State
from audiogen_core.storage.upload import Upload
from audiogen_core.worklist import WorkList
from audiogen_core.writing import Writer


def run(
    request: Request,
    plugins: PluginManager,
    observers: Sequence[Observer] = (),
    loaded: Model | None = None,
    executor: Executor | None = None,
) -> Outcome:
    """Makes every output of a request that does not stand already.

    Args:
        request: What to make.
        plugins: Where what it names comes from.
        observers: Who is told, besides the observers of the config; an observer of the config
            with the name of one of these is not needed, and told nothing.
        loaded: The request's model where it is there already.
        executor: Who makes the batches; this process for None.

    Raises:
        AudiogenError: The request is wrong, or the model cannot be had: nothing was written.
    """
    names = {one.NAME for one in observers}
    others = [one for one in request.config.observers if one.NAME not in names]
    observer = Observers([*observers, *others], plugins)
    try:
        prepared = prepare(request, plugins, observer, loaded)
        if prepared.remote is not None:
            observer.add(Upload(prepared.remote))
        if not prepared.left:
            _clear_up(prepared)
            outcome = prepared.outcome()
            observer.run_started(request.config, [])
            _end(outcome, observer)
            return outcome
        return make_outputs(prepared, observer, executor)
    finally:
        observer.close()


def make_outputs(
    prepared: Prepared, observer: Observer, executor: Executor | None = None
) -> Outcome:
    """Makes the outputs of a prepared run, or until it is stopped.

    Args:
        prepared: The run.
        observer: Is told how it goes.
        executor: Who makes the batches; this process for None.

    Raises:
        AudiogenError: The model cannot be had: nothing was written.
    """
    executor = executor or Local()
    outcome: Outcome | None = None
    try:
        with closing(Writer()) as writer:
            try:
                told = Observers([writer, observer], prepared.plugins)
                with prepared.plugins.executors.calling(executor.NAME, "--executor"):
                    executor.start(prepared, told)
                outcome = _made(prepared, observer, executor, writer)
            finally:
                executor.stop()
    except KeyboardInterrupt:
        if outcome is None:
            raise
        outcome.interrupted = True  # while workers end, which takes some of them seconds
    try:
        _end(outcome, observer)
    except KeyboardInterrupt:
        outcome.interrupted = True  # nothing is left to make, but somebody waits for the command
    return outcome


def _made(prepared: Prepared, observer: Observer, executor: Executor, writer: Writer) -> Outcome:
    """What came of a run whose executor has started."""
    outcome = prepared.outcome()
    try:
        with prepared.open() as (prepared, folder):
            outcome.there_before = prepared.done
            _Run(prepared, folder, observer, outcome, writer).work(executor)
    except KeyboardInterrupt:
        outcome.interrupted = True
    except (OSError, WorkersLostError) as error:
        # Single files fail on their own; what gets here concerns the folder or the workers, and so
        # all of them.
        outcome.stopped = describe(error)
    except AudiogenError as error:
        if not outcome.written:
            raise
        outcome.stopped = str(error)
    return outcome


def _end(outcome: Outcome, observer: Observer) -> None:
    """Tells the observers that a run has ended, and then what they have to say of it."""
    observer.run_ended(outcome)
    for note in outcome.notes:
        observer.note(note)


def _clear_up(prepared: Prepared) -> None:
    """Ends what another run was ended in the midst of, where nothing is left to make."""
    if prepared.request.new_seeds:
        return  # opening the folder would replace its key, which nothing is made with
    if FailureLog(prepared.request.folder).identities() or prepared.folder.has_workers():
        with suppress(OSError), prepared.folder.open() as folder:  # it may be read-only
            _forget_failures(prepared, folder)


def _forget_failures(prepared: Prepared, folder: OpenFolder) -> None:
    """Takes out of the list of failures what stands now, unless others may be adding to it."""
    if folder.others():
        return
    log, standing = FailureLog(prepared.request.folder), prepared.standing
    if not (failed := log.identities()):
        return
    jobs = [job for job in prepared.plan.jobs if job.identity in failed]
    standing.look_again(jobs)
    log.forget(frozenset(job.identity for job in jobs if standing.state(job) is State.DONE))


class _Run:
    """A run whose output folder is open."""

    def __init__(
        self,
        prepared: Prepared,
        folder: OpenFolder,
        observer: Observer,
        outcome: Outcome,
        writer: Writer,
    ) -> None:
        self._prepared = prepared
        self._folder = folder
        self._observer = observer
        self._outcome = outcome
        self._writer = writer
        self._failures = FailureLog(prepared.request.folder)

    def work(self, executor: Executor) -> None:
        """Lets an executor make what is left."""
        prepared, observer, writer = self._prepared, self._observer, self._writer
        jobs = JobList(job for job in prepared.plan.jobs if job.index in prepared.left)
        observer.run_started(prepared.request.config, jobs)
        work = WorkList(prepared, self._folder, executor, self._outcome, self._fail)

        def done(batch: Batch) -> None:
            writer.end_batch(partial(work.done, batch))

        try:
            for one in Dispatch(work, executor, observer, done).outputs():
                match one:
                    case None:
                        writer.finish_due()
                    case part, index, str(cause):
                        self._fail(part.jobs[index], cause)
                    case part, index, audio:
                        writer.put(
                            partial(encode_output, prepared, part, index, audio),
                            partial(self._publish, part.jobs[index]),
                        )
        finally:
            try:
                writer.finish()  # what is made is not lost, however the run ends
            finally:
                work.close()
        _forget_failures(prepared, self._folder)

    def _publish(self, job: Job, encoded: Future[Encoded]) -> None:
        try:
            made = encoded.result()
            output = publish_output(self._prepared, self._folder, job, made, self._observer)
        except (Exception, SystemExit) as error:
            if concerns_all(error, self._prepared.request.folder):
                raise
            self._fail(job, describe(error))
        else:
            self._outcome.written.append(output.path)

    def _fail(self, job: Job, cause: str) -> None:
        self._outcome.failures.append((job, cause))
        self._observer.sample_failed(job, cause)
        self._failures.append(job, cause)
