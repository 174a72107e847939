"""``python -m audiogen_training FOLDER``: trains the default model, or goes on, and exports it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from audiogen_training import autoencoder, diffusion, polish, understanding
from audiogen_training.export import export
from audiogen_training.recipe import RECIPES

STAGES = ("autoencoder", "understanding", "examples", "diffusion", "polish", "export")


def main() -> None:
    """Runs the stages that are not finished yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for checkpoints and logs")
    parser.add_argument("--recipe", choices=RECIPES, default="full")
    parser.add_argument("--stage", choices=[*STAGES, "all"], default="all")
    parser.add_argument("--workers", type=int, default=max(0, (os.cpu_count() or 1) - 1))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    recipe, device = RECIPES[arguments.recipe], torch.device(arguments.device)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if device.type == "cuda":  # what the losses are taken of needs no more than ten bits
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    wanted = arguments.stage
    workers, folder = arguments.workers, arguments.folder
    if wanted in {"autoencoder", "all"}:
        autoencoder.train(recipe, folder, device, workers)
    if wanted in {"understanding", "all"}:
        understanding.train(recipe, folder, device)
    if wanted in {"examples", "all"}:
        diffusion.encode(recipe, folder, device, workers)
    if wanted in {"diffusion", "all"}:
        diffusion.train(recipe, folder, device, workers)
    if wanted in {"polish", "all"}:
        polish.train(recipe, folder, device, workers)
    if wanted in {"export", "all"}:
        export(recipe, folder, folder / "model")


if __name__ == "__main__":
    main()
