"""Signals that ask to stop wait for what must not be torn, once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from audiogen_core.interrupts import STOPS, held_stop, raise_if_stopped, stoppable


@pytest.fixture(autouse=True)
def _as_started() -> Iterator[None]:
    """Interrupts raise, also where the tests were started in the background or under nohup."""
    before = {number: signal.getsignal(number) for number in STOPS}
    for number in STOPS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def stopped(number: int, done: list[int]) -> None:
    """Is signalled in the middle of a block that must not be torn."""
    with stoppable(), held_stop():
        signal.raise_signal(number)
        done.append(number)


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_waits_for_the_end_of_the_block(number: int) -> None:
    """The block is finished, then KeyboardInterrupt is raised."""
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        stopped(number, done)
    assert done == [number]


@pytest.mark.parametrize("number", STOPS)
def test_outside_of_a_block_it_raises_at_once(number: int) -> None:
    """Nothing is waited for."""
    with pytest.raises(KeyboardInterrupt), stoppable():
        signal.raise_signal(number)


def lost_in_translation() -> None:
    """Is signalled, and makes another error of it, as code in other languages may."""
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        raise RuntimeError("a callback failed") from None


def test_a_signal_that_became_another_error_still_stops() -> None:
    """And it is known to whoever catches that error; an error of another run is an error."""
    with pytest.raises(KeyboardInterrupt), stoppable():
        lost_in_translation()
    with pytest.raises(KeyboardInterrupt):
        raise_if_stopped()
    with pytest.raises(ValueError, match="x"), stoppable():
        raise ValueError("x")
    raise_if_stopped()


def test_handlers_are_what_they_were() -> None:
    """Nothing is left of the block, whether a signal came or not."""
    before = {number: signal.getsignal(number) for number in STOPS}
    with stoppable(), held_stop():
        pass
    assert {number: signal.getsignal(number) for number in STOPS} == before


def test_what_was_ignored_stays_ignored() -> None:
    """A run under nohup outlives its terminal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    done: list[int] = []
    stopped(signal.SIGHUP, done)
    assert done == [signal.SIGHUP]


def test_without_a_signal_nothing_happens() -> None:
    """The block's own errors pass."""
    with pytest.raises(ValueError, match="x"), stoppable(), held_stop():
        raise ValueError("x")


def in_a_fork(work: Callable[[], None]) -> int:
    """How a fork ends that does some work: its exit code, or minus the signal."""
    if (pid := os.fork()) == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("number", STOPS)
def test_a_second_signal_ends_the_process(number: int) -> None:
    """Whoever insists is not made to wait for a block that hangs."""

    def insist() -> None:
        with stoppable(), held_stop():
            signal.raise_signal(number)
            signal.raise_signal(number)

    assert in_a_fork(insist) == -number


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_other_signals_still_count_as_the_second() -> None:
    """Ctrl-C, then a request to end: it is over."""

    def insist() -> None:
        with stoppable(), held_stop():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)

    assert in_a_fork(insist) == -signal.SIGTERM


def failed(done: list[str]) -> None:
    """Is signalled in a block that fails."""
    with held_stop():
        signal.raise_signal(signal.SIGINT)
        done.append("signalled")
        raise OSError("the disk is full")


def test_a_signal_is_not_forgotten_where_the_block_fails() -> None:
    """Whoever asked to stop is obeyed, and the error is still to be seen."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt) as caught:
        failed(done)
    assert done == ["signalled"]
    assert isinstance(caught.value.__context__, OSError)
