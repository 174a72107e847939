"""Contract checks for samplers, and models whose samples are known exactly.

A sampler's author runs all the checks in one test::

    def test_contract():
        check_sampler(MySampler)

The models are those of Gaussian data. A Gaussian stays one at every noise level, so that the
probability-flow ODE only scales it: between two levels the latents grow or shrink as the
standard deviation of the noisy data does (`GaussianModel.solution`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from audiogen_core.diffusion.noise import BrownianNoise, NoiseSource
from audiogen_core.interfaces.sampler import (
    FlowSampler,
    Sampler,
    ScheduleRequest,
    SigmaSampler,
    VSampler,
)
from audiogen_core.options import PluginOptions, validate

REQUEST = ScheduleRequest(steps=8, sigma_min=0.03, sigma_max=80.0, rho=1.0, latents=16)
CHANNELS = 2
STEPS = (1, 2, 3, 8)
"""Numbers of steps that every sampler has to manage."""

CONVERGENCE_STEPS = (89, 128, 182, 260)
ORDER_TOLERANCE = 0.4
"""How far the measured order may lie from the stated one."""


class GaussianModel(ABC):
    """A model that is exact for Gaussian data of mean 0.

    Args:
        std: The standard deviation of the clean latents.
    """

    def __init__(self, std: float = 0.5) -> None:
        self.std = std

    @abstractmethod
    def noisy_std(self, level: Tensor) -> Tensor:
        """The standard deviation of the latents at a noise level (sigma or t)."""

    @abstractmethod
    def __call__(self, x: Tensor, level: Tensor, /) -> Tensor:
        """What the model predicts for the latents ``x`` at a noise level."""

    def solution(self, x: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """Where the probability-flow ODE takes ``x`` from one level to another."""
        return x * (self.noisy_std(end) / self.noisy_std(start))


class GaussianVelocity(GaussianModel):
    """A Gaussian model that predicts a velocity, without guidance."""

    def with_unconditional(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The velocity twice: the guided one is the unconditional one."""
        return self(x, t), self(x, t)


class GaussianDenoiser(GaussianModel):
    """The denoiser of Gaussian data: latents are clean latents plus sigma times noise."""

    def noisy_std(self, level: Tensor) -> Tensor:
        """Of the latents at ``level``, a sigma."""
        return (self.std**2 + level**2).sqrt()

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The mean of the clean latents, given the noisy ones."""
        return x * (self.std / self.noisy_std(_over_latents(sigma))) ** 2


class GaussianV(GaussianVelocity):
    """The velocity of the v-objective: latents are cos(pi t/2) clean + sin(pi t/2) noise."""

    def noisy_std(self, level: Tensor) -> Tensor:
        """Of the latents at ``level``, a time."""
        angle = level * (math.pi / 2)
        return ((self.std * angle.cos()) ** 2 + angle.sin() ** 2).sqrt()

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The mean of cos(pi t/2) noise - sin(pi t/2) clean, given the noisy latents."""
        t = _over_latents(t)
        angle = t * (math.pi / 2)
        return x * (1 - self.std**2) * angle.cos() * angle.sin() / self.noisy_std(t) ** 2


