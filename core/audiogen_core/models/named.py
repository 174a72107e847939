"""The model that somebody names, in arguments of the command or of `audiogen_core.Generator`."""

from __future__ import annotations

from pathlib import Path

from audiogen_core.default_model import DefaultSource
from audiogen_core.errors import UsageError
from audiogen_core.models.source import HubSource, LocalSource, ModelSource


def model_source(
    pretrained_name: str | None,
    revision: str | None,
    model_config: Path | None,
    ckpt_path: Path | None,
) -> ModelSource:
    """The model that the arguments name; the one that ships with the package where they name none.

    Raises:
        UsageError: They name two, or half of one.
    """
    if pretrained_name is not None and model_config is not None:
        raise UsageError("--pretrained-name and --model-config exclude each other")
    if pretrained_name is not None:
        if ckpt_path is not None:
            raise UsageError("--ckpt-path goes with --model-config, not with --pretrained-name")
        return HubSource(pretrained_name, revision)
    if revision is not None:
        raise UsageError("--revision goes with --pretrained-name")
    if model_config is None:
        if ckpt_path is not None:
            raise UsageError("--ckpt-path needs --model-config, the model's config")
        return DefaultSource()
    if ckpt_path is None:
        raise UsageError("--model-config needs --ckpt-path, the model's checkpoint")
    return LocalSource(model_config, ckpt_path)
