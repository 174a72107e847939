"""The contract checks of audiogen, and what is special about this input source."""

from pathlib import Path

from audiogen_core.testing.contracts import check
from audiogen_rows.input_source import Rows


def test_it_keeps_the_contract() -> None:
    """It does what every input source promises."""
    check("input-source", Rows)


def test_cells_become_values(tmp_path: Path) -> None:
    """Numbers are numbers, empty cells are left out, and quotes hold what they should."""
    path = tmp_path / "samples.csv"
    path.write_text('prompt;seconds_total\n"rain; wind";1.5\n;2\n', encoding="utf-8")
    source = Rows(Rows.Options(csv_file=str(path), delimiter=";"))
    values = [dict(sample.values) for sample in source.samples()]
    assert values == [{"prompt": "rain; wind", "seconds_total": 1.5}, {"seconds_total": 2.0}]
