"""How near each sampler comes to its limit, by how often it asks the network.

    python benchmarks/samplers.py FOLDER

measures with the default model and writes ``samplers.json``, ``samplers.svg`` and ``steps.webp``. A
few minutes on one core. It needs matplotlib.

The default model is a rectified flow. `AsVObjective` shows it to the samplers of the objective
``v``: that is the same model in other coordinates, so that all samplers can be compared on one.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from audiogen_core.config import parse_config
from audiogen_core.default_model import DefaultSource
from audiogen_core.diffusion.guidance import Guidance, GuidedModel
from audiogen_core.diffusion.noise import NoiseSource
from audiogen_core.diffusion.sampling import draw
from audiogen_core.interfaces.observer import Observer
from audiogen_core.interfaces.sampler import FlowSampler, Sampler, ScheduleRequest, VelocityModel
from audiogen_core.plugin_manager import PluginManager, installed_plugins
from audiogen_core.prepare import Prepared, Request, prepare

PROMPTS = ("a bright bell at C5", "rising sweep")
SECONDS = 2
SEED = 1
CFG_SCALE = 3.0
BUDGETS = (4, 8, 16, 32, 64, 128)
"""Evaluations of the network that a sampler may ask for."""

TOLERANCES = (0.3, 0.1, 0.03, 0.01, 0.003)
"""What stands in their place where a sampler chooses its steps itself."""

REFERENCE_STEPS = 200
COSTS = {"k-heun": 2, "k-dpm-2": 2, "k-dpmpp-2s-ancestral": 2, "rk4": 4}
"""Evaluations of a step, where it is not one."""

RANDOM = ("k-dpmpp-2s-ancestral", "dpmpp-2m-sde", "dpmpp-3m-sde", "pingpong")
"""Those that add noise on the way: each has a limit of its own, where it has one."""

OTHER_PATH = ("v-ddim-cfgpp",)
"""Those that add none, and still follow another path than the guided model's."""

FLOW_REFERENCE, SIGMA_REFERENCE = "rk4", "k-heun"


class Counted:
    """A velocity model that counts its evaluations."""

    def __init__(self, model: VelocityModel) -> None:
        self._model = model
        self.count = 0

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The velocity."""
        self.count += 1
        return self._model(x, t)

    def with_unconditional(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The guided velocity and the other."""
        self.count += 1
        return self._model.with_unconditional(x, t)


class AsVObjective:
    """A rectified flow as a model of the v-objective.

    At the angle a = pi t/2 the noise level sin a / cos a is that of the flow at the time
    s = sin a / (sin a + cos a), and the flow's latents are those of the objective divided by
    sin a + cos a. Both predict clean latents and noise, only as different sums of the two.
    """

    def __init__(self, flow: VelocityModel) -> None:
        self._flow = flow

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The guided v: cos a noise - sin a clean."""
        return self.with_unconditional(x, t)[0]

    def with_unconditional(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The guided v and the one without the prompt."""
        angle = t.view(-1, 1, 1) * math.pi / 2
        sin, cos = angle.sin(), angle.cos()
        s = sin / (sin + cos)
        flow = x / (sin + cos)
        guided, plain = self._flow.with_unconditional(flow, s.view(t.shape))

        def v(velocity: Tensor) -> Tensor:
            return cos * (flow + (1 - s) * velocity) - sin * (flow - s * velocity)

        return v(guided), v(plain)


@dataclass(frozen=True)
class Point:
    """What a sampler came to.

    Attributes:
        evaluations: How often it asked the network.
        distance: The norm of the difference to its reference, relative to the reference's.
    """

    evaluations: int
    distance: float


class Bench:
    """The default model with one batch of prompts, to be sampled again and again."""

    def __init__(self, plugins: PluginManager, prompts: Sequence[str], seconds: float) -> None:
        self._plugins = plugins
        config = {
            "generation": {"seed": SEED, "cfg_scale": CFG_SCALE, "sample_size": "auto"},
            "conditioning_defaults": {"seconds_start": 0, "seconds_total": seconds},
            "input": {"type": "config", "samples": [{"prompt": one} for one in prompts]},
        }
        request = Request(parse_config(config, plugins), DefaultSource(), torch.device("cpu"))
        self.prepared: Prepared = prepare(request, plugins, Quiet())
        self.prepared.load(Quiet())

    def draw(self, name: str, steps: int, **options: Any) -> tuple[Tensor, int]:
        """Latents ``[batch, channels, latents]`` of a sampler, and what they cost."""
        model, jobs = self.prepared.model, self.prepared.plan.jobs
        plugin: type[Sampler] = self._plugins.samplers.load(name)
        sampler = plugin(plugin.Options.model_validate(options))
        generators = [torch.Generator().manual_seed(job.seed) for job in jobs]
        inputs = model.condition([job.values for job in jobs], [None] * len(jobs), generators)
        guided = GuidedModel(
            model.backbone,
            inputs.positive,
            inputs.negative,
            Guidance(CFG_SCALE),
            model.config.objective,
        )
        counted = Counted(guided)
        velocity = counted if isinstance(sampler, FlowSampler) else AsVObjective(counted)
        latents = jobs[0].settings.latents
        noise = NoiseSource(
            [job.seed for job in jobs], (model.config.file.model.io_channels, latents)
        )
        levels = ScheduleRequest(steps, 0.01, 100.0, 1.0, latents)
        return draw(sampler, velocity, levels, noise, _no_step), counted.count


