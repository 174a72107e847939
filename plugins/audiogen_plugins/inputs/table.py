"""``csv``: a table with a header row, a sample a row."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from audiogen_core.errors import InputError, Problem
from audiogen_core.interfaces.input_source import InputSource, Sample
from audiogen_core.options import PluginOptions, UserPath, shown
from audiogen_core.strict_data import MAX_KEYS
from audiogen_plugins.inputs import _lines

TEXTS = frozenset(
    {"prompt", "negative_prompt", "audio_prompt", "init_audio", "inpaint_audio", "sampler_type"}
)
"""Columns that are text, whatever stands in them."""

NUMBERS = frozenset(
    {"seconds_start", "seconds_total", "seed", "steps", "cfg_scale", "init_noise_level"}
)
"""Columns that are numbers, and nothing else."""

_WHOLE = re.compile(r"-?[0-9]{1,4000}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class Table(InputSource):
    """Samples from a UTF-8 table: a column a key, a row a sample; an empty cell is no value.

    The columns of `TEXTS` and ``text_columns`` are text, those of `NUMBERS` are numbers. In other
    columns what is written like a number is one.
    """

    NAME = "csv"

    class Options(PluginOptions):
        """The keys of ``input`` for ``"type": "csv"``."""

        samples_file: UserPath = Field(
            min_length=1, description="UTF-8 table with a header row.", examples=["samples.csv"]
        )
        delimiter: str = Field(",", description="What stands between cells: one character.")
        text_columns: list[str] = Field([], description="More columns that are text.")

        @field_validator("delimiter")
        @classmethod
        def _one_character(cls, value: str) -> str:
            if len(value) != 1 or value in '"\r\n\0 ':
                raise ValueError(f"must be one character, such as ',' or ';', not {shown(value)}")
            return value

    options: Options

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """A table with two rows, and what is none, has none or a row too long."""
        contents = {
            "samples": "prompt,seconds_total\nrain,1.5\n,2\n",
            "blank": "\n",
            "bad": "prompt\nrain,wind\n",
        }
        return _lines.contract_example(folder, contents)

    def samples(self) -> Iterator[Sample]:
        """Yields one sample a row; rows without any cell are skipped.

        Raises:
            InputError: The file cannot be read, holds no sample, or a row does not fit the header.
        """
        path = self.options.samples_file
        rows = self._rows()
        line, header = next(rows, (1, []))
        keys = self._keys(header, line)
        places = {
            key: f"{path}, line {line}, column {column}: {key}"
            for column, key in enumerate(keys, start=1)
        }
        found = False
        for line, cells in rows:
            found = True
            where = f"{path}, line {line}"
            if len(cells) != len(keys):
                found_cells = f"{len(cells)} cell{'s' * (len(cells) != 1)}"
                raise InputError(
                    Problem(where, f"has {found_cells}, but the header has {len(keys)}")
                )
            values = {
                key: self._value(key, cell.strip(), f"{where}, column {column}: {key}")
                for column, (key, cell) in enumerate(zip(keys, cells, strict=True), start=1)
                if cell.strip()
            }
            yield Sample(values, where, places)
        if not found:
            raise _lines.problem("samples_file", f"file '{path}' holds no sample")

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with the number of the line that it starts on."""
        path = self.options.samples_file
        line, length = 1, 0

        def texts() -> Iterator[str]:
            nonlocal length
            for _, text in _lines.text_lines(path, "samples_file"):
                length += len(text)
                if length > _lines.MAX_LINE_BYTES:  # quotes can hold many lines together
                    most = f"more than {_lines.MAX_LINE_BYTES >> 10} KiB"
                    raise InputError(Problem(f"{path}, line {line}", f"is a row of {most}"))
                yield text

        reader = csv.reader(texts(), delimiter=self.options.delimiter, strict=True)
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield line, cells
                line, length = reader.line_num + 1, 0
        except csv.Error as error:
            raise InputError(Problem(f"{path}, line {line}", f"is no row: {error}")) from None

    def _keys(self, header: Sequence[str], line: int) -> list[str]:
        path = self.options.samples_file
        keys = [key.strip() for key in header]
        if len(keys) > MAX_KEYS:
            raise InputError(
                Problem(f"{path}, line {line}", f"has {len(keys)} columns, more than {MAX_KEYS}")
            )
        for column, key in enumerate(keys, start=1):
            where = f"{path}, line {line}, column {column}"
            if not key:
                raise InputError(Problem(where, "has no name in the header"))
            if key in keys[: column - 1]:
                raise InputError(Problem(where, f"'{key}' appears twice in the header"))
        if missing := [key for key in self.options.text_columns if keys and key not in keys]:
            raise _lines.problem("text_columns", f"'{path}' has no column '{missing[0]}'")
        return keys

    def _value(self, key: str, cell: str, where: str) -> Any:
        if key in TEXTS or key in self.options.text_columns:
            return cell
        if _WHOLE.fullmatch(cell):
            return int(cell)
        if _NUMBER.fullmatch(cell):
            value = float(cell)
            if not math.isfinite(value):
                raise InputError(Problem(where, f"is too large a number: {shown(cell)}"))
            return value
        if key in NUMBERS:
            raise InputError(Problem(where, f"must be a number, not {shown(cell)}"))
        return cell
