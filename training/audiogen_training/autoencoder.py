"""The first stage: the autoencoder, from crops of rendered sounds."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen_plugins.autoencoders.oobleck import (
    Oobleck,
    OobleckDecoderOptions,
    OobleckEncoderOptions,
)
from audiogen_training.data import Sounds
from audiogen_training.initial import initialise
from audiogen_training.lapped import start_as_codec
from audiogen_training.losses import Discriminators, spectral_distance
from audiogen_training.muon import Muon
from audiogen_training.recipe import Recipe
from audiogen_training.state import Average, Run

DIRECTIONS_RATE = 1.5e-3
LEARNING_RATE = 1e-3
KL_WEIGHT = 1e-5
WAVEFORM_WEIGHT = 10.0
CODEC_SECONDS = 300
"""How much sound the autoencoder's start is computed from."""
LOOK_WEIGHT = 0.1
FEATURE_WEIGHT = 2.0


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

    def forward(self, audio: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Through noisy latents and back.

        Args:
            audio: ``[batch, 1, samples]``.
            noise: Standard normal, ``[batch, latent_dim, latents]``.

        Returns:
            The reconstruction, and the KL divergence of the latents from a standard normal.
        """
        mean, deviation = self.encode(audio)
        divergence = (mean**2 + deviation**2 - (deviation**2).log() - 1).sum(1).mean()
        return self.decoder(mean + deviation * noise), divergence


def train(recipe: Recipe, folder: Path, device: torch.device, workers: int) -> None:
    """Trains, or goes on training, until the recipe's number of steps is done."""
    networks = Networks(recipe)
    initialise(networks, torch.Generator().manual_seed(recipe.seed), residual=0.1)
    sounds = Sounds(recipe, folder, workers)
    start_as_codec(networks.encoder, networks.decoder, sounds.heard(CODEC_SECONDS))
    networks.to(device)
    judges = Discriminators().to(device)
    directions = [one for name, one in networks.named_parameters() if _is_direction(name, one)]
    chosen = set(map(id, directions))
    others = [one for one in networks.parameters() if id(one) not in chosen]
    muon = Muon(directions, DIRECTIONS_RATE, momentum=0.9)
    optimiser = torch.optim.AdamW(others, lr=LEARNING_RATE, betas=(0.8, 0.99))
    judging = torch.optim.AdamW(judges.parameters(), lr=LEARNING_RATE, betas=(0.8, 0.99))
    average = Average(networks, decay=0.998)
    run = Run(
        folder,
        "autoencoder",
        {
            "networks": networks,
            "judges": judges,
            "muon": muon,
            "optimiser": optimiser,
            "judging": judging,
            "average": average,
        },
    )
    reconstruct = torch.compile(networks) if recipe.compiled else networks
    while run.step < recipe.autoencoder_steps:
        rate = _rate(run.step, recipe.autoencoder_steps)
        _set_rate(muon, DIRECTIONS_RATE * rate)
        _set_rate(optimiser, LEARNING_RATE * rate)
        audio = sounds.crops(run.step).to(device)
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + run.step)
        shape = (len(audio), recipe.latent_dim, recipe.crop_latents)
        noise = torch.randn(shape, generator=generator).to(device)
        made, divergence = reconstruct(audio, noise)
        losses = {
            "spectral": spectral_distance(made, audio),
            "waveform": functional.l1_loss(made, audio),
            "kl": divergence,
        }
        loss = losses["spectral"] + WAVEFORM_WEIGHT * losses["waveform"] + KL_WEIGHT * losses["kl"]
        if recipe.adversarial_from is not None and run.step >= recipe.adversarial_from:
            judging.zero_grad(set_to_none=True)
            losses["judges"] = judges.loss(made.detach(), audio)
            losses["judges"].backward()
            judging.step()
            looks, distance = judges.judge(made, audio)
            losses |= {"looks": looks, "features": distance}
            loss = loss + LOOK_WEIGHT * looks + FEATURE_WEIGHT * distance
        networks.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(networks.parameters(), 5.0)
        muon.step()
        optimiser.step()
        average.update(networks)
        run.advance(losses)
    run.save()


def trained(recipe: Recipe, folder: Path) -> Networks:
    """The networks with their averaged weights."""
    networks = Networks(recipe)
    content = torch.load(folder / "autoencoder.pt", map_location="cpu", weights_only=True)
    networks.load_state_dict(content["parts"]["average"]["values"])
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