class Quiet(Observer):
    """Hears nothing."""

    NAME = "quiet"


def _no_step(done: int, total: int | None) -> None:
    del done, total


def measure(bench: Bench, plugins: PluginManager) -> dict[str, list[Point]]:
    """The points of every built-in sampler."""
    references: dict[str, Tensor] = {}

    def limit(name: str) -> Tensor:
        if name not in references:
            started = time.monotonic()
            references[name], cost = bench.draw(name, REFERENCE_STEPS)
            print(f"reference {name}: {cost} in {time.monotonic() - started:.0f} s", flush=True)
        return references[name]

    found: dict[str, list[Point]] = {}
    for name in plugins.samplers.names():
        if plugins.samplers.origin(name).distribution != "audiogen":
            continue
        own = name in (*RANDOM, *OTHER_PATH)
        sigma = name.startswith(("k-", "dpmpp-"))
        reference = limit(name if own else SIGMA_REFERENCE if sigma else FLOW_REFERENCE)
        found[name] = [
            Point(cost, ((latents - reference).norm() / reference.norm()).item())
            for latents, cost in _runs(bench, name)
        ]
        print(name, *(f"{p.evaluations}: {p.distance:.4f}" for p in found[name]), flush=True)
    return found


def _runs(bench: Bench, name: str) -> Iterator[tuple[Tensor, int]]:
    if name == "k-dpm-adaptive":
        for tolerance in TOLERANCES:
            yield bench.draw(name, 1, rtol=tolerance, atol=tolerance)
        return
    for budget in BUDGETS:
        # The last step of those of sigma costs one evaluation, for it ends at 0.
        steps = max(1, -(-budget // COSTS.get(name, 1)))
        yield bench.draw(name, steps)


def plot(points: Mapping[str, list[Point]], path: Path) -> None:
    """Two panels: those that have one limit in common, and those that have their own."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Text stays text, which is small, and two runs make the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "samplers"})
    figure = Figure(figsize=(9.5, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    own = (*RANDOM, *OTHER_PATH)
    titles = ("no noise is added: distance to the exact path",
              "other limits: distance to the own result of 200 steps")  # fmt: skip
    markers = "osD^v<>pP*Xhd"
    for panel, title, names in zip(
        panels, titles, ([n for n in points if n not in own], own), strict=True
    ):
        for index, name in enumerate(names):
            line = [point for point in points[name] if point.distance > 0]
            panel.plot(
                [point.evaluations for point in line],
                [point.distance for point in line],
                marker=markers[index],
                markersize=4,
                linewidth=1.2,
                label=name,
            )
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.set_ylim(2e-3, 3)
        panel.set_xticks(BUDGETS, [str(one) for one in BUDGETS])
        panel.set_xlabel("evaluations of the network")
        panel.set_title(title, fontsize=9)
        panel.grid(visible=True, linewidth=0.3)
        panel.legend(fontsize=7, loc="lower left")
    panels[0].set_ylabel("relative distance of the latents")
    FigureCanvasSVG(figure)
    figure.savefig(path, metadata={"Date": None})


PICTURED = (2, 4, 8, 25, 100)
"""Steps of euler whose spectrograms are shown."""

PICTURED_PROMPTS, PICTURED_SECONDS = ("long saw major chord", "rising sweep"), 3


def picture(plugins: PluginManager, path: Path) -> None:
    """Spectrograms of the prompts by the number of steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bench = Bench(plugins, PICTURED_PROMPTS, PICTURED_SECONDS)
    figure = Figure(figsize=(9.5, 3.6), layout="constrained", dpi=90)
    panels = figure.subplots(len(PICTURED_PROMPTS), len(PICTURED), sharex=True, sharey=True)
    rate = bench.prepared.model.config.sample_rate
    for column, steps in enumerate(PICTURED):
        latents, _ = bench.draw("euler", steps)
        for row, prompt in enumerate(PICTURED_PROMPTS):
            audio = bench.prepared.model.decode(latents[row][None])[0].mean(dim=0)
            spectrum = torch.stft(
                audio / audio.abs().max(), 2048, 512, window=torch.hann_window(2048),
                return_complex=True,
            ).abs()  # fmt: skip
            decibels = (20 * (spectrum / spectrum.max()).clamp(min=1e-4).log10()).numpy()
            panel = panels[row][column]
            panel.imshow(
                decibels, origin="lower", aspect="auto", vmin=-80, cmap="magma",
                extent=(0, PICTURED_SECONDS, 0, rate / 2000),
            )  # fmt: skip
            panel.set_ylim(0, 12)
            if row == 0:
                panel.set_title(f"{steps} steps", fontsize=9)
            if column == 0:
                panel.set_ylabel(f"{prompt}\nkHz", fontsize=8)
            if row == len(PICTURED_PROMPTS) - 1:
                panel.set_xlabel("seconds", fontsize=8)
            panel.tick_params(labelsize=7)
    FigureCanvasAgg(figure)
    figure.savefig(path)


def main() -> None:
    """Measures, and writes the figures and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    plugins = installed_plugins()
    picture(plugins, folder / "steps.webp")
    points = measure(Bench(plugins, PROMPTS, SECONDS), plugins)
    figures = {name: [asdict(one) for one in line] for name, line in points.items()}
    (folder / "samplers.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    plot(points, folder / "samplers.svg")


if __name__ == "__main__":
    main()
