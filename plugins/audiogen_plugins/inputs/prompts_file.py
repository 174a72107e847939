"""``file``: one prompt a line of a text file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from audiogen_core.interfaces.input_source import InputSource, Sample
from audiogen_core.options import PluginOptions, UserPath
from audiogen_plugins.inputs import _lines


class PromptsFile(InputSource):
    """Prompts from a UTF-8 text file: stripped, blank lines skipped, a byte-order mark ignored."""

    NAME = "file"

    class Options(PluginOptions):
        """The keys of ``input`` for ``"type": "file"``."""

        prompts_file: UserPath = Field(
            min_length=1,
            description="UTF-8 text file, one prompt a line.",
            examples=["prompts.txt"],
        )

    options: Options

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """A file, and what is none, holds no text or no prompt."""
        contents = {"prompts": b"a jazz piece\n\nrain\n", "blank": b" \n", "latin": b"caf\xe9"}
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        missing = [folder / "nowhere", folder, folder / "blank", folder / "latin"]
        return {
            "options": {"prompts_file": str(folder / "prompts")},
            "missing": [{"prompts_file": str(path)} for path in missing],
        }

    def samples(self) -> Iterator[Sample]:
        """Yields one sample a line that is not blank.

        Raises:
            InputError: The file cannot be read, is not UTF-8, or holds no prompt.
        """
        path = self.options.prompts_file
        found = False
        for number, line in _lines.text_lines(path, "prompts_file"):
            if text := line.strip():
                found = True
                yield Sample({"prompt": text}, f"{path}, line {number}")
        if not found:
            raise _lines.problem("prompts_file", f"file '{path}' holds no prompt")
