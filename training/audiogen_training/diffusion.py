"""The second stage: the text encoder and the diffusion transformer, on encoded examples."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen_core.devices import choose_type
from audiogen_core.interfaces.backbone import BackboneInputs
from audiogen_core.interfaces.conditioner import BuildContext
from audiogen_core.precision import Precision
from audiogen_plugins.backbones.dit import DiffusionTransformer, DiTOptions
from audiogen_plugins.conditioners.number import NumberConditioner, NumberOptions
from audiogen_plugins.conditioners.t5_encoder import T5Config, T5Encoder
from audiogen_training import autoencoder, understanding
from audiogen_training.captions import caption
from audiogen_training.corpus import SECONDS, Example
from audiogen_training.data import Sounds, examples, sounding
from audiogen_training.initial import initialise
from audiogen_training.muon import Muon
from audiogen_training.recipe import MOST_SECONDS, Recipe
from audiogen_training.state import Average, Run
from audiogen_training.text import build_text_encoder, tokenize
from audiogen_training.understanding import is_inner_matrix

MATRICES_RATE = 2e-3
LEARNING_RATE = 1e-3
TIMES = (0.8, 1.0)
"""Mean and deviation of the times before the sigmoid."""
EARLY_TIMES = (2.5, 1.2)
"""Those of half of the times in the finish: what a sound will be is decided early."""
CAPTIONS = 8
"""How many wordings each example has."""
CROPS = ((0.35, 0.5), (0.65, 0.25), (1.0, 0.25))
"""How much of the length a step sees, from the beginning, and how often: most sounds are short."""
TOGETHER = 8
"""How many examples are encoded at a time."""


@dataclass(frozen=True)
class Encoded:
    """Examples ready for training.

    Attributes:
        latents: ``[examples, latent_dim, latents]``, float16.
        ids: Captions in tokens, ``[examples, CAPTIONS, max_tokens]``.
        seconds: ``seconds_total`` of each, ``[examples]``.
    """

    latents: Tensor
    ids: Tensor
    seconds: Tensor

    @property
    def scale(self) -> Tensor:
        """The deviation of each channel, by which it is divided for the transformer.

        ``[latent_dim, 1]``. Else quiet channels, which hold how loud the noise of a band is, would
        be below the noise in all but the last steps.
        """
        return self.latents.float().std(dim=(0, 2))[:, None]

    def to(self, device: torch.device) -> Encoded:
        """The same elsewhere."""
        return Encoded(self.latents.to(device), self.ids.to(device), self.seconds.to(device))


class Denoiser(nn.Module):
    """The parts of the model that are trained here.

    Args:
        recipe: The sizes.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        model = recipe.model_config()["model"]
        context = BuildContext(recipe.cond_dim)
        self.text = build_text_encoder(recipe)
        self._text_config = T5Config.model_validate(
            {key: getattr(self.text.config, key) for key in T5Config.model_fields}
        )
        self.start = _number(model, "seconds_start", context)
        self.total = _number(model, "seconds_total", context)
        self.network = DiffusionTransformer.build(DiTOptions(**model["diffusion"]["config"]))

    def forward(
        self, x: Tensor, t: Tensor, ids: Tensor, start: Tensor, total: Tensor, keep: Tensor
    ) -> Tensor:
        """The velocity.

        Args:
            x: Noisy latents, ``[batch, latent_dim, latents]``.
            t: Times, ``[batch]``.
            ids: Captions in tokens, ``[batch, max_tokens]``.
            start: ``seconds_start``, ``[batch]``.
            total: ``seconds_total``, ``[batch]``.
            keep: False where all cross-attention tokens are dropped, ``[batch]``.
        """
        mask = ids != 0
        # A CPU saves work on padding; a GPU would have to wait for the number.
        used = ids.shape[1] if ids.is_cuda else int(mask.sum(1).max())
        text = self.hidden(ids[:, :used], mask[:, :used]) * mask[:, :used, None]
        text = functional.pad(text, (0, 0, 0, ids.shape[1] - used))
        numbers = [
            self.start.embedder(start / MOST_SECONDS)[:, None],
            self.total.embedder(total / MOST_SECONDS)[:, None],
        ]
        tokens = torch.cat([text, *numbers], dim=1) * keep[:, None, None]
        inputs = BackboneInputs(
            cross_attention=tokens,
            global_embedding=torch.cat(numbers, dim=-1)[:, 0],
        )
        velocity: Tensor = self.network(x, t, inputs)
        return velocity

    def hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """What the text encoder makes of tokens, ``[batch, tokens, cond_dim]``.

        By the code that generates with it: the library's lets a GPU wait.
        """
        encoder = T5Encoder(self._text_config, dict(self.text.named_parameters()))
        return encoder.hidden(ids, mask)


