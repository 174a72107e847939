"""``metadata``: a JSON file beside each output, which ``output.save_metadata`` switches on."""

from __future__ import annotations

import json
from pathlib import Path

from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.publishing import publish


class MetadataFiles(Observer):
    """Writes what is known of an output as indented UTF-8 JSON, under the output's own name."""

    NAME = "metadata"
    REQUIRED = True

    def sample_done(self, output: Output) -> None:
        """Writes the file; an output is done when both stand."""
        text = json.dumps(dict(output.metadata), indent=2, ensure_ascii=False, allow_nan=False)

        def write(file: Path) -> None:
            # The bytes of a path may be no text: what stands for them is escaped as JSON has it.
            file.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")

        publish(output.folder / f"{output.job.stem}.json", write, output.folder)
