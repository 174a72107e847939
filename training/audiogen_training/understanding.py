"""Before the second stage: the text encoder learns what captions say, which needs no sound.

Every one of a caption's tokens learns to tell the whole spec, so that wherever the transformer
looks it finds everything. A few minutes of this spare it from learning words by their sounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen_training.captions import caption
from audiogen_training.corpus import sample_spec
from audiogen_training.muon import Muon
from audiogen_training.recipe import Recipe
from audiogen_training.sounds import KINDS, SoundSpec
from audiogen_training.state import Run
from audiogen_training.text import build_text_encoder, tokenize

BATCH = 192
MATRICES_RATE = 2e-3
LEARNING_RATE = 2e-3


def answers() -> Mapping[str, list[Any]]:
    """What each attribute of a spec may be; what is not said comes first."""
    found: dict[str, list[Any]] = {"kind": list(KINDS)}
    for kind in KINDS.values():
        for name, words in kind.words.items():
            known = found.setdefault(name, [None])
            known += [word for word in words if word not in known]
        for name, (low, high) in kind.exact.items():
            known = found.setdefault(name, [None])
            known += [number for number in range(low, high + 1) if number not in known]
    return found


class Questions(nn.Module):
    """A linear classifier for each attribute, asked of every token.

    Args:
        width: Channels of the text encoder.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self._answers = answers()
        self.heads = nn.ModuleDict(
            {name: nn.Linear(width, len(options)) for name, options in self._answers.items()}
        )

    def loss(self, hidden: Tensor, mask: Tensor, specs: list[SoundSpec]) -> Tensor:
        """The cross-entropy, over tokens and attributes.

        Args:
            hidden: The encoder's output, ``[batch, tokens, width]``.
            mask: Which tokens there are, ``[batch, tokens]``.
            specs: What the captions say.
        """
        total = hidden.new_zeros(())
        for name, options in self._answers.items():
            wanted = torch.tensor([options.index(getattr(spec, name)) for spec in specs])
            wanted = wanted.to(hidden.device)[:, None].expand(mask.shape)
            total = total + functional.cross_entropy(self.heads[name](hidden)[mask], wanted[mask])
        return total


def train(recipe: Recipe, folder: Path, device: torch.device) -> None:
    """Trains, or goes on training, until the recipe's number of steps is done."""
    text = build_text_encoder(recipe)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        questions = Questions(recipe.cond_dim)
    learner = nn.ModuleDict({"text": text, "questions": questions}).to(device)
    matrices = [one for name, one in text.named_parameters() if is_inner_matrix(name, one)]
    chosen = set(map(id, matrices))
    others = [one for one in learner.parameters() if id(one) not in chosen]
    muon = Muon(matrices, MATRICES_RATE)
    optimiser = torch.optim.AdamW(others, lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.0)
    parts = {"learner": learner, "muon": muon, "optimiser": optimiser}
    run = Run(folder, "understanding", parts)
    while run.step < recipe.understanding_steps:
        left = 1 - run.step / recipe.understanding_steps
        rate = min(1.0, (run.step + 1) / 50, 2 * left)
        for one, highest in ((muon, MATRICES_RATE), (optimiser, LEARNING_RATE)):
            for group in one.param_groups:
                group["lr"] = highest * rate
        rng = np.random.default_rng([recipe.seed, run.step])
        specs = [sample_spec(rng) for _ in range(BATCH)]
        ids = tokenize([caption(spec, rng) for spec in specs], recipe.max_tokens).to(device)
        ids = ids[:, : int((ids != 0).sum(1).max())]
        hidden = text(input_ids=ids, attention_mask=ids != 0).last_hidden_state
        loss = questions.loss(hidden, ids != 0, specs)
        learner.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        muon.step()
        optimiser.step()
        run.advance({"loss": loss})
    run.save()


def trained(recipe: Recipe, folder: Path) -> Any:
    """The text encoder as this stage left it."""
    text = build_text_encoder(recipe)
    content = torch.load(folder / "understanding.pt", map_location="cpu", weights_only=True)
    learner = content["parts"]["learner"]
    prefix = "text."
    text.load_state_dict(
        {
            name.removeprefix(prefix): value
            for name, value in learner.items()
            if name.startswith(prefix)
        }
    )
    return text


def is_inner_matrix(name: str, parameter: nn.Parameter) -> bool:
    """Whether it is a matrix of a transformer's block, for Muon."""
    inner = "transformer.layers." in name or "encoder.block." in name
    return inner and parameter.dim() == 2 and "relative_attention_bias" not in name