class GaussianFlow(GaussianVelocity):
    """The velocity of a rectified flow: latents are (1 - t) clean + t noise."""

    def noisy_std(self, level: Tensor) -> Tensor:
        """Of the latents at ``level``, a time."""
        return ((self.std * (1 - level)) ** 2 + level**2).sqrt()

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The mean of noise - clean, given the noisy latents."""
        t = _over_latents(t)
        return x * (t - self.std**2 * (1 - t)) / self.noisy_std(t) ** 2


@dataclass(frozen=True)
class Run:
    """What a sampler was given, and what it did.

    Attributes:
        levels: Its noise levels, ``[levels]``.
        start: The latents that it began with, ``[batch, channels, latents]``.
        given: Copies of both, made before it began.
        output: The latents that it returned.
        calls: The arguments of its calls of ``on_step``.
    """

    levels: Tensor
    start: Tensor
    given: tuple[Tensor, Tensor]
    output: Tensor
    calls: list[tuple[int, int | None]]


def run_sampler(
    sampler: Sampler,
    request: ScheduleRequest = REQUEST,
    *,
    model: Any = None,
    seeds: Sequence[int] = (0,),
    scales: Sequence[float] | None = None,
    levels: Tensor | None = None,
    channels: int = CHANNELS,
    dtype: torch.dtype = torch.float32,
    noiseless: bool = False,
) -> Run:
    """Runs a sampler as the pipeline does.

    Args:
        sampler: What to run.
        request: What it makes its noise levels from.
        model: The model in the sampler's parametrisation; `gaussian_model` by default.
        seeds: One for each sample of the batch.
        scales: Factors for the initial noise of each sample, to make them unlike each other.
        levels: Noise levels to use instead of the sampler's own.
        channels: Of the latents.
        dtype: Of the latents and the levels.
        noiseless: Whether drawing noise while sampling is an error.

    Returns:
        What happened.
    """
    noise = NoiseSource(seeds, (channels, request.latents))
    x = noise.normal().to(dtype)
    if scales is not None:
        x = x * x.new_tensor(scales)[:, None, None]
    levels = (sampler.schedule(request) if levels is None else levels).to(dtype)
    source = _NoNoise(seeds, (channels, request.latents)) if noiseless else noise
    calls: list[tuple[int, int | None]] = []

    def on_step(done: int, total: int | None) -> None:
        calls.append((done, total))

    if isinstance(sampler, SigmaSampler):
        x = x * levels[0]
    given = x.clone(), levels.clone()
    with torch.no_grad():
        output = _sample_of(sampler)(
            gaussian_model(sampler) if model is None else model, x, levels, source, on_step
        )
    return Run(levels=levels, start=x, given=given, output=output, calls=calls)


def gaussian_model(sampler: Sampler, std: float = 0.5) -> GaussianModel:
    """The exact model in the parametrisation that a sampler asks for."""
    if isinstance(sampler, SigmaSampler):
        return GaussianDenoiser(std)
    return GaussianV(std) if isinstance(sampler, VSampler) else GaussianFlow(std)


def check_sampler(
    sampler_class: type[Sampler], options: PluginOptions | Mapping[str, Any] | None = None
) -> None:
    """Runs every check of this module.

    Args:
        sampler_class: The sampler.
        options: Its options, or the keys of ``generation`` that it adds; its defaults without them.

    Raises:
        AssertionError: The sampler breaks the contract; the message says how.
    """
    check_declaration(sampler_class)
    if not isinstance(options, PluginOptions):
        options = validate(sampler_class.Options, dict(options or {}))
    sampler = sampler_class(options)
    check_schedule(sampler)
    check_output(sampler)
    check_progress(sampler)
    check_inputs_kept(sampler)
    check_determinism(sampler)
    check_independence(sampler)
    if sampler.ORDER is not None:
        check_convergence(sampler)


def check_declaration(sampler_class: type[Sampler]) -> None:
    """The class says what it is called and samples, and every option has a help text."""
    name = sampler_class.__name__
    _require(
        issubclass(sampler_class, SigmaSampler | VSampler | FlowSampler),
        f"{name} must inherit from SigmaSampler, VSampler or FlowSampler",
    )
    declared = getattr(sampler_class, "NAME", None)
    _require(isinstance(declared, str) and declared != "", f"{name}.NAME must be a name")
    _require(bool(sampler_class.OBJECTIVES), f"{name}.OBJECTIVES must name an objective")
    for key, field in sampler_class.Options.model_fields.items():
        _require(bool(field.description), f"{name}.Options.{key} needs a description")
        _require(not field.is_required(), f"{name}.Options.{key} needs a default")


def check_schedule(sampler: Sampler) -> None:
    """The levels are float32 on the CPU, finite, none below 0, and fall."""
    for steps in STEPS:
        levels = sampler.schedule(replace(REQUEST, steps=steps))
        where = f"{sampler.NAME}: the schedule of {steps} steps"
        _require(levels.ndim == 1 and len(levels) > 1, f"{where} must be [levels], two at least")
        _require(levels.dtype == torch.float32, f"{where} must be float32, not {levels.dtype}")
        _require(levels.device.type == "cpu", f"{where} must be on the CPU, not {levels.device}")
        _require(bool(levels.isfinite().all()), f"{where} must be finite: {levels.tolist()}")
        _require(bool((levels >= 0).all()), f"{where} must not go below 0: {levels.tolist()}")
        _require(bool((levels.diff() < 0).all()), f"{where} must fall: {levels.tolist()}")


def check_output(sampler: Sampler) -> None:
    """The output has the shape and type of the input and is finite, for few steps too."""
    for steps in STEPS:
        run = run_sampler(sampler, replace(REQUEST, steps=steps), seeds=(0, 1))
        where = f"{sampler.NAME}: the output after {steps} steps"
        shape, start = tuple(run.output.shape), tuple(run.start.shape)
        _require(shape == start, f"{where} has shape {shape}, not {start}")
        _require(
            run.output.dtype == run.start.dtype,
            f"{where} is {run.output.dtype}, not {run.start.dtype}",
        )
        _require(bool(run.output.isfinite().all()), f"{where} is not finite")


def check_progress(sampler: Sampler) -> None:
    """``on_step`` counts up, and ends at its total where there is one."""
    for steps in STEPS:
        calls = run_sampler(sampler, replace(REQUEST, steps=steps)).calls
        where = f"{sampler.NAME}: on_step in {steps} steps"
        _require(bool(calls), f"{where} was never called")
        counts = [done for done, _ in calls]
        _require(
            counts == sorted(set(counts)) and counts[0] > 0, f"{where} must count up: {counts}"
        )
        totals = {total for _, total in calls}
        _require(len(totals) == 1, f"{where} must keep its total, not {totals}")
        _require(totals <= {None, counts[-1]}, f"{where} ended at {counts[-1]} of {calls[-1][1]}")


def check_inputs_kept(sampler: Sampler) -> None:
    """Neither the latents nor the levels that the sampler is given are changed in place."""
    run = run_sampler(sampler)
    start, levels = run.given
    _require(torch.equal(run.start, start), f"{sampler.NAME} changes x in place")
    _require(torch.equal(run.levels, levels), f"{sampler.NAME} changes its levels in place")


def check_determinism(sampler: Sampler) -> None:
    """The same seed gives the same sample, to the last bit; global seeds do not matter."""
    state = torch.get_rng_state()
    first = run_sampler(sampler).output
    _require(
        torch.equal(state, torch.get_rng_state()),
        f"{sampler.NAME} draws from torch's global generator; noise comes from the NoiseSource",
    )
    again = run_sampler(sampler).output
    _require(torch.equal(first, again), f"{sampler.NAME} gives two samples for one seed")
    other = run_sampler(sampler, seeds=(1,)).output
    _require(not torch.equal(first, other), f"{sampler.NAME} gives one sample for two seeds")


def check_independence(sampler: Sampler) -> None:
    """A sample of a batch is the one that its seed gives alone, whatever its neighbours are."""
    seeds, scales = (3, 5, 8), (1.0, 0.2, 4.0)
    batch = run_sampler(sampler, seeds=seeds, scales=scales).output
    for index, (seed, scale) in enumerate(zip(seeds, scales, strict=True)):
        alone = run_sampler(sampler, seeds=(seed,), scales=(scale,)).output[0]
        _require(
            torch.allclose(batch[index], alone, rtol=1e-4, atol=1e-5),
            f"{sampler.NAME}: sample {index} of a batch differs from the same one alone "
            f"by up to {float((batch[index] - alone).abs().max()):.3g}",
        )


def check_convergence(sampler: Sampler) -> None:
    """The error against the exact solution falls with the steps as ``ORDER`` says."""
    order = sampler.ORDER
    _require(order is not None, f"{sampler.NAME} has no ORDER to check")
    measured = measured_order(sampler)
    _require(
        order is not None and abs(measured - order) < ORDER_TOLERANCE,
        f"{sampler.NAME} converges at order {measured:.2f}, not at its ORDER {order}",
    )


def measured_order(sampler: Sampler) -> float:
    """The slope of log error over log steps on Gaussian data, without added noise.

    An option ``eta`` is set to 0, after which drawing noise is an error. All is computed in
    float64, so that the error is that of the method. Flow samplers are given the times with the
    signal-to-noise ratios of the sigma samplers' schedule: the last step of their own keeps its
    length however many steps there are, and so does its error.
    """
    if "eta" in sampler.Options.model_fields:
        sampler = type(sampler)(sampler.Options(**{**sampler.options.model_dump(), "eta": 0.0}))
    model = gaussian_model(sampler)
    errors = []
    for steps in CONVERGENCE_STEPS:
        request = replace(REQUEST, steps=steps, sigma_min=1e-4)
        levels = None
        if isinstance(sampler, FlowSampler):
            sigmas = request.polyexponential().double()
            levels = sigmas / (1 + sigmas)
        run = run_sampler(
            sampler, request, levels=levels, model=model, dtype=torch.float64, noiseless=True
        )
        exact = model.solution(run.start, run.levels[0], run.levels[-1])
        errors.append(float((run.output - exact).norm() / exact.norm()))
    return -_slope([math.log(steps) for steps in CONVERGENCE_STEPS], [math.log(e) for e in errors])


class _NoNoise(NoiseSource):
    """For samplers that have no reason to draw any."""

    def normal(self) -> Tensor:
        raise AssertionError("noise was drawn where none is added")

    def brownian(self, sigma_min: Tensor, sigma_max: Tensor) -> BrownianNoise:  # noqa: ARG002
        raise AssertionError("noise was drawn where none is added")


def _sample_of(sampler: Sampler) -> Any:
    if isinstance(sampler, SigmaSampler | VSampler | FlowSampler):
        return sampler.sample
    raise AssertionError(f"{sampler.NAME} inherits from none of the three kinds of samplers")


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def _over_latents(level: Tensor) -> Tensor:
    """A level in a shape that multiplies latents: ``[]`` or ``[batch, 1, 1]``."""
    return level if level.ndim == 0 else level[:, None, None]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
