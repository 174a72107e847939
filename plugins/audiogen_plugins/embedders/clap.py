"""``clap``: audio and text in one space (Wu et al. 2023, arXiv 2211.06687)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from audiogen_core.arrays import FloatArray
from audiogen_core.downloads import Downloaded
from audiogen_core.errors import InputError, Problem
from audiogen_core.interfaces.conditioner import BuildContext
from audiogen_core.interfaces.embedder import Embedder
from audiogen_core.options import PluginOptions
from audiogen_core.windows import windows
from audiogen_plugins.conditioners.pretrained import CONFIG, Pretrained, find, quiet, transformers

EXTRACTOR = "preprocessor_config.json"
AUDIO = ("audio_model.", "audio_projection.")
"""What the names of the weights begin with that audio goes through."""


class Clap(Embedder):
    """The audio half of a CLAP: a row for each window, ten seconds in the usual models."""

    NAME = "clap"

    class Options(PluginOptions):
        """What ``--set`` may give it."""

        model: str = Field(
            "laion/clap-htsat-unfused",
            min_length=1,
            description="A folder with a CLAP of transformers, or its name on the Hub.",
        )
        hop: float | None = Field(
            None,
            ge=0.01,
            description="Seconds from one window to the next; a window's own length by default.",
        )

    options: Options

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """A tiny CLAP with windows of a second."""
        from audiogen_core.testing.tiny_clap import write_tiny_clap

        return {"options": {"model": str(write_tiny_clap(folder / "clap")), "hop": 0.5}}

    def load(self, device: torch.device, downloaded: Downloaded) -> None:
        """Gets and loads the model.

        Raises:
            InputError: There is none, or it is no CLAP, or it is damaged.
            UnavailableError: It cannot be downloaded.
        """
        source = find(self.options.model, BuildContext(1, None, downloaded), "model")
        if (kind := source.config().get("model_type")) != "clap":
            raise InputError(Problem("model", f"'{source}' is no CLAP: its {CONFIG} says '{kind}'"))
        if not source.has(EXTRACTOR):
            raise InputError(Problem("model", f"'{source}' lacks {EXTRACTOR}"))
        source.weights()
        self._device = device
        self._model, self._extractor = _loaded(source)
        self._model.to(device)
        self.sample_rate = int(self._extractor.sampling_rate)
        self._length = int(self._extractor.nb_max_samples)
        hop = self.options.hop
        self._hop = self._length if hop is None else max(1, round(hop * self.sample_rate))
        if self._hop > self._length:
            seconds = self._length / self.sample_rate
            what = f"must be at most {seconds:g}, the length of this model's windows, not {hop:g}"
            raise InputError(Problem("hop", what))

    def embed(self, blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """One row a window, of length 1; what is shorter than a window is repeated to fill it."""
        for window in windows(blocks, self._length, self._hop):
            yield self._row(window[0])

    @torch.inference_mode()
    def _row(self, samples: Any) -> FloatArray:
        features = self._extractor(
            samples, sampling_rate=self.sample_rate, return_tensors="pt"
        )["input_features"].to(self._device)  # fmt: skip
        # No window is longer than the model takes. The extractor would draw one that it says is.
        longer = torch.zeros(1, 1, dtype=torch.bool, device=self._device)
        found = self._model.get_audio_features(input_features=features, is_longer=longer)
        row: FloatArray = getattr(found, "pooler_output", found).float().cpu().numpy()
        return row


def _loaded(source: Pretrained) -> tuple[Any, Any]:
    """The model and what makes its input, from files that are on this machine."""
    folder, library = str(source.folder), transformers()
    local = {"local_files_only": True}
    try:
        with quiet():
            extractor = library.ClapFeatureExtractor.from_pretrained(folder, **local)
            # Pickled weights are read as numbers alone, or refused.
            model, loading = library.ClapModel.from_pretrained(
                folder, **local, weights_only=True, output_loading_info=True
            )
    except Exception as error:  # each kind of damage has a class of its own
        raise source.broken(error) from error
    if missing := sorted(key for key in loading["missing_keys"] if key.startswith(AUDIO)):
        raise source.broken(ValueError(f"it lacks {missing[0]}"))
    return model.eval(), extractor