def _number(model: dict[str, Any], key: str, context: BuildContext) -> NumberConditioner:
    (config,) = (one["config"] for one in model["conditioning"]["configs"] if one["id"] == key)
    return NumberConditioner.build(NumberOptions(**config), context)


def encode(recipe: Recipe, folder: Path, device: torch.device, workers: int) -> Encoded:
    """Renders and encodes the examples once, and keeps them on disk."""
    path = folder / "examples.pt"
    if not path.exists():
        networks = autoencoder.start(recipe, folder, Sounds(recipe, folder, workers)).to(device)
        parts: list[tuple[Tensor, ...]] = []
        # Sounds of like lengths are encoded together.
        for batch in examples(
            0, recipe.examples, seed=recipe.seed + 1, workers=workers, batch=8 * TOGETHER
        ):
            batch.sort(key=sounding)
            parts.extend(
                encode_together(batch[first : first + TOGETHER], networks, recipe, device)
                for first in range(0, len(batch), TOGETHER)
            )
            print(f"encoded {len(parts) * TOGETHER} of {recipe.examples} examples", flush=True)
        columns = [torch.cat(column) for column in zip(*parts, strict=True)]
        torch.save(columns, path)
    return Encoded(*torch.load(path, map_location="cpu", weights_only=True))


@torch.no_grad()
def encode_together(
    batch: list[Example], networks: autoencoder.Networks, recipe: Recipe, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Encodes examples of like lengths.

    Returns:
        Their `Encoded.latents`, `Encoded.ids` and `Encoded.seconds`.
    """
    # What follows the last sound is encoded once: silence, whose first latents and last ones
    # still see its ends.
    edge = 8
    needed = -(-max(map(sounding, batch)) // recipe.ratio) + 2 * edge
    length = min(recipe.latents, needed) * recipe.ratio
    audio = np.zeros((len(batch), 1, length), dtype=np.float32)
    for row, one in zip(audio, batch, strict=True):
        sound = one.audio[:length]
        row[0, : len(sound)] = sound
    mean, _ = networks.encode(torch.from_numpy(audio).to(device))
    if (missing := recipe.latents - mean.shape[2]) > 0:
        silence = mean[:, :, -edge - 1 : -edge].expand(-1, -1, missing)
        mean = torch.cat([mean[:, :, :-edge], silence, mean[:, :, -edge:]], dim=2)
    ids = torch.stack([_captions(one, recipe) for one in batch])
    seconds = torch.tensor([one.seconds_total for one in batch], dtype=torch.float32)
    return mean.half().cpu(), ids, seconds


def _captions(one: Example, recipe: Recipe) -> Tensor:
    rng = np.random.default_rng(zlib.crc32(one.caption.encode()))
    others = [caption(one.spec, rng) for _ in range(CAPTIONS - 1)]
    return tokenize([one.caption, *others], recipe.max_tokens)


def trained(recipe: Recipe, folder: Path) -> Denoiser:
    """What is trained here, with the averaged weights."""
    denoiser = Denoiser(recipe)
    content = torch.load(folder / "diffusion.pt", map_location="cpu", weights_only=True)
    denoiser.load_state_dict({**denoiser.state_dict(), **content["parts"]["average"]["values"]})
    return denoiser.eval().requires_grad_(requires_grad=False)


def train(recipe: Recipe, folder: Path, device: torch.device, workers: int) -> None:
    """Trains, or goes on training, until the recipe's number of steps is done."""
    data = encode(recipe, folder, device, workers)
    denoiser = Denoiser(recipe)
    denoiser.text = understanding.trained(recipe, folder)
    generator = torch.Generator().manual_seed(recipe.seed + 2)
    for part in (denoiser.start, denoiser.total, denoiser.network):
        initialise(part, generator)
    denoiser.to(device)
    matrices = [one for name, one in denoiser.named_parameters() if is_inner_matrix(name, one)]
    chosen = set(map(id, matrices))
    others = [one for one in denoiser.parameters() if id(one) not in chosen]
    # Weights, gradients and losses stay in float32.
    half = choose_type(Precision.AUTO, device) is torch.bfloat16
    number = torch.bfloat16 if half else torch.float32
    muon = Muon(matrices, MATRICES_RATE, weight_decay=0.01, number=number)
    optimiser = torch.optim.AdamW(others, lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    average = Average(denoiser, decay=0.998)
    run = Run(
        folder,
        "diffusion",
        {"denoiser": denoiser, "muon": muon, "optimiser": optimiser, "average": average},
    )
    data = data.to(device)
    scale = data.scale
    while run.step < recipe.diffusion_steps:
        rate = _rate(run.step, recipe)
        _set_rate(muon, MATRICES_RATE * rate)
        _set_rate(optimiser, LEARNING_RATE * rate)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = _loss(denoiser, data, scale, recipe, run.step)
        denoiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        muon.step()
        optimiser.step()
        average.update(denoiser)
        run.advance({"loss": loss})
    run.save()


def _loss(denoiser: Denoiser, data: Encoded, scale: Tensor, recipe: Recipe, step: int) -> Tensor:
    """The rectified flow's regression (Liu et al. 2022, arXiv:2209.03003).

    Times are logit-normal (Esser et al. 2024, arXiv:2403.03206): the hardest are where noise is as
    loud as the sounds, which are louder than the latents' deviation, for half of these is silence.
    Loud examples count no more than quiet ones. What is drawn depends on nothing but the step.
    """
    device = data.ids.device
    generator = torch.Generator(device).manual_seed(recipe.seed * 1_000_003 + step)
    dice = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    odds = torch.tensor([often for _, often in CROPS])

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device)

    def uniform(count: int) -> Tensor:
        return torch.rand(count, generator=generator, device=device)

    length = lengths(recipe)[int(torch.multinomial(odds, 1, generator=dice))]
    # Shorter sequences come in larger batches: all steps cost the same.
    count = recipe.diffusion_batch * recipe.latents // length
    index = (uniform(count) * len(data.ids)).long()
    wording = (uniform(count) * CAPTIONS).long()
    clean = data.latents[index, :, :length].float() / scale
    noise = normal(*clean.shape)
    t = torch.sigmoid(_times(normal(count), uniform(count), finish=step >= recipe.finish_from))
    noisy = (1 - t)[:, None, None] * clean + t[:, None, None] * noise
    keep = uniform(count) >= recipe.drop_caption
    # Where in a longer piece a sound starts changes nothing, nor does a length beyond the model's.
    start = MOST_SECONDS * uniform(count) * (uniform(count) < 0.2)
    total = data.seconds[index]
    beyond = (total >= SECONDS) & (uniform(count) < 0.5)
    total = torch.where(beyond, SECONDS * (MOST_SECONDS / SECONDS) ** uniform(count), total)
    velocity = denoiser(noisy, t, data.ids[index, wording], start, total, keep)
    errors = (velocity.float() - (noise - clean)).square().mean((1, 2))
    weights = 1 / (1 + clean.square().mean((1, 2)))
    loss: Tensor = (errors * weights).sum() / weights.sum()
    return loss


def lengths(recipe: Recipe) -> list[int]:
    """How many latents a step may see, in the order of `CROPS`: the shortest first."""
    patch = recipe.patch_size
    return [math.ceil(recipe.latents * share / patch) * patch for share, _ in CROPS]


def _times(normal: Tensor, dice: Tensor, *, finish: bool) -> Tensor:
    """Times before the sigmoid, ``[batch]``."""
    mean, deviation = TIMES
    times = mean + deviation * normal
    if not finish:
        return times
    mean, deviation = EARLY_TIMES
    return torch.where(dice < 0.5, mean + deviation * normal, times)


def _rate(step: int, recipe: Recipe) -> float:
    """Warms up, then falls along a cosine; and once more in the finish."""
    first, last, highest = 0, recipe.finish_from, 1.0
    if step >= recipe.finish_from:
        first, last, highest = recipe.finish_from, recipe.diffusion_steps, recipe.finish_rate
    warm = min(1.0, (step - first + 1) / (100 * highest))
    share = (step - first) / (last - first)
    return highest * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
