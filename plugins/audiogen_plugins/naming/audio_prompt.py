"""``audio_prompt``: the audio prompt's file name is the name."""

from __future__ import annotations

from pathlib import PurePath

from audiogen_core.interfaces.naming import NamedJob, NamingStrategy


class ByAudioPrompt(NamingStrategy):
    """The audio prompt's file name without its ending; ``output`` where there is none."""

    NAME = "audio_prompt"

    def stem(self, job: NamedJob) -> str:
        """``reference_audio``."""
        path = job.conditioning.get("audio_prompt")
        return PurePath(path).stem if path else "output"
