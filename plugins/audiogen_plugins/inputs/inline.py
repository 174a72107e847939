"""``config``: the samples stand in the config itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from audiogen_core.interfaces.input_source import InputSource, Sample, SampleValues
from audiogen_core.options import PluginOptions


class InlineSamples(InputSource):
    """Samples written into the config as a list of objects."""

    NAME = "config"

    class Options(PluginOptions):
        """The keys of ``input`` for ``"type": "config"``."""

        samples: list[SampleValues] = Field(
            min_length=1,
            description="Samples: an object of conditioning values each.",
            examples=[[{"prompt": "a jazz piece"}]],
        )

    options: Options

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """Two samples."""
        return {"options": {"samples": [{"prompt": "a jazz piece"}, {}]}}

    def samples(self) -> Iterator[Sample]:
        """Yields the objects in their order."""
        for index, values in enumerate(self.options.samples):
            yield Sample(values, f"input.samples[{index}]")
