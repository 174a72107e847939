"""Contract checks for naming strategies: names for prompts as odd as users write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audiogen_core.config import DEFAULT_SAMPLERS, GenerationSection
from audiogen_core.errors import InputError
from audiogen_core.interfaces.naming import NamedJob, NamingStrategy
from audiogen_core.names import MAX_STEM_BYTES, UniqueNames, replace_forbidden
from audiogen_core.options import validate
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.registry import describe
from audiogen_core.settings import Settings

PROMPTS: tuple[str | None, ...] = (
    "a jazz piece", "", " ", None, "x" * 5000, "\N{GRINNING FACE}" * 500, "Größe, 音楽, موسيقى",
    "e\N{COMBINING ACUTE ACCENT}" * 300, "../../etc/passwd", "C:\\con", "nul", ".hidden", "a/b\\c",
    "tab\tnew\nline\x00\x1b", "\N{RIGHT-TO-LEFT OVERRIDE}txt.exe", "trailing. ", "%s{}$HOME",
)  # fmt: skip
"""Empty, long, in several scripts, with control characters, and like paths."""


def check_naming(plugin: type[NamingStrategy], options: Mapping[str, Any]) -> None:
    """Runs every check of this module over one naming strategy.

    Args:
        plugin: The class.
        options: What ``output.file_naming`` holds besides ``name``.

    Raises:
        AssertionError: A name is none, changes, or is unsafe once the core has cleaned it.
    """
    strategy = plugin(validate(plugin.Options, dict(options)))
    sampler = installed_plugins().samplers.load(DEFAULT_SAMPLERS["v"])
    settings = Settings(GenerationSection(), sampler(), latents=1)
    names = UniqueNames()
    named = 0
    for index, prompt in enumerate(PROMPTS):
        for conditioning in ({"prompt": prompt}, {"prompt": prompt, **_EVERYTHING}, {}):
            job = NamedJob(index, index % 2, conditioning, index, settings.complete(index))
            try:
                stem = strategy.stem(job)
            except InputError:  # the job lacks what the options name
                continue
            except Exception as error:
                raise AssertionError(f"{conditioning!r:.100} raised {describe(error)}") from error
            assert isinstance(stem, str), f"the prompt {prompt!r} gave {stem!r}, which is no string"
            again = plugin(strategy.options).stem(job)
            assert stem == again, f"the same job was called {stem!r} and {again!r}"
            _check_safe(names.claim(stem))
            named += 1
    assert named, "it refuses every job, even one that has all documented keys"


_EVERYTHING: Mapping[str, Any] = {
    "audio_prompt": "/a folder/reference.npy",
    "negative_prompt": "low/quality" * 100,
    "seconds_start": 0,
    "seconds_total": 47.5,
}


def _check_safe(name: str) -> None:
    longest = MAX_STEM_BYTES + len("_-9999")
    assert name.strip(), "a name is empty"
    assert not name.startswith("."), f"the file {name!r} is hidden"
    assert replace_forbidden(name) == name, f"{name!r} holds what file systems refuse"
    assert len(name.encode()) <= longest, f"{name!r} is longer than {longest} bytes"
