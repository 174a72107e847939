"""Downloads all that generating with a model of the Hub needs, as a run would do it."""

from __future__ import annotations

from pathlib import Path

import torch

from audiogen_core.interfaces.observer import Observer
from audiogen_core.models.build import build_model
from audiogen_core.models.checkpoint import open_checkpoint
from audiogen_core.models.source import HubSource
from audiogen_core.plugin_manager import PluginManager


def pull(source: HubSource, plugins: PluginManager, observer: Observer) -> Path:
    """Gets the config, the text encoders that it names, and the weights, in that order.

    Args:
        source: The model.
        plugins: Where its parts come from.
        observer: Is told how it goes.

    Returns:
        The weights in the local cache.

    Raises:
        AudiogenError: Something cannot be had, or is damaged.
    """
    observer.stage("getting the model config")
    config = source.config()
    for note in config.notes:
        observer.note(note)
    model = build_model(config, plugins, source.folder, observer.downloaded)
    observer.stage("getting what the conditioners need")
    model.prepare(torch.device("cpu"), torch.float32)
    observer.stage("getting the weights")
    path = source.checkpoint(observer.downloaded)
    open_checkpoint(path)  # a file that nobody can read is no model
    return path
