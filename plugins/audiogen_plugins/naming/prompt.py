"""``prompt``: the prompt is the name."""

from __future__ import annotations

from audiogen_core.interfaces.naming import NamedJob, NamingStrategy
from audiogen_core.names import replace_forbidden

MAX_CHARACTERS = 150


def prompt_stem(job: NamedJob) -> str:
    """The prompt's first 150 characters, fit for a file name; ``_`` for an empty prompt."""
    return replace_forbidden(job.conditioning.get("prompt") or "_")[:MAX_CHARACTERS]


class ByPrompt(NamingStrategy):
    """The prompt's first 150 characters; ``_`` for an empty prompt."""

    NAME = "prompt"

    def stem(self, job: NamedJob) -> str:
        """``A relaxing jazz piece``."""
        return prompt_stem(job)
