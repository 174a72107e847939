"""What keeps a million jobs small, and that nothing of them is lost by it."""

from __future__ import annotations

import gc
import random
from collections import Counter

import pytest

from audiogen_core.batching import make_batches
from audiogen_core.compact import Indexes, Tally
from audiogen_core.config import parse_config
from audiogen_core.job import Job
from audiogen_core.joblist import PAGE, JobList
from audiogen_core.jobs import Plan, plan_jobs
from audiogen_core.models.config import parse_model_config
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.testing.tiny_model import tiny_config

COUNT = 3 * PAGE + 7


@pytest.fixture(scope="module")
def plan() -> Plan:
    """More jobs than three pages hold, with three kinds of settings."""
    plugins = installed_plugins()
    values = {"prompt": [f"n{number}" for number in range(COUNT)], "seconds_total": [1]}
    data = {"generation": {"seed": -1}, "input": {"type": "grid", "values": values}}
    return plan_jobs(
        parse_config(data, plugins), parse_model_config(tiny_config(), "model.json"), plugins
    )


def test_a_list_gives_back_what_was_added(plan: Plan) -> None:
    """By index from both ends, by slice and in a row; and whole numbers stay whole."""
    settings = plan.jobs[0].settings
    made = [
        Job(index, 0, "here", {"bpm": index if index % 2 else float(index)}, index, f"{index}",
            settings, "x")
        for index in range(COUNT)
    ]  # fmt: skip
    jobs = JobList(made)
    assert list(jobs) == made
    assert len(jobs) == COUNT
    assert [jobs[0], jobs[PAGE - 1], jobs[PAGE], jobs[-1]] == [
        made[0], made[PAGE - 1], made[PAGE], made[-1]
    ]  # fmt: skip
    assert list(jobs[PAGE - 2 : PAGE + 2]) == made[PAGE - 2 : PAGE + 2]
    assert [type(job.values["bpm"]) for job in jobs] == [float, int] * (COUNT // 2) + [float]
    assert {id(job.settings) for job in jobs} == {id(settings)}
    with pytest.raises(IndexError):
        jobs[COUNT]


def test_a_plan_does_not_hold_its_jobs(plan: Plan) -> None:
    """Of jobs that nobody looks at, only those of two pages are objects."""
    assert len(plan.jobs) == COUNT
    gc.collect()
    kept = {id(one) for one in gc.get_objects() if type(one) is Job}
    assert len(kept) < 2 * PAGE


def test_batches_are_made_where_they_are_read(plan: Plan) -> None:
    """By number, by slice and in a row: each output once, in its order."""
    batches = make_batches(plan.jobs, lambda _: 10)
    assert len(batches) == -(-COUNT // 10)
    assert [job.index for batch in batches for job in batch.jobs] == list(range(COUNT))
    assert [job.index for job in batches[-1].jobs] == list(range(COUNT - COUNT % 10, COUNT))
    assert [len(batch.jobs) for batch in batches[1:3]] == [10, 10]


def test_a_tally_counts_as_a_dictionary_does() -> None:
    """Also keys that want the same slot, and while it grows."""
    draw = random.Random(1)  # noqa: S311
    keys = [draw.choice((1, 1025, 2049, draw.getrandbits(63) + 1)) for _ in range(5000)]
    tally, known = Tally(), Counter[int]()
    for key in keys:
        assert tally.count(key) == known[key]
        known[key] += 1
    assert all(tally[key] == known[key] for key in keys)
    assert tally[2**64 - 1] == 0


def test_indexes_are_a_set() -> None:
    """They hold, count and subtract as a set of Python's does."""
    found = Indexes([5, 1, 5, 900])
    assert (list(found), len(found), 1 in found, 2 in found, -1 in found) == (
        [1, 5, 900], 3, True, False, False
    )  # fmt: skip
    assert found - Indexes([1, 7]) == {5, 900}
    found.discard(5)
    found.discard(5)
    assert (found, len(found)) == ({1, 900}, 2)
