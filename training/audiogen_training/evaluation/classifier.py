"""A classifier of the kinds of sounds, trained on what the synthesiser makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from audiogen_training.corpus import sample_seconds, sample_spec
from audiogen_training.evaluation.features import FRAMES, MELS, TONES, features, white_noise
from audiogen_training.sounds import KINDS, SAMPLE_RATE, render
from audiogen_training.sounds.dsp import Signal

NAMES = tuple(KINDS)
SEED = 20_240
EXAMPLES = 6_000
EPOCHS = 5
BATCH = 32
RATE = 3e-3
EMBEDDING = 64
WORN = 0.7
"""The share of the sounds that training hears as a codec might leave them."""


class Network(nn.Module):
    """Convolutions over the mel spectrogram, and over the tones, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.mel = nn.Sequential(
            *_stage2d(1, 12, (3, 7), (2, 4)),
            *_stage2d(12, 24, (3, 3), (2, 2)),
            *_stage2d(24, 48, (3, 3), (2, 2)),
            # What is left of the frequencies keeps its place.
            nn.Conv2d(48, 96, (MELS // 8, 3), padding=(0, 1)),
            nn.BatchNorm2d(96),
            nn.ReLU(),
            nn.Flatten(2),
        )
        self.tones = nn.Sequential(
            # Two octaves: the width of what tells a chord.
            nn.Conv1d(1, 32, 73, padding=36),
            nn.BatchNorm1d(32),
            nn.ReLU(),
            nn.Conv1d(32, 32, 9, stride=4, padding=4),
            nn.BatchNorm1d(32),
            nn.ReLU(),
        )
        self.embedding = nn.Sequential(
            nn.Linear(2 * 96 + 2 * 32, 128), nn.ReLU(), nn.Linear(128, EMBEDDING)
        )
        self.kinds = nn.Linear(EMBEDDING, len(NAMES))

    def forward(self, mel: Tensor, tones: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings ``[batch, EMBEDDING]`` and logits ``[batch, kinds]``.

        Args:
            mel: Powers ``[batch, MELS, frames]``.
            tones: Powers ``[batch, TONES]``.
        """
        mel = (mel + 1e-7).log()[:, None] / 4 + 2
        tones = (tones / tones.amax(1, keepdim=True).clamp(min=1e-9) + 1e-4).log()[:, None] / 3 + 1
        pooled = [
            part
            for branch in (self.mel(mel), self.tones(tones))
            for part in (branch.mean(2), branch.amax(2))
        ]
        embedding = self.embedding(torch.cat(pooled, 1))
        return embedding, self.kinds(functional.relu(embedding))


def _stage2d(
    before: int, after: int, size: tuple[int, int], stride: tuple[int, int]
) -> tuple[nn.Module, ...]:
    padding = (size[0] // 2, size[1] // 2)
    return nn.Conv2d(before, after, size, stride, padding), nn.BatchNorm2d(after), nn.ReLU()


@dataclass(frozen=True)
class Judgement:
    """What the classifier says about some sounds.

    Attributes:
        probabilities: Of each kind, in the order of `NAMES`, ``[sounds, kinds]``.
        embeddings: ``[sounds, EMBEDDING]``.
    """

    probabilities: Tensor
    embeddings: Tensor

    def kinds(self) -> list[str]:
        """The most probable kind of each sound."""
        return [NAMES[index] for index in self.probabilities.argmax(1).tolist()]


class Classifier:
    """A trained network.

    Args:
        network: Its weights are those that training left.
    """

    def __init__(self, network: Network) -> None:
        self._network = network.eval()

    @torch.inference_mode()
    def judge(self, sounds: Sequence[Signal]) -> Judgement:
        """Classifies sounds, float32 `[samples]` at `SAMPLE_RATE`, of any level and length."""
        parts = []
        for sound in sounds:
            mel, tones = features(sound)
            embedding, logits = self._network(mel[None], tones[None])
            parts.append((logits.softmax(1), embedding))
        probabilities, embeddings = (torch.cat(column) for column in zip(*parts, strict=True))
        return Judgement(probabilities, embeddings)


def classifier(path: Path) -> Classifier:
    """The classifier in that file; it is trained and written first where there is none."""
    network = Network()
    if not path.exists():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            network = _trained()
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(network.state_dict(), path)
    network.load_state_dict(torch.load(path, weights_only=True))
    return Classifier(network)


def rendered(count: int, seed: int) -> Iterator[tuple[Signal, str]]:
    """Sounds of all kinds in turn, each with the name of its kind."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        kind = NAMES[index % len(NAMES)]
        spec = sample_spec(rng, kind)
        yield render(spec, sample_seconds(rng, spec), rng).audio, kind


def _trained() -> Network:
    mel, tones, labels = _examples()
    network = Network()
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-2)
    steps = EPOCHS * (len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for step in range(steps):
        if step % (len(labels) // BATCH) == 0:
            order = torch.randperm(len(labels))
        first = step % (len(labels) // BATCH) * BATCH
        batch = order[first : first + BATCH]
        _, logits = network(*_varied(mel[batch].float(), tones[batch]))
        loss = functional.cross_entropy(logits, labels[batch], label_smoothing=0.05)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    return network


def _examples() -> tuple[Tensor, Tensor, Tensor]:
    """Features of many sounds: half the width for the spectrograms, which are large."""
    mels = torch.empty(EXAMPLES, MELS, FRAMES, dtype=torch.bfloat16)
    tones = torch.empty(EXAMPLES, TONES)
    rng = np.random.default_rng(SEED)
    for index, (sound, _) in enumerate(rendered(EXAMPLES, SEED)):
        mels[index], tones[index] = features(worn(sound, rng) if rng.random() < WORN else sound)
    return mels, tones, torch.arange(EXAMPLES) % len(NAMES)


def worn(sound: Signal, rng: np.random.Generator) -> Signal:
    """A sound as it may come out of a codec: it stays what it is, and is not clean any more.

    Its wave is bent a little, which adds harmonics 20 to 60 dB below; its spectrum goes up and down
    by up to 6 dB; and noise follows its envelope, of any colour, 20 to 55 dB below.
    """
    bent = sound + 10 ** rng.uniform(-3, -1) * (np.tanh(3 * sound) - sound)
    bent += 10 ** rng.uniform(-3, -1.3) * np.square(sound)
    count = len(sound) // 2 + 1

    def curve(decibels: float) -> NDArray[np.float64]:
        """A gain that changes along the octaves."""
        points = rng.uniform(-decibels, decibels, 10)
        places = np.log2(1 + np.arange(count) * (2**10 - 1) / count) / 10
        return 10 ** (np.interp(places, np.linspace(0, 1, len(points)), points) / 20)

    shaped = np.fft.irfft(np.fft.rfft(bent) * curve(6), len(sound))
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(len(sound))) * curve(20), len(sound))
    around = int(rng.uniform(0.005, 0.04) * SAMPLE_RATE)
    total = np.cumsum(np.pad(np.square(sound, dtype=np.float64), (around + 1, around)))
    power = (total[2 * around + 1 :] - total[: -2 * around - 1]) / (2 * around + 1)
    noise *= np.sqrt(np.maximum(power, 0)) / noise.std()
    return (shaped + 10 ** rng.uniform(-2.75, -1) * noise).astype(np.float32)


def _varied(mel: Tensor, tones: Tensor) -> tuple[Tensor, Tensor]:
    """What a model may do to a sound and leave it what it is, done to powers.

    The level changes by up to 6 dB, and along the frequencies by up to 6 dB more; a low-pass filter
    takes away what is highest; white noise between -80 and -40 dB is added; up to a tenth of a
    second of silence comes before.
    """
    count = len(mel)
    along = torch.linspace(-1, 1, MELS)
    corner = 1.4 + 0.9 * _even(count)
    decibels = 6 * _even(count) + 6 * _even(count) * along - 60 * (along - corner).clamp(min=0)
    floor = (10 ** (-6 + 2 * _even(count)) * white_noise())[:, :, None]
    mel = mel * 10 ** (decibels / 10)[:, :, None] + floor * 2 * torch.rand_like(mel)
    shift = int(torch.randint(0, 9, ()))
    mel = functional.pad(mel, (shift, 0))[:, :, : mel.shape[2]]
    slant = 10 ** (0.6 * _even(count) * torch.linspace(-1, 1, TONES))
    floor = 10 ** (-5 + 2 * _even(count)) * tones.amax(1, keepdim=True)
    return mel, tones * slant + floor


def _even(count: int) -> Tensor:
    """Numbers between -1 and 1, ``[count, 1]``."""
    return 2 * torch.rand(count, 1) - 1
