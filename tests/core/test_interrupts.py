"""Interrupts wait for what must not be torn."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from audiogen_core.interrupts import held_interrupt


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Interrupts raise, also where the tests were started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(done: list[int], times: int) -> None:
    """Is interrupted after each of its steps, and remembers those that were done."""
    with held_interrupt():
        for step in range(times):
            signal.raise_signal(signal.SIGINT)
            done.append(step)


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    """The block is finished, then the interrupt comes, and the handler is what it was."""
    before = signal.getsignal(signal.SIGINT)
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(done, 1)
    assert done == [0]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_does_not_wait() -> None:
    """Whoever insists is not made to wait for a block that hangs."""
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(done, 2)
    assert done == [0]


def test_without_an_interrupt_nothing_happens() -> None:
    """The block's own errors pass."""
    with pytest.raises(ValueError, match="x"), held_interrupt():
        raise ValueError("x")
