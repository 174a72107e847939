"""What the command and the gateway of the executor `ray` say to each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cluster:
    """What to connect to.

    Attributes:
        address: Where it is; None for a Ray of our own, on this machine.
        room: How many CPUs a Ray of our own has; None for those of the machine.
        cpus: How many each worker is given, and how many threads it computes with.
        gpus: How many each worker is given.
        folder: Where a Ray of our own has its files.
    """

    address: str | None
    room: int | None
    cpus: int
    gpus: int
    folder: str | None = None


@dataclass(frozen=True)
class Hire:
    """A worker is wanted, wherever there is room, now or later."""

    worker: int


@dataclass(frozen=True)
class Tell:
    """A message for a worker, as a pickle."""

    worker: int
    message: bytes


@dataclass(frozen=True)
class Dismiss:
    """A worker is to end, also where it has not started yet."""

    worker: int


@dataclass(frozen=True)
class Nodes:
    """The resources of each node that is alive; the first of these says that Ray is connected."""

    resources: list[dict[str, float]]


@dataclass(frozen=True)
class NotConnected:
    """There is no such Ray."""

    cause: str


@dataclass(frozen=True)
class Placed:
    """A worker has started somewhere."""

    worker: int


@dataclass(frozen=True)
class Said:
    """What a worker answers, as a pickle."""

    worker: int
    answer: bytes


@dataclass(frozen=True)
class Gone:
    """A worker has ended.

    Attributes:
        worker: Its number.
        cause: What is known of its end.
        hopeless: Whether one that takes its place would end too.
    """

    worker: int
    cause: str
    hopeless: bool = False
