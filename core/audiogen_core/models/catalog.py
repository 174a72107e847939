"""The models that can be generated with: the default one, those in the Hub's cache, known ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from audiogen_core.default_model import FOLDER, NAME, DefaultSource
from audiogen_core.downloads import unreported
from audiogen_core.errors import AudiogenError, UsageError, did_you_mean
from audiogen_core.models.source import (
    CHECKPOINT_NAMES,
    CONFIG_NAME,
    HubSource,
    LocalConfig,
    LocalSource,
    ModelSource,
)

KNOWN = ("stabilityai/stable-audio-open-1.0", "stabilityai/stable-audio-open-small")
"""Published models whose configs and tensors this project's tests are held against."""

DEFAULT = "default"
"""What the default model may be called, whichever it is."""


class Where(StrEnum):
    """Where a model is."""

    DEFAULT = "default"
    """It ships with audiogen, and is used where none is named."""

    CACHED = "cached"
    INCOMPLETE = "incomplete"
    """The cache holds its config, but not its weights."""

    HUB = "on the Hub"
    """It is known to work, and not in the cache."""


@dataclass(frozen=True)
class ListedModel:
    """One model, or one commit of it.

    Attributes:
        name: What ``--pretrained-name`` calls it; the default model needs no name.
        where: Where it is.
        revision: The commit in the cache.
        refs: The branches and tags that lead to it.
        bytes: What its files take.
        folder: Where they are.
    """

    name: str
    where: Where
    revision: str | None = None
    refs: tuple[str, ...] = ()
    bytes: int | None = None
    folder: Path | None = None


def listed_models() -> Iterator[ListedModel]:
    """The default model, every model in the cache, and the known ones that are not there."""
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.suffix != ".py")
    yield ListedModel(NAME, Where.DEFAULT, bytes=size, folder=FOLDER)
    cached = sorted(_cached(), key=lambda one: (one.name, one.revision or ""))
    yield from cached
    names = {one.name for one in cached}
    yield from (ListedModel(name, Where.HUB) for name in KNOWN if name not in names)


def _cached() -> Iterator[ListedModel]:
    """Of the cache, what has a model config."""
    from huggingface_hub import CacheNotFound, constants, scan_cache_dir

    try:
        cache = scan_cache_dir()
    except CacheNotFound:
        return
    except (OSError, ValueError) as error:  # the latter where it is no folder
        folder = constants.HF_HUB_CACHE
        why = error.strerror if isinstance(error, OSError) else "is no folder"
        raise AudiogenError(f"{folder}: the Hub's cache cannot be read: {why}") from None
    for repository in cache.repos:
        for one in repository.revisions if repository.repo_type == "model" else ():
            files = {path.name for path in one.snapshot_path.iterdir()}
            if CONFIG_NAME in files:
                where = Where.CACHED if files & {*CHECKPOINT_NAMES} else Where.INCOMPLETE
                yield ListedModel(
                    repository.repo_id,
                    where,
                    one.commit_hash,
                    tuple(sorted(one.refs)),
                    one.size_on_disk,
                    one.snapshot_path,
                )


def named_model(name: str, revision: str | None = None) -> ModelSource:
    """The model that a name or path means.

    Args:
        name: ``default`` or the default model's name, a folder or a model config on this machine,
            or a repository of the Hub. What is on this machine comes first.
        revision: A branch, tag or commit of a repository.

    Raises:
        UsageError: It can be none of them.
    """
    source = _local_model(name)
    if source is None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.endswith(".json"):
            raise UsageError(
                f"'{name}' is no file or folder here, and no repository name like "
                f"'owner/name'{did_you_mean(name, (DEFAULT, NAME, *KNOWN))}"
            )
        return HubSource(name, revision)
    if revision is not None:
        raise UsageError(f"--revision goes with a model of the Hub, and '{name}' is none")
    return source


def _local_model(name: str) -> ModelSource | None:
    path = Path(name)
    try:
        path.stat()
    except OSError:  # it is not there, or no path at all
        return DefaultSource() if name in (DEFAULT, NAME) else None
    if path.is_dir():
        path /= CONFIG_NAME
        if not path.is_file():
            raise UsageError(f"'{name}' holds no {CONFIG_NAME}")
    elif path.suffix != ".json":
        raise UsageError(f"'{name}' is no model config, a .json file; name the model's config")
    checkpoints = (path.with_name(one) for one in CHECKPOINT_NAMES)
    found = next((one for one in checkpoints if one.is_file()), None)
    return LocalConfig(path) if found is None else LocalSource(path, found)


def checkpoint_at_hand(source: ModelSource) -> Path | None:
    """The weights of a model whose config was read, if they are here; nothing is downloaded."""
    if isinstance(source, LocalConfig):
        return None
    if not isinstance(source, HubSource):
        return source.checkpoint(unreported)
    from huggingface_hub import try_to_load_from_cache

    identity = source.identity()
    for file in CHECKPOINT_NAMES:
        found = try_to_load_from_cache(
            identity["pretrained_name"], file, revision=identity["revision"]
        )
        if isinstance(found, str):
            return Path(found)
    return None
