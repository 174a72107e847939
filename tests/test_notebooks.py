"""The notebooks in examples run from their first cell to their last."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from audiogen_core.testing.encoders import decode

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples" / "notebooks").glob("*.py"))
WRITTEN = {
    "first_sounds": ["first sounds/rising siren.flac", "first sounds/kick drum.flac"],
    "pick_a_seed": ["brightest snare.wav"],
}
"""What each of them leaves behind."""


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(
    notebook: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It begins with a title, and ends by showing the last of the sounds that it has written."""
    text = notebook.read_text(encoding="utf-8")
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)
    assert (cells[0], cells[1].startswith(" [markdown]\n# # ")) == ("", True)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(notebook))
    written = WRITTEN[notebook.stem]
    assert capsys.readouterr().out.splitlines()[-1] == written[-1]
    for name in written:
        audio, _ = decode(tmp_path / name)
        assert audio.any()
