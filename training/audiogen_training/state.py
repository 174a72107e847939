"""Keeps a training run on disk, so that it can be ended at any time and go on later."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

SECONDS_BETWEEN_SAVES = 60.0
SECONDS_BETWEEN_LINES = 10.0


class Run:
    """One stage of training: its modules and optimisers, its step, its log.

    Args:
        folder: Where the checkpoint and the log are.
        name: The stage's name.
        parts: Everything with a ``state_dict``.
    """

    def __init__(self, folder: Path, name: str, parts: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name}.pt"
        self.log_path = folder / f"{name}.jsonl"
        self.parts = parts
        self.step = 0
        self.seconds = 0.0
        self._started = self._saved = self._logged = time.monotonic()
        if self.path.exists():
            self._load()

    def _load(self) -> None:
        content = torch.load(self.path, map_location="cpu", weights_only=True)
        self.step, self.seconds = content["step"], content["seconds"]
        for key, part in self.parts.items():
            part.load_state_dict(content["parts"][key])

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        now = time.monotonic()
        self.seconds += now - self._started
        self._started = self._saved = now
        temporary = self.path.with_suffix(".part")
        parts = {key: part.state_dict() for key, part in self.parts.items()}
        torch.save({"step": self.step, "seconds": self.seconds, "parts": parts}, temporary)
        temporary.replace(self.path)

    def advance(self, losses: Mapping[str, torch.Tensor]) -> None:
        """Counts a step; logs and saves now and then."""
        self.step += 1
        now = time.monotonic()
        if now - self._logged >= SECONDS_BETWEEN_LINES:
            self._logged = now
            line = {key: round(float(value.detach()), 5) for key, value in losses.items()}
            line = {"step": self.step, "seconds": round(self.seconds + now - self._started), **line}
            with self.log_path.open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            print(self.path.stem, line, flush=True)
        if now - self._saved >= SECONDS_BETWEEN_SAVES:
            self.save()


class Average(nn.Module):
    """The moving average of a module's parameters, which generates better than the last ones.

    Args:
        module: What to follow.
        decay: How much of the average stays at each step.
    """

    def __init__(self, module: nn.Module, decay: float = 0.9995) -> None:
        super().__init__()
        self.decay = decay
        self.values = {
            name: one.detach().clone().float() for name, one in module.named_parameters()
        }
        self.steps = 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Moves towards the module, faster in the beginning."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, one in module.named_parameters():
            self.values[name].lerp_(one.detach().float(), 1 - decay)

    def state_dict(self, *_: Any, **__: Any) -> dict[str, Any]:  # type: ignore[override]
        """The averages and their number of steps."""
        return {"values": self.values, "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any], *_: Any, **__: Any) -> None:  # type: ignore[override]
        """Goes on from a saved state."""
        for name, value in state["values"].items():
            self.values[name].copy_(value)
        self.steps = state["steps"]
