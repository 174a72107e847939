"""The naming strategy: a number and the first words of the prompt."""

from __future__ import annotations

from pydantic import Field

from audiogen_core.interfaces.naming import NamedJob, NamingStrategy
from audiogen_core.options import PluginOptions


class MyPlugin(NamingStrategy):
    """``0001 A relaxing jazz piece``: the output's number, and its prompt's first words."""

    NAME = "my-plugin"

    class Options(PluginOptions):
        """What ``output.file_naming`` may hold besides ``name``."""

        words: int = Field(4, ge=0, le=50, description="How many words of the prompt.")

    options: Options

    def stem(self, job: NamedJob) -> str:
        """The name without its ending."""
        prompt = str(job.conditioning.get("prompt") or "")
        return " ".join([f"{job.index + 1:04}", *prompt.split()[: self.options.words]])
