"""``template``: a name with fields, such as ``{index:05d}-{prompt:slug40}-{seed}``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from string import Formatter
from typing import Any

from pydantic import Field, field_validator

from audiogen_core.config import DOCUMENTED_CONDITIONING, GenerationSection
from audiogen_core.errors import InputError, Problem, did_you_mean, listed
from audiogen_core.interfaces.naming import NamedJob, NamingStrategy
from audiogen_core.names import replace_forbidden
from audiogen_core.options import PluginOptions, shown, type_name
from audiogen_plugins.naming.prompt import MAX_CHARACTERS

MAX_TEMPLATE = 1000
"""In characters: a file name has a quarter of them."""

_SLUG = re.compile(r"slug([1-9][0-9]{0,2})?")
# Python's own (PEP 3101), with widths and precisions that a file name can have.
_SPEC = re.compile(r"(.?[<>=^])?[-+ ]?z?#?0?[0-9]{0,3}[,_]?(\.[0-9]{1,2})?[abd-zA-Z%]?")
"""Without ``c``, which makes any character of a number, also such as no name can hold."""


class Template(NamingStrategy):
    """A text with fields in braces, each with a format as in Python, or ``slug``, or ``slug40``."""

    NAME = "template"

    class Options(PluginOptions):
        """What ``output.file_naming`` holds besides ``"name": "template"``."""

        template: str = Field(
            min_length=1,
            max_length=MAX_TEMPLATE,
            description="The name with its fields in braces.",
            examples=["{index:04} {prompt}"],
        )

        @field_validator("template")
        @classmethod
        def _well_formed(cls, value: str) -> str:
            for _, name, spec in _parts(value):
                if name is not None and not any(_accepts(one, spec) for one in ("", 0, 0.0)):
                    raise ValueError(
                        f"{shown(spec)} is no format for '{name}'; "
                        "allowed: formats of Python such as '05d' or '.1f', 'slug', and 'slug40' "
                        "for at most 40 characters"
                    )
            return value

    options: Options

    def stem(self, job: NamedJob) -> str:
        """``00003-a-jazz-piece-42``.

        Raises:
            InputError: A field is unknown, or its value does not take its format.
        """
        fields = _fields(job)
        stem = ""
        for literal, name, spec in _parts(self.options.template):
            stem += literal
            if name is None:
                continue
            if name not in fields:
                hint = did_you_mean(name, fields)
                raise _error(f"unknown field '{name}'{hint}; known: {listed(fields)}")
            if not _accepts(fields[name], spec):
                kind = type_name(fields[name])
                raise _error(f"{shown(spec)} is no format for '{name}', which is {kind} here")
            stem += _formatted(fields[name], spec)
        return stem


def _parts(template: str) -> Iterator[tuple[str, str | None, str]]:
    """The pieces of a template: text before a field, the field's name if any, and its format.

    Only Python's parser is used, never its lookup: a name is a key and no attribute or index.

    Raises:
        ValueError: A brace has no partner, or a field has no name or a conversion.
    """
    for literal, name, spec, conversion in Formatter().parse(template):
        if name == "":
            raise ValueError("has a field without a name: '{}'; write '{{' for a brace")
        if conversion is not None:
            raise ValueError(f"field '{name}' has a conversion, '!{conversion}', which is refused")
        yield literal, name, spec or ""


def _fields(job: NamedJob) -> Mapping[str, Any]:
    """Every field of a job; None for a documented key that it has no value of."""
    # The output's own numbers come last: no key of a config hides them.
    own = {"index": job.index, "copy": job.copy, "seed": job.seed}
    documented = dict.fromkeys((*DOCUMENTED_CONDITIONING, *GenerationSection.model_fields))
    fields = {**documented, **job.generation, **job.conditioning, **own}
    for key in ("audio_prompt", "init_audio", "inpaint_audio"):
        if isinstance(path := fields[key], str):
            fields[key] = PurePath(path).stem
    return fields


def _accepts(value: Any, spec: str) -> bool:
    if _SLUG.fullmatch(spec):
        return True
    if not _SPEC.fullmatch(spec):
        return False
    try:
        format(value, spec)
    except (TypeError, ValueError):
        return value is None
    return True


def _formatted(value: Any, spec: str) -> str:
    """The text of a field; nothing for no value."""
    if value is None:
        return ""
    if slug := _SLUG.fullmatch(spec):
        return _slug(str(value))[: int(slug[1] or MAX_CHARACTERS)].rstrip("-")
    text = format(value, spec)
    return replace_forbidden(text)[:MAX_CHARACTERS] if isinstance(value, str) else text


def _slug(text: str) -> str:
    """The letters and digits of any script in lower case, with ``-`` for what is between them."""
    folded = unicodedata.normalize("NFC", text).lower()
    kept = (char if unicodedata.category(char)[0] in "LMN" else " " for char in folded)
    return "-".join("".join(kept).split())


def _error(what: str) -> InputError:
    return InputError(Problem("output.file_naming.template", what))
