"""Measures this project beside the reference implementation and diffusers, in one run.

    python benchmarks/peers.py make FOLDER --model open     environments, weights: 12 GB, 10 minutes
    python benchmarks/peers.py run FOLDER --model open      measures, and writes FOLDER/open-1.json
    python benchmarks/peers.py plot FOLDER                  FOLDER/peers.svg of it, by matplotlib

All have the same random weights' shapes, steps and length, and take turns. Each is a process of its
own: `ready` is the time from its start to its first step, `step` and `decode` are for one prompt,
and `cpu` is what the whole command took of the processor, whatever else ran beside it. With several
prompts this project makes batches, and the peers one sample after the other. What is shown is the
median of each, and its ratio to the first peer's, with the least and the greatest of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WORKERS = HERE / "peer_workers"
CONFIGS = {
    "open": HERE / "stable_audio_open_1_0.json",
    "small": HERE / "stable_audio_open_small.json",
}
CALLS: dict[str, dict[str, Any]] = {
    "open": {"sampler": "dpmpp-3m-sde", "cfg_scale": 7.0, "seconds": 47, "steps": 8},
    "small": {"sampler": "pingpong", "cfg_scale": 1.0, "seconds": 11, "steps": 8},
}
TORCH = "torch==2.13.0"
REFERENCE = (
    TORCH, "numpy", "scipy<1.17", "tqdm", "einops", "safetensors", "transformers>=4.50,<5",
    "huggingface_hub", "torchsde", "einops-exts", "alias-free-torch", "sentencepiece", "pillow",
)  # fmt: skip
REFERENCE_ALONE = (
    "torchdiffeq", "torchaudio==2.11.0", "vector-quantize-pytorch==1.14.41",
    "descript-audio-codec==1.0.0", "local-attention==1.8.6", "stable-audio-tools==0.0.19",
    "k-diffusion==0.1.1", "PyWavelets",
)  # fmt: skip
"""Without their dependencies, which serve training."""
DIFFUSERS = (
    TORCH, "diffusers>=0.35", "transformers>=4.50,<5", "accelerate", "torchsde", "numpy", "scipy",
)  # fmt: skip
OURS: dict[str, tuple[str, ...]] = {
    "ours": (),
    "bfloat16": ("--dtype", "bfloat16"),
    "int8": ("--quantize", "int8"),
}
"""Our command with these options; by itself it computes in float32, as the peers do."""

PROMPTS = (
    "a relaxing jazz piece with piano",
    "heavy rain on a tin roof",
    "a dark deep loop with loud drums",
    "birds in the morning",
)


def make_environments(folder: Path) -> None:
    """Environments of their own for the peers, where they are not there yet."""
    reference, diffusers = folder / "env-reference", folder / "env-diffusers"
    if not (reference / ".ready").exists():
        _install(reference, REFERENCE)
        _install(reference, REFERENCE_ALONE, "--no-deps")
        packages = next((reference / "lib").glob("python3*")) / "site-packages"
        # Beside a torch without CUDA, its compiled part cannot load, and its Python part suffices.
        for library in (packages / "torchaudio" / "lib").glob("*.so"):
            library.unlink()
        # Of this package, the samplers are needed, and not what imports half of a training stack.
        inside = packages / "k_diffusion"
        (inside / "__init__.py").write_text("from . import external, sampling, utils\n")
        utilities = inside / "utils.py"
        lines = utilities.read_text(encoding="utf-8").splitlines(keepends=True)
        utilities.write_text("".join(one for one in lines if "torchvision" not in one), "utf-8")
        (reference / ".ready").touch()
    if not (diffusers / ".ready").exists():
        _install(diffusers, DIFFUSERS)
        (diffusers / ".ready").touch()


def _install(environment: Path, packages: Sequence[str], *options: str) -> None:
    if not environment.exists():
        venv.create(environment, with_pip=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *options, *packages], check=True)


def make_models(folder: Path, model: str) -> None:
    """Random weights in the model's exact shapes, and a text encoder of t5-base's size."""
    from safetensors.torch import save_file

    from audiogen_core.strict_json import read_json
    from audiogen_core.testing.tiny_model import random_weights, write_tiny_text_encoder

    place = folder / model
    if not (place / "model.safetensors").exists():
        place.mkdir(parents=True, exist_ok=True)
        config = read_json(CONFIGS[model], "model config")
        config["model"]["conditioning"]["configs"][0]["config"]["t5_model_name"] = "t5"
        write_tiny_text_encoder(
            place / "t5", dim=768, d_kv=64, d_ff=3072, layers=12, heads=12, vocabulary=32128
        )
        # The class by the name that older versions of transformers know, too.
        tokenizer = place / "t5" / "tokenizer_config.json"
        content = read_json(tokenizer, "tokenizer config")
        content["tokenizer_class"] = "PreTrainedTokenizerFast"
        tokenizer.write_text(json.dumps(content), encoding="utf-8")
        (place / "model_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
        save_file(random_weights(config, place), place / "model.safetensors")
    if model == "open" and not (place / "diffusers").exists():
        python = folder / "env-diffusers" / "bin" / "python"
        worker = WORKERS / "diffusers_pipeline.py"
        subprocess.run([str(python), str(worker), str(place), "make"], check=True)


def measure(folder: Path, model: str, side: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Runs one side once, in a process of its own."""
    python = folder / f"env-{side}" / "bin" / "python"
    worker = WORKERS / ("diffusers_pipeline.py" if side == "diffusers" else f"{side}.py")
    if side in OURS:
        python, worker = Path(sys.executable), WORKERS / "ours.py"
        wanted = {**wanted, "options": [*wanted["options"], *OURS[side]]}
    out = folder / "out" / side
    shutil.rmtree(out, ignore_errors=True)
    started = time.time()
    text = json.dumps({**wanted, "out": str(out), "started": started})
    command = [str(python), str(worker), str(folder / model), text]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != 0:
        sys.exit(f"{side} failed:\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}")
    told: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    prompts = len(wanted["prompts"])
    # The first step also warms up, as every run does; the later ones are the rule.
    calls = statistics.median(told["step"][1:] or told["step"]) * len(told["step"])
    if wanted["device"] != "cpu":
        calls = sum(told["sampling"])
    found = {
        "whole": time.time() - started,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "ready": told["ready"],
        "step": calls / (wanted["steps"] * prompts),
        "decode": sum(told["decode"]) / prompts,
        "peak_gib": told["peak_gib"],
    }
    return found | ({"gpu_gib": told["gpu_gib"]} if "gpu_gib" in told else {})


