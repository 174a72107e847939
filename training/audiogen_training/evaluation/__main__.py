"""``python -m audiogen_training.evaluation MODEL --out FOLDER``: measures a trained model."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiogen_training.evaluation import pictures, report
from audiogen_training.evaluation.classifier import Classifier, classifier, rendered
from audiogen_training.evaluation.frechet import frechet_distance
from audiogen_training.evaluation.generate import Generator, Sample, Settings
from audiogen_training.evaluation.guidance import by_scale, negative_prompts
from audiogen_training.evaluation.prompts import Prompt, prompts
from audiogen_training.evaluation.reconstruct import Reconstructor, figures
from audiogen_training.evaluation.scores import shares, shares_by_kind, verdicts
from audiogen_training.sounds import render
from audiogen_training.sounds.dsp import Signal

HELD_OUT = 500
"""How many renderings the classifier is checked on."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, and writes the report."""
    parser = argparse.ArgumentParser(
        prog="python -m audiogen_training.evaluation", description=__doc__
    )
    parser.add_argument("model", type=Path, help="folder with model_config.json")
    parser.add_argument("--out", type=Path, required=True, help="for samples and the report")
    parser.add_argument("--samples", type=int, default=300, help="how many (%(default)s)")
    parser.add_argument("--guided", type=int, default=50, help="samples a scale (%(default)s)")
    parser.add_argument("--negated", type=int, default=6, help="samples a prompt (%(default)s)")
    parser.add_argument("--steps", type=int, default=Settings.steps, help="(%(default)s)")
    parser.add_argument("--cfg-scale", type=float, default=Settings.cfg_scale, help="(%(default)s)")
    parser.add_argument(
        "--cfg-interval",
        type=float,
        nargs=2,
        default=Settings.cfg_interval,
        metavar=("LOW", "HIGH"),
        help="times with guidance (%(default)s)",
    )
    parser.add_argument("--sampler", default=Settings.sampler_type, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the prompts (%(default)s)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--pictures", action="store_true", help="draw spectrograms.png too")
    options = parser.parse_args(arguments)

    settings = Settings(options.steps, options.cfg_scale, options.cfg_interval, options.sampler)
    judge = classifier(options.out / "classifier.pt")
    generator = Generator(options.model, options.out / "samples", torch.device(options.device))
    asked = prompts(options.samples, options.seed)
    result = {"settings": vars(settings), **_columns(generator, judge, asked, settings)}
    result["guidance"] = by_scale(generator, judge, settings, options.guided, options.seed)
    seeds = range(options.seed, options.seed + options.negated)
    result["negative_prompts"] = negative_prompts(generator, judge, settings, seeds)
    report.write(result, options.out)
    if options.pictures:
        samples = [Sample(prompt, seconds, 0) for prompt, seconds in pictures.SHEET]
        titles = [one.prompt for one in samples]
        sounds = generator.make(samples, settings, "sheet")
        pictures.sheet(titles, sounds, options.out / "spectrograms.png")


def _columns(
    generator: Generator, judge: Classifier, asked: Sequence[Prompt], settings: Settings
) -> dict[str, Any]:
    """What is measured of renderings, their reconstructions, and generated sounds."""
    reconstruct = Reconstructor(generator.model, generator.checkpoint)
    real = _renderings(asked, 1)
    samples = [Sample(one.caption, one.seconds, one.seed) for one in asked]
    sounds = {
        "synthesiser": real,
        "reconstructed": [reconstruct(one) for one in real],
        "generated": generator.make(samples, settings, "asked"),
    }
    judgements = {column: judge.judge(of) for column, of in sounds.items()}
    judged = {column: verdicts(asked, of, judgements[column]) for column, of in sounds.items()}
    others = judge.judge(_renderings(asked, 2)).embeddings
    return {
        "samples": len(asked),
        "counts": Counter(one.measure for one in judged["generated"]),
        "classifier_accuracy": _accuracy(judge),
        "class_by_kind": {column: shares_by_kind(of) for column, of in judged.items()},
        "shares": {column: shares(of) for column, of in judged.items()},
        "frechet": {
            column: frechet_distance(of.embeddings, others) for column, of in judgements.items()
        },
        "autoencoder": figures([one.spec.kind for one in asked], real, sounds["reconstructed"]),
        "verdicts": {column: [vars(one) for one in of] for column, of in judged.items()},
    }


def _renderings(asked: Sequence[Prompt], seed: int) -> list[Signal]:
    """What the synthesiser makes of each prompt's spec."""
    return [
        render(one.spec, one.seconds, np.random.default_rng([seed, one.seed])).audio
        for one in asked
    ]


def _accuracy(judge: Classifier) -> float:
    sounds, kinds = zip(*rendered(HELD_OUT, seed=1), strict=True)
    heard = judge.judge(sounds).kinds()
    return float(np.mean([one == other for one, other in zip(heard, kinds, strict=True)]))


if __name__ == "__main__":
    main()
