"""A pool of workers ends where there can be none: it never waits for ever."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from audiogen_core.errors import EXIT_USAGE, AudiogenError, UsageError
from audiogen_core.executing.dispatch import Dispatch
from audiogen_core.executing.pool import LOST_IN_A_ROW, Member, Pool
from audiogen_core.executing.process import Ready, Refused
from audiogen_core.interfaces.executor import WorkersLostError
from audiogen_core.interfaces.observer import Observer
from audiogen_core.prepare import Planned
from tests.core.test_jobs import jobs, planned


class Ending(Pool):
    """One worker, which ends when it is told anything; and so does each that replaces it.

    Args:
        says: What it says before.
    """

    NAME = "ending"

    def __init__(self, says: Refused | None) -> None:
        super().__init__()
        self.says = says
        self.started = 0

    def start(self, planned: Planned, observer: Observer) -> None:
        """Starts it."""
        del planned, observer
        self.wait_for_one()

    def wanted(self) -> int:
        """One."""
        return 1

    def member(self, place: int) -> Member:
        """Starts it, and it is ready."""
        self.started += 1
        worker = Worker(place, self)
        self.hear(worker, Ready())
        return worker


class Worker:
    """One that ends when it is told anything."""

    def __init__(self, place: int, pool: Ending | Two) -> None:
        self.place = place
        self.ready = self.cut_off = False
        self.tickets: list[int] = []
        self._pool = pool

    def tell(self, what: object) -> None:
        """Ends."""
        del what
        if isinstance(self._pool, Ending) and self._pool.says is not None:
            self._pool.hear(self, self._pool.says)
        self._pool.hear(self, None)

    def close(self) -> None:
        """It may have ended already."""

    def end(self) -> str:
        """The reason."""
        return "was killed"


@pytest.mark.parametrize(
    ("says", "error", "started"),
    [
        (None, WorkersLostError, LOST_IN_A_ROW),
        (Refused("a node lacks a package", EXIT_USAGE), UsageError, 1),
    ],
)
def test_workers_that_end_when_they_are_asked(
    says: Refused | None, error: type[AudiogenError], started: int
) -> None:
    """Those that are lost are replaced some times, and one that says why is believed at once."""
    (job,) = jobs(planned())
    pool = Ending(says)
    pool.wait_for_one()
    with pytest.raises(error, match="was killed" if says is None else says.cause):
        pool.batch_limit(job.settings)
    assert pool.started == started


class Two(Pool):
    """Two workers that say nothing by themselves."""

    NAME = "two"
    started = 0

    def start(self, planned: Planned, observer: Observer) -> None:
        """Nothing."""

    def wanted(self) -> int:
        """Two."""
        return 2

    def member(self, place: int) -> Member:
        """Starts it."""
        self.started += 1
        return Worker(place, self)


OUT_OF_MEMORY = Refused("OutOfMemoryError: the GPU is in use", 1)


def test_one_that_refuses_does_not_end_those_that_still_load() -> None:
    """Whoever answers first."""
    pool = Two()
    list(pool.events(0))
    first, second = pool.members
    pool.hear(first, OUT_OF_MEMORY)
    pool.hear(first, None)
    pool.hear(second, Ready())
    pool.wait_for_one()
    assert second.ready
    assert first not in pool.members


def test_where_all_refuse_the_last_cause_is_told() -> None:
    """After some replacements that refuse as well."""
    pool = Two()
    list(pool.events(0))
    told: list[Member] = []

    def refuse() -> None:
        for _ in range(20):
            for member in [one for one in pool.members if one not in told]:
                told.append(member)
                pool.hear(member, OUT_OF_MEMORY)
                pool.hear(member, None)
            list(pool.events(0))

    with pytest.raises(WorkersLostError, match="the GPU is in use"):
        refuse()
    assert pool.started == LOST_IN_A_ROW + 1


def test_a_wrong_request_is_told_at_once() -> None:
    """It is wrong for all, while none has been ready."""
    pool = Two()
    list(pool.events(0))
    pool.hear(pool.members[0], Refused("the checkpoint does not fit", EXIT_USAGE))
    with pytest.raises(UsageError, match="does not fit"):
        pool.wait_for_one()


class Unable(Pool):
    """A machine on which nothing can be started."""

    NAME = "unable"

    def start(self, planned: Planned, observer: Observer) -> None:
        """Nothing."""

    def wanted(self) -> int:
        """One."""
        return 1

    def member(self, place: int) -> Member:
        """Fails."""
        del place
        raise OSError(24, "Too many open files")


def test_where_no_worker_can_be_started() -> None:
    """One message with the system's words."""
    with pytest.raises(WorkersLostError, match="no worker can be started: Too many open files"):
        Unable().wait_for_one()


class Lacking(Two):
    """A pool whose workers get ready when they are asked for."""

    NAME = "lacking"

    def member(self, place: int) -> Member:
        """Starts one, and it is ready."""
        worker = super().member(place)
        self.hear(worker, Ready())
        return worker


class Elsewhere:
    """Work that others hold until a worker is there to take it."""

    over = False

    def __init__(self, pool: Lacking) -> None:
        self._pool = pool

    def take(self) -> None:
        """Others have let go of it: nothing is left."""
        self.over = True

    def elsewhere(self) -> int:
        """One."""
        return 1


def test_workers_are_replaced_while_others_hold_the_rest() -> None:
    """A run whose last worker is lost gets another, and does not wait for ever."""
    pool = Lacking()
    work: Any = Elsewhere(pool)
    waited = list(islice(Dispatch(work, pool, Observer(), lambda _: None).outputs(), 10))
    assert len(waited) < 10
    assert pool.members[0].ready
