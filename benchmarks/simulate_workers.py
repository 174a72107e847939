"""Simulates many workers on one output folder, some of which die, and prints what it costs.

    python benchmarks/simulate_workers.py --workers 64 --outputs 1000000

Nothing is generated: batches take times drawn at random, workers die at random moments and come
back after a while, and what they do to the folder is counted by what `runfolder` and `worklist`
do for each output. The same arguments give the same figures.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections import deque
from dataclasses import dataclass

CLAIM_OPERATIONS = 8
"""On the folder, for an output that is looked at: four to claim, two to look, two to release."""

WRITE_OPERATIONS = 14
"""For an output that is made: two files written, synced and renamed, two lines of the journal."""

HOUR = 3600.0


@dataclass(frozen=True)
class Plan:
    """What is simulated; times in seconds.

    Attributes:
        workers: How many processes there are.
        outputs: How many outputs are to be made.
        batch: How many are sampled together.
        batch_time: How long a batch takes on average.
        spread: The standard deviation of that, as a part of it.
        lifetime: How long a worker lives on average; 0 for ever.
        restart: From its death until it makes the next batch: another machine, and the model.
        takeover: How long others wait before they take what it held.
        sharded: Whether each worker has a part of its own.
        seed: Of the random numbers.
    """

    workers: int
    outputs: int
    batch: int
    batch_time: float
    spread: float
    lifetime: float
    restart: float
    takeover: float
    sharded: bool
    seed: int


@dataclass
class Result:
    """What came of it; times in seconds.

    Attributes:
        wall: Until the last output is made.
        ideal: The same without deaths, and with no worker ever waiting.
        deaths: How many workers died.
        lost: The computing time of batches that were cut off.
        operations: On the output folder.
    """

    wall: float = 0.0
    ideal: float = 0.0
    deaths: int = 0
    lost: float = 0.0
    operations: int = 0


def simulate(plan: Plan) -> Result:
    """Runs all workers to their end."""
    draw = random.Random(plan.seed)  # noqa: S311
    batches = -(-plan.outputs // plan.batch)
    result = Result(ideal=batches * plan.batch_time / plan.workers)
    parts = plan.workers if plan.sharded else 1
    # For each part, how many batches nobody has begun, and those that become free again, and when.
    fresh = [len(range(part, batches, parts)) for part in range(parts)]
    returned: list[deque[float]] = [deque() for _ in range(parts)]
    free_at = [(0.0, worker) for worker in range(plan.workers)]
    death_of = [_lifetime(plan, draw) for _ in range(plan.workers)]
    while free_at:
        now, worker = heapq.heappop(free_at)
        part = worker % parts
        if returned[part] and returned[part][0] <= now:
            returned[part].popleft()
        elif fresh[part]:
            fresh[part] -= 1
        elif returned[part]:
            heapq.heappush(free_at, (returned[part][0], worker))  # it waits for what is held
            continue
        else:
            continue  # nothing is left for it
        end = now + max(draw.gauss(plan.batch_time, plan.spread * plan.batch_time), 0.0)
        if death_of[worker] < end:
            died = max(death_of[worker], now)
            result.deaths += 1
            result.lost += died - now
            returned[part].append(died + (plan.restart if plan.sharded else plan.takeover))
            heapq.heappush(free_at, (died + plan.restart, worker))
            death_of[worker] = died + plan.restart + _lifetime(plan, draw)
        else:
            result.wall = max(result.wall, end)
            heapq.heappush(free_at, (end, worker))
    looks = plan.outputs if plan.sharded else plan.outputs * plan.workers
    result.operations = looks * CLAIM_OPERATIONS + plan.outputs * WRITE_OPERATIONS
    return result


def _lifetime(plan: Plan, draw: random.Random) -> float:
    return draw.expovariate(1 / plan.lifetime) if plan.lifetime else float("inf")


def main() -> None:
    """Simulates the plan with several lifetimes, with and without a part for each worker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--outputs", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--batch-time", type=float, default=40.0, help="in seconds")
    parser.add_argument("--restart", type=float, default=300.0, help="in seconds")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print("lifetime h  parts  wall h  over ideal  deaths  redone  operations/s")
    for lifetime in (0.0, 24.0, 4.0, 1.0):
        for sharded in (False, True):
            plan = Plan(
                given.workers, given.outputs, given.batch, given.batch_time, 0.05,
                lifetime * HOUR, given.restart, 60.0, sharded, given.seed,
            )  # fmt: skip
            found = simulate(plan)
            work = plan.batch_time * -(-plan.outputs // plan.batch)
            print(
                f"{lifetime or 'never':>10}  {'own' if sharded else 'shared':>6}"
                f"{found.wall / HOUR:>8.2f}{found.wall / found.ideal - 1:>11.1%}"
                f"{found.deaths:>8}{found.lost / work:>9.2%}{found.operations / found.wall:>13,.0f}"
            )


if __name__ == "__main__":
    main()
