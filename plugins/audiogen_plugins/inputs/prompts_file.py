"""``file``: one prompt a line of a text file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from audiogen_core.errors import InputError, Problem
from audiogen_core.interfaces.input_source import InputSource, Sample
from audiogen_core.options import PluginOptions


class PromptsFile(InputSource):
    """Prompts from a UTF-8 text file: stripped, blank lines skipped, a byte-order mark ignored."""

    NAME = "file"

    class Options(PluginOptions):
        """The keys of ``input`` for ``"type": "file"``."""

        prompts_file: str = Field(
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
        number = 0
        try:
            with Path(path).open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                    if text:
                        found = True
                        yield Sample({"prompt": text}, f"{path}, line {number}")
        except FileNotFoundError:
            raise _error(f"file '{path}' does not exist") from None
        except IsADirectoryError:
            raise _error(f"'{path}' is a folder, not a file") from None
        except UnicodeDecodeError:
            raise _error(f"file '{path}' is not UTF-8 text (line {number})") from None
        except OSError as error:
            raise _error(f"file '{path}' cannot be read: {error.strerror}") from None
        if not found:
            raise _error(f"file '{path}' holds no prompt")


def _error(what: str) -> InputError:
    return InputError(Problem("input.prompts_file", what))
