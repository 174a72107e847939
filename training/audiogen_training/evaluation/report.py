"""The report: everything that was measured, for programs and for readers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from audiogen_training.evaluation.scores import GOALS, MEANING

COLUMNS = ("synthesiser", "reconstructed", "generated")
"""The sets of sounds that stand side by side: each loses something that the one before has."""


def write(report: Mapping[str, Any], folder: Path) -> None:
    """Writes ``report.json`` and ``report.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    (folder / "report.md").write_text(markdown(report), encoding="utf-8")


def markdown(report: Mapping[str, Any]) -> str:
    """The report in tables."""
    settings = report["settings"]
    low, high = settings["cfg_interval"]
    counts = report["counts"]
    intro = (
        f"{report['samples']} samples, held-out captions and seeds; {settings['steps']} steps of "
        f"{settings['sampler_type']}, `cfg_scale` {settings['cfg_scale']:g} between the times "
        f"{low:g} and {high:g}. The classifier finds "
        f"{report['classifier_accuracy']:.1%} of held-out renderings."
    )
    facts = [
        [MEANING[name], f"{GOALS[name]:.0%}", counts[name]]
        + [f"{report['shares'][column][name]:.1%}" for column in COLUMNS]
        for name in GOALS
    ]
    distances = [[f"{report['frechet'][column]:.2f}" for column in COLUMNS]]
    quality = report["autoencoder"]
    by_kind = [
        [kind, f"{distance:.3f}", f"{quality['snr_db'][kind]:.1f}"]
        + [f"{report['class_by_kind'][column][kind]:.0%}" for column in COLUMNS]
        for kind, distance in quality["spectral_distance"].items()
        if kind != "all"
    ]
    whole = f"{quality['spectral_distance']['all']:.3f}", f"{quality['snr_db']['all']:.1f}"
    every = [f"{report['shares'][column]['class']:.0%}" for column in COLUMNS]
    by_kind.append(["all", *whole, *every])
    scales = [
        [f"{row['cfg_scale']:g}", f"{row['accuracy']:.1%}", f"{row['probability']:.3f}"]
        for row in report["guidance"]
    ]
    negatives = [
        [row[key] for key in ("prompt", "negative_prompt", "quantity", "without", "with")]
        + ["yes" if row["moved_away"] else "no"]
        for row in report["negative_prompts"]
    ]
    moved = sum(row["moved_away"] for row in report["negative_prompts"])
    parts = [
        *("# What was measured", intro),
        "## Does it follow the prompt?",
        _table(["What is right", "goal", "count", *COLUMNS], facts),
        "## How far are the sounds from others that the synthesiser renders?",
        "The Fréchet distance in the classifier's embedding.",
        _table(COLUMNS, distances),
        "## What is lost of each kind?",
        "The autoencoder's spectral distance and signal-to-noise ratio, and the share of each kind "
        "that the classifier recognises.",
        _table(["kind", "spectral distance", "SNR in dB", *COLUMNS], by_kind),
        "## Does guidance help?",
        _table(["cfg_scale", "class accuracy", "probability of what was asked"], scales),
        "## Do negative prompts lead away?",
        f"{moved} of {len(negatives)} do.",
        _table(["prompt", "negative prompt", "of", "without", "with", "moved away"], negatives),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
