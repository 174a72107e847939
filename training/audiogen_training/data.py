"""Renders sounds in worker processes, and holds those that the autoencoder is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from audiogen_training.captions import Split
from audiogen_training.corpus import Example, example
from audiogen_training.recipe import Recipe
from audiogen_training.sounds import SAMPLE_RATE
from audiogen_training.sounds.dsp import Signal


class _Examples(Dataset[Example]):
    def __init__(self, first: int, last: int, seed: int, split: Split) -> None:
        self._first = first
        self._count = last - first
        self._seed = seed
        self._split = split

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Example:
        return example(self._first + index, self._split, self._seed)


def examples(
    first: int, last: int, *, seed: int, workers: int, batch: int, split: Split = "train"
) -> Iterator[list[Example]]:
    """Renders the examples from `first` to before `last`, in order.

    Args:
        first: The first example's number.
        last: The number after the last's.
        seed: Of the corpus.
        workers: How many processes render.
        batch: How many examples come at a time.
        split: Which wordings their captions have.
    """
    yield from DataLoader(
        _Examples(first, last, seed, split),
        batch_size=batch,
        num_workers=workers,
        collate_fn=list,
    )


def sounding(one: Example) -> int:
    """The number of samples before the silence at the end."""
    return int(np.flatnonzero(one.audio)[-1]) + 1


def _heard(one: Example) -> Signal:
    """A sound with a tenth of a second of the silence that follows it: more teaches nothing."""
    return one.audio[: sounding(one) + SAMPLE_RATE // 10]


class Sounds:
    """All sounds of the first stage, one after the other, 16 bits a sample.

    Args:
        recipe: How many, and which.
        folder: Where they are kept for the next time.
        workers: How many processes render.
    """

    def __init__(self, recipe: Recipe, folder: Path, workers: int) -> None:
        path = folder / "sounds.pt"
        if not path.exists():
            parts = [
                torch.from_numpy(np.round(_heard(one) * 32767).astype(np.int16))
                for batch in examples(0, recipe.sounds, seed=recipe.seed, workers=workers, batch=16)
                for one in batch
            ]
            torch.save((torch.cat(parts), torch.tensor([len(one) for one in parts])), path)
        self._audio, lengths = torch.load(path, weights_only=True)
        self._ends = lengths.cumsum(0)
        self._starts = self._ends - lengths
        self._recipe = recipe

    def heard(self, seconds: float) -> Tensor:
        """As much of the sounds, ``[1, 1, samples]``."""
        heard: Tensor = self._audio[: round(seconds * self._recipe.sample_rate)]
        return heard.float()[None, None] / 32767

    def crops(self, step: int) -> Tensor:
        """The batch of a step, ``[batch, 1, samples]``: it depends on nothing but the step.

        A third of the crops hold a sound's beginning, the others any of its parts; levels are
        random.
        """
        recipe = self._recipe
        rng = np.random.default_rng([recipe.seed, step])
        samples = recipe.crop_latents * recipe.ratio
        batch = torch.zeros(recipe.autoencoder_batch, 1, samples)
        for row in batch:
            number = int(rng.integers(len(self._starts)))
            start, end = int(self._starts[number]), int(self._ends[number])
            if rng.random() > 1 / 3:
                start += int(rng.integers(max(1, end - start - samples)))
            # A beginning is not always at the crop's.
            silence = int(rng.integers(recipe.ratio)) if rng.random() < 0.2 else 0
            crop = self._audio[start : min(end, start + samples - silence)].float() / 32767
            gain = rng.uniform(0.4, 1.1)
            row[0, silence : silence + len(crop)] = crop * gain
        return batch