def run(
    folder: Path, model: str, sides: Sequence[str], wanted: dict[str, Any], rounds: int
) -> None:
    """Measures all sides in turns; writes what came of it, and prints the table."""
    results: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    loads = [os.getloadavg()[0]]
    for number in range(rounds):
        for side in sides if number % 2 == 0 else sides[::-1]:
            results[side].append(measure(folder, model, side, wanted))
            loads.append(os.getloadavg()[0])
            print(side, json.dumps(results[side][-1]), flush=True)
    machine = {"machine": platform.processor(), "loads": loads}
    report = {**machine, "model": model, **wanted, "results": results}
    path = folder / f"{model}-{len(wanted['prompts'])}.json"
    path.write_text(json.dumps(report, indent=2), encoding="utf-8")
    print(table(results))


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """The medians, and their ratios to the first peer's, as lines of Markdown."""
    peer = next((side for side in results if side not in OURS), None)
    lines = ["| | " + " | ".join(results) + " |", "| --- " * (1 + len(results)) + "|"]
    for key in results["ours"][0]:
        cells = [key]
        for side, rounds in results.items():
            cell = f"{_median(rounds, key):.2f}"
            if peer not in (None, side):
                pairs = zip(rounds, results[peer], strict=True)
                ratios = sorted(one[key] / other[key] for one, other in pairs)
                whole = _median(rounds, key) / _median(results[peer], key)
                spread = f", {ratios[0]:.2f}-{ratios[-1]:.2f}" if len(ratios) > 1 else ""
                cell += f" ({whole:.2f}{spread})"
            cells.append(cell)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _median(results: list[dict[str, Any]], key: str) -> float:
    return float(statistics.median(one[key] for one in results))


