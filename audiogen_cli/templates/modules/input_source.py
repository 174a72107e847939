"""The input source: prompts counted off from one text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from audiogen_core.errors import InputError, Problem
from audiogen_core.interfaces.input_source import InputSource, Sample
from audiogen_core.options import PluginOptions


class MyPlugin(InputSource):
    """One sample for each part of a text, which a separator cuts."""

    NAME = "my-plugin"

    class Options(PluginOptions):
        """The keys of ``input`` besides ``type``."""

        text: str = Field(examples=["a jazz piece; rain"], description="The prompts in a row.")
        separator: str = Field(";", min_length=1, description="What stands between them.")

    options: Options

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """A text with two prompts, and one with none."""
        return {"options": {"text": "a jazz piece; ; rain"}, "missing": [{"text": " ;"}]}

    def samples(self) -> Iterator[Sample]:
        """Yields a sample for each part that is not blank.

        Raises:
            InputError: All of them are.
        """
        found = False
        for number, part in enumerate(self.options.text.split(self.options.separator), start=1):
            if prompt := part.strip():
                found = True
                yield Sample({"prompt": prompt}, f"input.text, part {number}")
        if not found:
            raise InputError(Problem("input.text", "holds no prompt"))
