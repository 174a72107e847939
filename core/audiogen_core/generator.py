"""Audio from Python, with a model that is loaded once.

In a script::

    from audiogen_core import Generator

    generator = Generator.load()
    for result in generator.generate(["rising siren", "kick drum"], seed=1):
        result.save(f"{result.name}.flac")

Only what a loop asks for is made, in the thread that asks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, TypeAlias, TypeVar

import torch

from audiogen_core.asked import Named, What, asked_config, named_values
from audiogen_core.cancelling import Cancelling
from audiogen_core.config import GenerationConfig
from audiogen_core.default_model import suggested
from audiogen_core.devices import choose_device, choose_type, name_of
from audiogen_core.errors import UsageError, did_you_mean, listed
from audiogen_core.generation import Generation, SampleError
from audiogen_core.interfaces.observer import Observer
from audiogen_core.models.model import Model
from audiogen_core.models.named import model_source
from audiogen_core.models.wanted import WantedModel
from audiogen_core.observer import Observers
from audiogen_core.on_existing import OnExisting
from audiogen_core.outcome import Outcome
from audiogen_core.overrides import Overrides
from audiogen_core.pipeline import run
from audiogen_core.plugin_manager import PluginManager, installed_plugins
from audiogen_core.precision import Precision, Quantization
from audiogen_core.prepare import Request, plan_without_folder

StrPath: TypeAlias = str | os.PathLike[str]
ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


class Generator:
    """A model that is loaded, and makes audio as often as it is asked to.

    `load` makes one. Threads may share it: the model then works for one of them at a time.

    Args:
        wanted: Which model it is.
        model: The model with its weights.
        plugins: Where what configs name comes from.
    """

    def __init__(self, wanted: WantedModel, model: Model, plugins: PluginManager) -> None:
        self._wanted = wanted
        self._model = model
        self._plugins = plugins
        self._identity = wanted.identity(model)
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        *,
        pretrained_name: str | None = None,
        revision: str | None = None,
        model_config: StrPath | None = None,
        ckpt_path: StrPath | None = None,
        pretransform_ckpt_path: StrPath | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype = "float32",
        quantize: str | None = None,
        compile: bool = False,  # noqa: A002  # as the command calls it
        observer: Observer | None = None,
        plugins: PluginManager | None = None,
    ) -> Self:
        """Loads a model; the small one that ships with audiogen where none is named.

        Args:
            pretrained_name: A model on the Hugging Face Hub, like ``owner/name``.
            revision: A branch, tag or commit of it.
            model_config: The config of a local model; it needs ``ckpt_path``.
            ckpt_path: Its checkpoint.
            pretransform_ckpt_path: A checkpoint whose autoencoder replaces the model's own.
            device: ``cuda``, ``cuda:1``, ``mps``, ``xpu`` or ``cpu``; by default the best there is.
            dtype: Type of the weights: ``float32``, ``bfloat16``, ``float16``, or ``auto``.
            quantize: ``int8`` computes the network in 8-bit integers, on a CPU.
            compile: Whether `torch.compile` compiles the network's blocks.
            observer: Is told how it goes.
            plugins: Where the model's parts come from; what is installed by default.

        Raises:
            AudiogenError: The model cannot be had, or something is wrong. The message names
                arguments as the command does: ``--device`` is ``device``.
        """
        plugins = plugins or installed_plugins()
        source = model_source(pretrained_name, revision, _path(model_config), _path(ckpt_path))
        place = choose_device(None if device is None else str(device))
        numbers = dtype if isinstance(dtype, str) else name_of(dtype)
        wanted = WantedModel(
            source,
            place,
            _path(pretransform_ckpt_path),
            choose_type(_choice(Precision, "--dtype", numbers), place),
            None if quantize is None else _choice(Quantization, "--quantize", quantize),
            compile,
        )
        told = Observers([] if observer is None else [observer], plugins)
        model = wanted.build(plugins, told)
        wanted.load(model, told, encodes=True)
        return cls(wanted, model, plugins)

    @property
    def sample_rate(self) -> int:
        """Of the audio, in hertz."""
        return self._model.config.sample_rate

    @property
    def channels(self) -> int:
        """Of the audio: 1 for mono, 2 for stereo."""
        return self._model.config.channels

    @property
    def seconds(self) -> float:
        """The length of the longest audio that it makes."""
        return self._model.config.samples / self.sample_rate

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._wanted.device

    def generate(
        self,
        what: What,
        /,
        *,
        steps: int | None = None,
        cfg_scale: float | None = None,
        seed: int | None = None,
        seconds: float | None = None,
        sampler: str | None = None,
        settings: Mapping[str, Any] | None = None,
        max_batch: int | None = None,
        observer: Observer | None = None,
        cancel: threading.Event | None = None,
        on_failure: Callable[[SampleError], object] | None = None,
    ) -> Generation:
        """Makes audio in memory, output by output, as the loop over the result asks for it.

        Everything is checked at once, and the same config makes the same audio as the command.
        Prompts and samples alone are put into what the command puts prompts into. Of a config's
        ``output``, only what decides the audio counts: no folder is looked at, and no observer.

        Args:
            what: A prompt, a list of prompts or of samples (mappings of conditioning values), a
                generation config as a mapping, or the path of one.
            steps: In place of ``generation.steps``.
            cfg_scale: In place of ``generation.cfg_scale``.
            seed: In place of ``generation.seed``. Without any, each call draws others.
            seconds: In place of ``conditioning_defaults.seconds_total``.
            sampler: In place of ``generation.sampler_type``.
            settings: Any other value of the config, by its path: ``{"generation.rho": 7.0}``.
            max_batch: How many outputs may be sampled together; by the free memory by default.
            observer: Is told of batches, steps and failures, and closed in the end; of results it
                is told nothing, as it would be of files.
            cancel: Ends the loop at the next step once it is set.
            on_failure: Takes what cannot be made, instead of the loop being ended by it.

        Raises:
            InputError: Something is wrong, with every place and what is allowed.
        """
        named = named_values(steps, cfg_scale, seed, seconds, sampler)
        config, overrides = self._config(what, named, settings, observed=False)
        with overrides.explained():
            request = self._request(config, max_batch)
            planned = plan_without_folder(request, self._plugins, self._model, self._identity)
        return Generation(planned, self._lock, observer, cancel, on_failure)

    def write(
        self,
        what: What,
        folder: StrPath | None = None,
        /,
        *,
        steps: int | None = None,
        cfg_scale: float | None = None,
        seed: int | None = None,
        seconds: float | None = None,
        sampler: str | None = None,
        settings: Mapping[str, Any] | None = None,
        max_batch: int | None = None,
        on_existing: str = "skip",
        observers: Sequence[Observer] = (),
        cancel: threading.Event | None = None,
    ) -> Outcome:
        """Makes files as ``audiogen generate`` does; what stands already is not made again.

        Args:
            what: As for `generate`.
            folder: In place of ``output.output_dir``.
            steps: As for `generate`, like all that follow up to ``max_batch``.
            cfg_scale: The guidance scale.
            seed: Without any, one is drawn for each output, and fixed in the folder.
            seconds: The length.
            sampler: The sampler.
            settings: Any other value of the config.
            max_batch: How many outputs may be sampled together.
            on_existing: ``skip``, ``overwrite``, ``rename`` or ``error``.
            observers: Who is told how it goes, besides those of the config; closed in the end.
            cancel: Ends the run at the next step once it is set.

        Returns:
            The paths of the files, the failures, whether the run was cancelled, why it stopped if
            nothing could be written any more, and how many outputs are left.

        Raises:
            InputError: Something is wrong; nothing was written.
        """
        named = named_values(steps, cfg_scale, seed, seconds, sampler)
        if folder is not None:
            named["output.output_dir"] = ("folder", os.fspath(folder))
        config, overrides = self._config(what, named, settings, observed=True)
        existing = _choice(OnExisting, "--on-existing", on_existing)
        event = cancel or threading.Event()
        with overrides.explained(), self._lock:
            request = self._request(config, max_batch, existing)
            told = [Cancelling(event), *observers]
            outcome = run(request, self._plugins, told, loaded=self._model)
        if outcome.interrupted and not event.is_set():
            raise KeyboardInterrupt  # what is written is whole; the program is to end all the same
        return outcome

    def _config(
        self, what: What, named: Named, settings: Mapping[str, Any] | None, *, observed: bool
    ) -> tuple[GenerationConfig, Overrides]:
        base = suggested(self._wanted.source)
        return asked_config(what, named, settings, base, self._plugins, observed=observed)

    def _request(
        self,
        config: GenerationConfig,
        max_batch: int | None,
        on_existing: OnExisting = OnExisting.SKIP,
    ) -> Request:
        if max_batch is not None and max_batch < 1:
            raise UsageError(f"--max-batch: must be at least 1, not {max_batch}")
        wanted = self._wanted
        return Request(
            config,
            wanted.source,
            wanted.device,
            autoencoder_path=wanted.autoencoder_path,
            dtype=wanted.dtype,
            quantization=wanted.quantization,
            compiled=wanted.compiled,
            max_batch=max_batch,
            on_existing=on_existing,
        )


def _path(path: StrPath | None) -> Path | None:
    return None if path is None else Path(path)


def _choice(choices: type[ChoiceT], argument: str, name: str) -> ChoiceT:
    try:
        return choices(name)
    except ValueError:
        raise UsageError(
            f"{argument}: '{name}' is none of {listed(choices)}{did_you_mean(name, choices)}"
        ) from None
