"""Which model is wanted, where, and how exactly: built without weights first, and then loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from audiogen_core.devices import name_of
from audiogen_core.errors import UsageError
from audiogen_core.identity import fingerprint
from audiogen_core.interfaces.observer import Observer
from audiogen_core.models.build import build_model
from audiogen_core.models.compiling import check_compilation
from audiogen_core.models.model import Model
from audiogen_core.models.quantize import check_quantization
from audiogen_core.models.source import ModelSource, check_checkpoint_path
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.precision import Quantization


@dataclass(frozen=True)
class WantedModel:
    """A model that somebody asks for.

    Attributes:
        source: Where it comes from.
        device: Where to compute.
        autoencoder_path: A checkpoint whose autoencoder replaces the model's own.
        dtype: The type of the weights.
        quantization: What the backbone's are rounded to; None for nothing.
        compiled: Whether the backbone's blocks are compiled.
    """

    source: ModelSource
    device: torch.device
    autoencoder_path: Path | None = None
    dtype: torch.dtype = torch.float32
    quantization: Quantization | None = None
    compiled: bool = False

    def build(self, plugins: PluginManager, observer: Observer) -> Model:
        """Makes the model without weights, and checks all that can be checked without them.

        Args:
            plugins: Where its parts come from.
            observer: Is told how it goes.

        Raises:
            AudiogenError: It cannot be had, or something is wrong.
        """
        if self.autoencoder_path is not None:
            check_checkpoint_path(self.autoencoder_path)
        if self.quantization is not None:
            check_quantization(self.device, self.dtype)
            if self.compiled:
                raise UsageError(
                    "--compile: gains nothing with --quantize int8: choose one of them"
                )
        if self.compiled:
            observer.stage("trying torch.compile")
            check_compilation(self.device)
        observer.stage("reading the model config")
        config = self.source.config()
        model = build_model(config, plugins, self.source.folder, observer.downloaded)
        if self.autoencoder_path is not None and model.pretransform is None:
            raise UsageError("--pretransform-ckpt-path: this model has no pretransform")
        return model

    def identity(self, model: Model) -> dict[str, Any]:
        """What the metadata says so that the same weights can be found again."""
        found = {key: one.identity() for key, one in model.conditioners.items()}
        conditioners = {key: identity for key, identity in found.items() if identity}
        identity = {**self.source.identity(), "conditioners": conditioners}
        if (path := self.autoencoder_path) is not None:
            identity["pretransform_ckpt_path"] = str(path.resolve())
            identity["pretransform_fingerprint"] = fingerprint(path)
        if self.dtype != torch.float32:
            identity["dtype"] = name_of(self.dtype)
        if self.quantization is not None:
            identity["quantize"] = self.quantization.value
        if self.compiled:
            identity["compile"] = True
        return identity

    def load(self, model: Model, observer: Observer, *, encodes: bool) -> None:
        """Gets the weights and loads them: first those that the model config names.

        Args:
            model: What `build` has made.
            observer: Is told how it goes.
            encodes: Whether audio will be encoded.

        Raises:
            AudiogenError: They cannot be had, or do not fit.
        """
        observer.stage("preparing the conditioners")
        model.prepare(self.device, self.dtype)
        observer.stage("getting the weights")
        path = self.source.checkpoint(observer.downloaded)
        observer.stage("loading the model")
        model.load(
            path,
            autoencoder_path=self.autoencoder_path,
            device=self.device,
            dtype=self.dtype,
            quantized=self.quantization is not None,
            compiled=self.compiled,
            encodes=encodes,
        )