TITLES = {
    "whole": "the whole command, s",
    "ready": "start to first step, s",
    "step": "a step, s",
    "decode": "decoding, s",
    "peak_gib": "peak memory, GiB",
}
COLOURS = {
    "ours": "#0b6e8a",
    "bfloat16": "#4f9db3",
    "int8": "#93c4d1",
    "reference": "#b9b9b9",
    "diffusers": "#d9c9a3",
}


def plot(folder: Path) -> None:
    """Bars of everything that was measured: a row for each model and number of prompts."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    paths = sorted(
        (path for model in CONFIGS for path in folder.glob(f"{model}-*.json")),
        key=lambda path: (path.stem.partition("-")[0], int(path.stem.partition("-")[2])),
    )
    if not paths:
        sys.exit(f"{folder} holds no results: they are what 'run' writes")
    # Text stays text, which is small, and two runs make the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "peers", "font.size": 8})
    figure = Figure(figsize=(9.5, 0.5 + 1.1 * len(paths)), layout="constrained")
    rows = figure.subplots(len(paths), len(TITLES), squeeze=False)
    for panel, title in zip(rows[0], TITLES.values(), strict=True):
        panel.set_title(title, fontsize=8)
    for path, row in zip(paths, rows, strict=True):
        report = json.loads(path.read_text(encoding="utf-8"))
        sides = list(report["results"])[::-1]
        for panel, key in zip(row, TITLES, strict=True):
            values = [_median(report["results"][side], key) for side in sides]
            bars = panel.barh(sides, values, color=[COLOURS[side] for side in sides])
            panel.bar_label(bars, fmt="%.3g", padding=2)
            panel.set_xlim(0, 1.3 * max(values))
            panel.spines[["top", "right", "bottom"]].set_visible(False)
            panel.tick_params(left=False, bottom=False, labelbottom=False)
            panel.tick_params(labelleft=panel is row[0])
        prompts = len(report["prompts"])
        row[0].set_ylabel(f"{report['model']}, {prompts} prompt{'s' * (prompts > 1)}")
    FigureCanvasSVG(figure)
    figure.savefig(folder / "peers.svg", metadata={"Date": None})


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["make", "run", "plot"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", choices=CONFIGS, default="open")
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=["reference", "diffusers"],
        help="beside whom; nobody without a name, all by default",
    )
    parser.add_argument(
        "--types",
        nargs="*",
        choices=["bfloat16", "int8"],
        default=[],
        help="in which this project is measured, too",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompts", type=int, nargs="+", default=[1], help="one run for each")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--half", action="store_true", help="16-bit weights")
    parser.add_argument(
        "--options", type=shlex.split, default=[], help="more for our command: '--dtype bfloat16'"
    )
    arguments = parser.parse_args()
    folder, model = arguments.folder.resolve(), arguments.model
    if arguments.action == "make":
        make_environments(folder)
        make_models(folder, model)
        return
    if arguments.action == "plot":
        plot(folder)
        return
    wanted: dict[str, Any] = {**CALLS[model], "device": arguments.device, "half": arguments.half}
    if arguments.steps is not None:
        wanted["steps"] = arguments.steps
    wanted["options"] = ["--device", arguments.device, *arguments.options]
    wanted["options"] += ["--model-half"] if arguments.half else []
    every = ["reference", "diffusers"] if model == "open" else ["reference"]
    sides = ["ours", *arguments.types, *(every if arguments.peers is None else arguments.peers)]
    for prompts in arguments.prompts:
        wanted["prompts"] = [f"{PROMPTS[one % len(PROMPTS)]} {one}" for one in range(prompts)]
        run(folder, model, sides, wanted, arguments.rounds)


if __name__ == "__main__":
    main()
