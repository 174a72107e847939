"""The input source: the rows of a CSV file."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pydantic import Field

from audiogen_core.errors import InputError, Problem
from audiogen_core.interfaces.input_source import InputSource, Sample
from audiogen_core.options import PluginOptions


class Rows(InputSource):
    """One sample for each row of a CSV file, whose header names the conditioning values.

    Cells that hold a number become one. Empty cells leave a value to ``conditioning_defaults``.
    """

    NAME = "rows"

    class Options(PluginOptions):
        """The keys of ``input`` besides ``type``."""

        csv_file: str = Field(examples=["prompts.csv"], description="UTF-8 CSV file with a header.")
        delimiter: str = Field(",", min_length=1, max_length=1, description="Between the cells.")

    options: Options

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """A file with three rows, and files that are not there, have no row or a row too long."""
        contents = {
            "samples": "prompt,seconds_total\na jazz piece,1.5\n,2\n\nrain,\n",
            "header": "prompt\n",
            "long": "prompt\nrain,wind\n",
        }
        for name, text in contents.items():
            (folder / name).write_text(text, encoding="utf-8")
        missing = ["nowhere", "header", "long"]
        return {
            "options": {"csv_file": str(folder / "samples")},
            "missing": [{"csv_file": str(folder / name)} for name in missing],
        }

    def samples(self) -> Iterator[Sample]:
        """Yields a sample for each row.

        Raises:
            InputError: The file cannot be read or has no row, or a row is longer than the header.
        """
        path = Path(self.options.csv_file)
        try:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                yield from self._rows(path, lines)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise _error(f"'{path}' cannot be read: {error}") from None

    def _rows(self, path: Path, lines: TextIO) -> Iterator[Sample]:
        found = False
        reader = csv.DictReader(lines, delimiter=self.options.delimiter, strict=True)
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            # DictReader puts the cells that no column of the header is for under None.
            if None in row:
                raise _error(f"{where}: has more cells than the header")
            found = True
            yield Sample({key: _value(cell) for key, cell in row.items() if cell}, where)
        if not found:
            raise _error(f"'{path}' holds no row")


def _value(cell: str) -> str | float:
    """A number where the cell holds one, otherwise its text."""
    try:
        number = float(cell)
    except ValueError:
        return cell
    return number if math.isfinite(number) else cell


def _error(what: str) -> InputError:
    return InputError(Problem("input.csv_file", what))
