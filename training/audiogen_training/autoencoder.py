"""The first stage: the autoencoder. Its encoder is computed, its decoder learns from crops.

The encoder stays as `lapped` makes it, so that the second stage need not wait for the decoder. The
decoder learns from latents with noise on them, for those of a small transformer are never exact:
without it, every error would be heard as a hiss that never ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen_plugins.autoencoders.oobleck import (
    Oobleck,
    OobleckDecoderOptions,
    OobleckEncoderOptions,
    ResidualUnit,
)
from audiogen_training.data import Sounds
from audiogen_training.initial import initialise
from audiogen_training.lapped import start_as_codec
from audiogen_training.losses import level_distance, lowest, spectral_distance
from audiogen_training.muon import Muon
from audiogen_training.recipe import Recipe
from audiogen_training.state import Average, Run

DIRECTIONS_RATE = 1.5e-3
LEARNING_RATE = 1e-3
WAVEFORM_WEIGHT = 10.0
BLUR = 0.2
"""The deviation of the noise on the latents relative to theirs, at most; each crop has its own."""
STILL = 0.01
"""How loud the decoder's residual units start: they add to what the codec makes."""
CODEC = "codec.pt"
CODEC_SECONDS = 300
"""How much sound the autoencoder's start is computed from."""


class Networks(nn.Module):
    """Encoder, VAE bottleneck and decoder, for training.

    Args:
        recipe: The sizes.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        section = recipe.model_config()["model"]["pretransform"]["config"]
        self.encoder = Oobleck.build_encoder(OobleckEncoderOptions(**section["encoder"]["config"]))
        self.decoder = Oobleck.build_decoder(OobleckDecoderOptions(**section["decoder"]["config"]))

    def encode(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Means and deviations of the latents, ``[batch, latent_dim, latents]`` each."""
        mean, scale = self.encoder(audio).chunk(2, dim=1)
        return mean, functional.softplus(scale) + 1e-4


def start(recipe: Recipe, folder: Path, sounds: Sounds) -> Networks:
    """The networks as they are computed, once: their encoder is the final one.

    Its residual units add nothing, and so they are left out here: they are nearly all of its work.
    """
    networks = Networks(recipe)
    path = folder / CODEC
    if not path.exists():
        generator = torch.Generator().manual_seed(recipe.seed)
        initialise(networks.encoder, generator, residual=0)
        initialise(networks.decoder, generator, residual=STILL)
        start_as_codec(networks.encoder, networks.decoder, sounds.heard(CODEC_SECONDS))
        torch.save(networks.state_dict(), path)
    networks.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    networks.encoder.requires_grad_(requires_grad=False)
    for name, module in list(networks.encoder.named_modules()):
        if isinstance(module, ResidualUnit):
            networks.encoder.set_submodule(name, nn.Identity())
    return networks


def train(recipe: Recipe, folder: Path, device: torch.device, workers: int) -> None:
    """Trains the decoder, or goes on training, until the recipe's number of steps is done."""
    sounds = Sounds(recipe, folder, workers)
    networks = start(recipe, folder, sounds).to(device)

    def crops(step: int) -> Crops:
        audio = sounds.crops(step).to(device)
        return Crops(blurred(networks, audio, recipe.seed * 1_000_003 + step), audio)

    learn(
        recipe,
        (folder, "autoencoder"),
        networks,
        crops,
        steps=recipe.autoencoder_steps,
    )


@dataclass(frozen=True)
class Crops:
    """What the decoder learns from in one step.

    Attributes:
        latents: ``[batch, latent_dim, latents]``.
        audio: What they should sound like, ``[batch, 1, samples]``.
        begin: The first sample that counts.
        end: The one after the last that does; from the end, where it is below zero.
    """

    latents: Tensor
    audio: Tensor
    begin: int = 0
    end: int | None = None


@torch.no_grad()
def blurred(networks: Networks, audio: Tensor, seed: int) -> Tensor:
    """The latents of crops, with noise on them.

    Args:
        networks: The encoder is used.
        audio: ``[batch, 1, samples]``.
        seed: Of the noise and its levels.

    Returns:
        ``[batch, latent_dim, latents]``.
    """
    mean, _ = networks.encode(audio)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(mean.shape, generator=generator).to(mean.device)
    blur = BLUR * torch.rand((len(mean), 1, 1), generator=generator).to(mean.device)
    return mean + blur * mean.std(dim=(0, 2), keepdim=True) * noise


def learn(
    recipe: Recipe,
    place: tuple[Path, str],
    networks: Networks,
    crops: Callable[[int], Crops],
    *,
    steps: int,
    highest: float = 1.0,
) -> None:
    """Trains the decoder, or goes on training.

    Args:
        recipe: Says whether it runs compiled.
        place: The folder of the checkpoint and the log, and the stage's name.
        networks: Everything but what has no gradient is trained.
        crops: What to learn from in the step of that number.
        steps: How many in all.
        highest: The share of the rates that it begins with.
    """
    device = next(networks.parameters()).device
    learning = [(name, one) for name, one in networks.named_parameters() if one.requires_grad]
    directions = [one for name, one in learning if _is_direction(name, one)]
    chosen = set(map(id, directions))
    others = [one for _, one in learning if id(one) not in chosen]
    muon = Muon(directions, DIRECTIONS_RATE, momentum=0.9)
    optimiser = torch.optim.AdamW(others, lr=LEARNING_RATE, betas=(0.8, 0.99))
    average = Average(networks, decay=0.998)
    run = Run(
        *place,
        {
            "networks": networks,
            "muon": muon,
            "optimiser": optimiser,
            "average": average,
        },
    )
    # A GPU is fast enough at what a CPU would spend a fifth of its time on.
    compiled = recipe.compiled and device.type == "cpu"
    decode = torch.compile(networks.decoder) if compiled else networks.decoder
    while run.step < steps:
        rate = highest * _rate(run.step, steps)
        _set_rate(muon, DIRECTIONS_RATE * rate)
        _set_rate(optimiser, LEARNING_RATE * rate)
        crop = crops(run.step)
        made = decode(crop.latents)[..., crop.begin : crop.end]
        audio = crop.audio[..., crop.begin : crop.end]
        losses = {
            "spectral": spectral_distance(made, audio),
            "levels": level_distance(made, audio),
            "waveform": functional.l1_loss(lowest(made), lowest(audio)),
        }
        loss = losses["spectral"] + losses["levels"] + WAVEFORM_WEIGHT * losses["waveform"]
        networks.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(networks.parameters(), 5.0)
        muon.step()
        optimiser.step()
        average.update(networks)
        run.advance(losses)
    run.save()


def trained(recipe: Recipe, folder: Path, stage: str = "autoencoder") -> Networks:
    """The networks, the decoder with the averaged weights that the stage left."""
    networks = Networks(recipe)
    codec = torch.load(folder / CODEC, map_location="cpu", weights_only=True)
    content = torch.load(folder / f"{stage}.pt", map_location="cpu", weights_only=True)
    networks.load_state_dict({**codec, **content["parts"]["average"]["values"]})
    return networks.eval().requires_grad_(requires_grad=False)


def _rate(step: int, steps: int) -> float:
    """Warms up over 200 steps, and falls to nothing over the last third."""
    return min(1.0, (step + 1) / 200, (steps - step) / (0.33 * steps))


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def _is_direction(name: str, parameter: nn.Parameter) -> bool:
    """Whether it is a convolution's direction between many channels: a matrix for Muon."""
    return name.endswith("weight_v") and min(parameter.shape[:2]) > 1
