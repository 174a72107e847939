"""``jsonl``: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from audiogen_core.errors import InputError, Problem
from audiogen_core.interfaces.input_source import InputSource, Sample
from audiogen_core.options import PluginOptions, UserPath, type_name
from audiogen_core.strict_json import parse_json
from audiogen_plugins.inputs import _lines


class JsonLines(InputSource):
    """Samples from a UTF-8 file with a JSON object a line; blank lines are skipped."""

    NAME = "jsonl"

    class Options(PluginOptions):
        """The keys of ``input`` for ``"type": "jsonl"``."""

        samples_file: UserPath = Field(
            min_length=1,
            description="UTF-8 file, a JSON object a line.",
            examples=["samples.jsonl"],
        )

    options: Options

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """A file with two samples, and what is none, holds none or no objects."""
        contents = {
            "samples": '{"prompt": "rain"}\n\n{"prompt": "wind"}\n',
            "blank": "\n",
            "bad": "[1]\n",
        }
        return _lines.contract_example(folder, contents)

    def samples(self) -> Iterator[Sample]:
        """Yields one sample a line that is not blank.

        Raises:
            InputError: The file cannot be read, holds no sample, or a line is not strict JSON.
        """
        path = self.options.samples_file
        found = False
        for number, line in _lines.raw_lines(path, "samples_file"):
            if line.strip():
                found = True
                where = f"{path}, line {number}"
                yield Sample(_object(line, where), where)
        if not found:
            raise _lines.problem("samples_file", f"file '{path}' holds no sample")


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        # Without its end, an error at the end of the line is not one of the next line.
        values = parse_json(line.rstrip(b"\r\n"), "", "it")
    except InputError as error:
        raise InputError([_placed(one, where) for one in error.problems]) from None
    if not isinstance(values, dict):
        raise InputError(Problem(where, f"must be an object, not {type_name(values)}"))
    return values


def _placed(problem: Problem, where: str) -> Problem:
    """A problem of one line, with its place in the file."""
    if problem.where.startswith("line 1, "):
        return replace(problem, where=f"{where}, {problem.where.removeprefix('line 1, ')}")
    return replace(problem, where=f"{where}: {problem.where}" if problem.where else where)
