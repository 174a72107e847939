"""The last stage: the decoder learns to play what the transformer makes.

The transformer makes real sounds anew: their latents, with noise on them, are denoised. What comes
of it is in step with the sound, and has the transformer's errors; from it the decoder learns to
play the sound. Vocoders for speech learn so from what the network before them predicts (Shen et al.
2018, "Natural TTS synthesis by conditioning WaveNet on mel spectrogram predictions",
arXiv:1712.05884).
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audiogen_training import autoencoder, diffusion
from audiogen_training.autoencoder import Crops, blurred
from audiogen_training.corpus import Example
from audiogen_training.data import Sounds, examples, sounding
from audiogen_training.recipe import Recipe

STAGE = "polish"

BEGUN = (0.25, 0.8)
"""The times from which sounds are made anew: later they are hardly changed, and earlier they become
others."""

STEPS = 16
"""Of the sampler, from noise alone; from a later time, so many fewer."""

GUIDANCE = (1.0, 2.0, 3.0)
"""Scales of guidance: without, and near what is recommended."""

GUIDED_FROM = 0.5
"""The earliest time that is guided, as it is recommended."""

REMADE = 2 / 3
"""The share of a batch that was made anew; the others are sounds as the encoder leaves them."""

AS_IT_WAS = 0.2
"""How often one that was made anew is taken as the encoder left it, all the same."""

EDGE = 2
"""Latents at a crop's edges whose sound does not count: the decoder does not see what is beyond."""

HIGHEST = 0.5
"""The share of the autoencoder's rates that the stage begins with."""

Pair = tuple[Tensor, Tensor, Tensor]
"""A sound's latents and those that were made anew, ``[latent_dim, latents]`` in float16, and the
sound up to the silence at its end, ``[samples]`` in int16."""


def train(recipe: Recipe, folder: Path, device: torch.device, workers: int) -> None:
    """Trains the decoder, or goes on training, until the recipe's number of steps is done."""
    pairs = make_anew(recipe, folder, device, workers)
    sounds = Sounds(recipe, folder, workers)
    networks = autoencoder.start(recipe, folder, sounds)
    learnt = autoencoder.trained(recipe, folder).decoder.state_dict()
    networks.decoder.load_state_dict(learnt)
    networks.to(device)

    def crops(step: int) -> Crops:
        return _crops(recipe, networks, pairs, sounds, step)

    autoencoder.learn(
        recipe,
        (folder, STAGE),
        networks,
        crops,
        steps=recipe.polish_steps,
        highest=HIGHEST,
    )


def make_anew(recipe: Recipe, folder: Path, device: torch.device, workers: int) -> list[Pair]:
    """Lets the transformer make sounds anew, once, and keeps them on disk."""
    path = folder / "remade.pt"
    if not path.exists():
        networks = autoencoder.start(recipe, folder, Sounds(recipe, folder, workers)).to(device)
        denoiser = diffusion.trained(recipe, folder).to(device)
        scale = diffusion.encode(recipe, folder, device, workers).scale.to(device)
        pairs: list[Pair] = []
        drawn = examples(
            0,
            recipe.polish_sounds,
            seed=recipe.seed + 3,
            workers=workers,
            batch=8 * diffusion.TOGETHER,
        )
        for batch in drawn:
            batch.sort(key=sounding)
            for first in range(0, len(batch), diffusion.TOGETHER):
                together = batch[first : first + diffusion.TOGETHER]
                seed = recipe.seed * 1_000_003 + len(pairs)
                clean, ids, seconds = diffusion.encode_together(together, networks, recipe, device)
                rng = np.random.default_rng(seed)
                remade = _made_anew(denoiser, clean.to(device) / scale, ids, seconds, rng) * scale
                pairs += map(_pair, together, clean, remade.half().cpu())
            print(f"made {len(pairs)} of {recipe.polish_sounds} sounds anew", flush=True)
        torch.save(pairs, path)
    made: list[Pair] = torch.load(path, weights_only=True)
    return made


@torch.no_grad()
def _made_anew(
    denoiser: diffusion.Denoiser,
    clean: Tensor,
    ids: Tensor,
    seconds: Tensor,
    rng: np.random.Generator,
) -> Tensor:
    """Puts noise on latents of unit variance, and takes it away with Euler's steps."""
    device, count = clean.device, len(clean)
    ids, seconds = ids[:, 0].to(device), seconds.to(device)
    begun, guidance = float(rng.uniform(*BEGUN)), float(rng.choice(GUIDANCE))
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    noise = torch.randn(clean.shape, generator=generator).to(device)
    x = (1 - begun) * clean + begun * noise
    nothing, all_of_them = torch.zeros(count, device=device), torch.ones(count, device=device) > 0
    times = np.linspace(begun, 0, max(2, round(begun * STEPS)) + 1)
    for now, later in itertools.pairwise(times.tolist()):
        t = torch.full((count,), now, device=device)
        velocity = denoiser(x, t, ids, nothing, seconds, all_of_them)
        if guidance != 1 and now >= GUIDED_FROM:
            free = denoiser(x, t, ids, nothing, seconds, ~all_of_them)
            velocity = free + guidance * (velocity - free)
        x = x + (later - now) * velocity
    return x


def _pair(one: Example, clean: Tensor, remade: Tensor) -> Pair:
    heard = one.audio[: sounding(one)]
    return clean, remade, torch.from_numpy(np.round(heard * 32767).astype(np.int16))


def _crops(
    recipe: Recipe, networks: autoencoder.Networks, pairs: list[Pair], sounds: Sounds, step: int
) -> Crops:
    """The batch of a step: it depends on nothing but the step."""
    device = next(networks.parameters()).device
    rng = np.random.default_rng([recipe.seed, step, 1])
    length, ratio = recipe.crop_latents + 2 * EDGE, recipe.ratio
    anew = round(REMADE * recipe.autoencoder_batch)
    # Where sounds begin, the decoder sees an edge too, and all of it counts.
    begins = rng.random() < 0.5
    latents = torch.zeros(anew, recipe.latent_dim, length)
    audio = torch.zeros(anew, 1, length * ratio)
    for row, heard in zip(latents, audio, strict=True):
        clean, remade, sound = pairs[int(rng.integers(len(pairs)))]
        latest = min(-(-len(sound) // ratio), clean.shape[1]) - length
        first = 0 if begins or latest < 1 else int(rng.integers(latest + 1))
        row[:] = (clean if rng.random() < AS_IT_WAS else remade)[:, first : first + length]
        part = sound[first * ratio : (first + length) * ratio].float() / 32767
        heard[0, : len(part)] = part
    plain = sounds.crops(recipe.autoencoder_steps + step)[anew:]
    plain = torch.nn.functional.pad(plain, (0, 2 * EDGE * ratio)).to(device)
    seen = blurred(networks, plain, recipe.seed * 1_000_003 + recipe.autoencoder_steps + step)
    return Crops(
        torch.cat([latents.to(device), seen]),
        torch.cat([audio.to(device), plain]),
        begin=0 if begins else EDGE * ratio,
        end=-EDGE * ratio,
    )
