"""``verbose``: the prompt, the conditioning, the guidance scale and the seed."""

from __future__ import annotations

from pathlib import PurePath

from audiogen_core.interfaces.naming import NamedJob, NamingStrategy
from audiogen_core.names import MAX_STEM_BYTES, replace_forbidden, shorten
from audiogen_plugins.naming.prompt import prompt_stem


class Verbose(NamingStrategy):
    """``<prompt>.ap-<audio prompt>.neg-<negative prompt>.cfg<scale>.<seed>``."""

    NAME = "verbose"

    def stem(self, job: NamedJob) -> str:
        """``A jazz piece.neg-low quality.cfg7.0.12345``.

        A name that would be too long loses the end of its negative prompt first, then of its
        audio prompt, then of its prompt; scale and seed always stay.
        """
        tail = f".cfg{job.generation['cfg_scale']}.{job.seed}"
        parts = [prompt_stem(job)]
        if path := job.conditioning.get("audio_prompt"):
            parts.append(f".ap-{PurePath(path).stem}")
        if negative := job.conditioning.get("negative_prompt"):
            parts.append(f".neg-{replace_forbidden(negative)}")
        room = MAX_STEM_BYTES - len(tail)
        return shorten("".join(parts), room) + tail
