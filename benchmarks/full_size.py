"""Generates 47 seconds with a model of Stable Audio Open 1.0's exact shapes and random weights.

    python benchmarks/full_size.py make FOLDER       writes 5.3 GB of weights
    python benchmarks/full_size.py run FOLDER        runs the command and says where time goes

The run writes one stereo mp3 in two steps and prints wall time and peak memory, in all and by
stage. Nothing of it needs a network.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from audiogen_core.strict_json import read_json
from audiogen_core.testing.tiny_model import random_weights, write_tiny_text_encoder

CONFIG = Path(__file__).parent / "stable_audio_open_1_0.json"
STEPS = 2


def make(folder: Path) -> None:
    """Writes the model and a text encoder of t5-base's size."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    config = read_json(CONFIG, "model config")
    config["model"]["conditioning"]["configs"][0]["config"]["t5_model_name"] = "t5"
    # The shapes of t5-base's encoder: 110 million parameters.
    write_tiny_text_encoder(
        folder / "t5", dim=768, d_kv=64, d_ff=3072, layers=12, heads=12, vocabulary=32128
    )
    (folder / "model_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    save_file(random_weights(config, folder), folder / "model.safetensors")


def generation_config(folder: Path) -> Path:
    """Writes the config of the run."""
    config = {
        "generation": {"steps": STEPS, "cfg_scale": 7.0, "seed": 1},
        "conditioning_defaults": {"seconds_start": 0, "seconds_total": 47},
        "input": {"type": "config", "samples": [{"prompt": "a relaxing jazz piece with piano"}]},
        "output": {"output_dir": str(folder / "out"), "file_format": "mp3 v0"},
    }
    path = folder / "generation.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def run(folder: Path, extra: list[str]) -> dict[str, Any]:
    """Runs the command once; the time at which each of its lines came tells the stages apart."""
    command = [
        sys.executable, "-m", "audiogen_cli", "generate",
        "--model-config", str(folder / "model_config.json"),
        "--ckpt-path", str(folder / "model.safetensors"),
        "--generation-config", str(generation_config(folder)),
        *extra,
    ]  # fmt: skip
    start = time.perf_counter()
    stages: list[tuple[str, float]] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    ) as process:
        for line in process.stdout or ():
            stages.append((line.strip(), time.perf_counter() - start))
            print(f"{stages[-1][1]:8.1f} s  {stages[-1][0]}", flush=True)
    wall = time.perf_counter() - start
    if process.returncode != 0:
        sys.exit(process.returncode)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    return {
        "machine": platform.processor() or platform.machine(),
        "wall_seconds": round(wall, 1),
        "peak_gib": round(peak, 2),
        "stages": [{"at": round(at, 1), "line": line} for line, at in stages],
    }


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["make", "run"])
    parser.add_argument("folder", type=Path)
    arguments, extra = parser.parse_known_args()
    if arguments.action == "make":
        make(arguments.folder)
    else:
        print(json.dumps(run(arguments.folder, extra), indent=2))


if __name__ == "__main__":
    main()
