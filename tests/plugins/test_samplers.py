"""The built-in samplers."""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

import audiogen_plugins.samplers
from audiogen_core.diffusion.noise import NoiseSource
from audiogen_core.diffusion.shift import DistributionShift
from audiogen_core.interfaces.sampler import (
    FlowSampler,
    Sampler,
    ScheduleRequest,
    SigmaSampler,
    VSampler,
)
from audiogen_core.testing.samplers import (
    REQUEST,
    GaussianDenoiser,
    GaussianFlow,
    GaussianV,
    check_sampler,
    gaussian_model,
    measured_order,
    run_sampler,
)
from audiogen_plugins.samplers.k_lms import adams_bashforth

SIGMA = {
    "k-heun",
    "k-lms",
    "k-dpmpp-2s-ancestral",
    "k-dpm-2",
    "k-dpm-fast",
    "k-dpm-adaptive",
    "dpmpp-2m",
    "dpmpp-2m-sde",
    "dpmpp-3m-sde",
}
V = {"v-ddim", "v-ddim-cfgpp"}
FLOW = {"euler", "rk4", "dpmpp", "pingpong"}
STOCHASTIC = ("k-dpmpp-2s-ancestral", "dpmpp-2m-sde", "dpmpp-3m-sde")


def registered() -> dict[str, str]:
    """What the hook registers: names and references."""
    found: dict[str, str] = {}

    def register(name: str, plugin: type[Sampler] | str) -> None:
        assert isinstance(plugin, str), "built-in samplers are registered lazily"
        assert name not in found
        found[name] = plugin

    audiogen_plugins.samplers.audiogen_samplers(register)
    return found


def sampler_class(name: str) -> type[Sampler]:
    """The class that is registered under a name."""
    module, _, attribute = registered()[name].partition(":")
    found = getattr(importlib.import_module(module), attribute)
    assert issubclass(found, Sampler)
    return found


def build(name: str, **options: Any) -> Sampler:
    """A sampler with options."""
    found = sampler_class(name)
    return found(found.Options(**options))


class Recorded:
    """A model that notes what it is asked."""

    def __init__(self, model: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.model = model
        self.levels: list[Tensor] = []

    def __call__(self, x: Tensor, level: Tensor) -> Tensor:
        """The model's answer."""
        self.levels.append(level.clone())
        return self.model(x, level)


@pytest.mark.parametrize("name", registered())
def test_contract(name: str) -> None:
    """Every built-in sampler passes the checks that third parties run, order included."""
    check_sampler(sampler_class(name))


@pytest.mark.parametrize("name", registered())
def test_name(name: str) -> None:
    """A sampler is registered under its own name, and for the documented objective."""
    found = sampler_class(name)
    assert name == found.NAME
    kind = SigmaSampler if name in SIGMA else VSampler if name in V else FlowSampler
    assert issubclass(found, kind)


def test_all_documented_samplers_are_there() -> None:
    """The hook registers the fifteen documented samplers and no others."""
    assert set(registered()) == SIGMA | V | FLOW


def test_importing_samplers_does_not_import_torch() -> None:
    """The modules are listed and described without the seconds that torch takes to import."""
    folder = Path(audiogen_plugins.samplers.__path__[0])
    modules = [f"audiogen_plugins.samplers.{path.stem}" for path in folder.glob("*.py")]
    assert len(modules) > 15
    code = f"import sys, {', '.join(modules)}\nprint({{'torch', 'numpy'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6, 7, 20])
def test_fast_uses_exactly_as_many_evaluations_as_steps(steps: int) -> None:
    """k-dpm-fast evaluates the model once a step, at the levels of its schedule."""
    model = Recorded(GaussianDenoiser())
    run = run_sampler(build("k-dpm-fast"), replace(REQUEST, steps=steps), model=model)
    assert torch.equal(torch.stack(model.levels), run.levels[:-1])
    assert run.levels[0] == REQUEST.polyexponential()[0]
    assert float(run.levels[-1]) == pytest.approx(REQUEST.sigma_min, rel=1e-6)


def test_adaptive_error_falls_with_the_tolerance() -> None:
    """k-dpm-adaptive is the closer to the exact solution, the less error it is allowed."""
    errors, steps = [], []
    for tolerance in (0.1, 0.01, 0.001):
        sampler = build("k-dpm-adaptive", rtol=tolerance, atol=tolerance)
        run = run_sampler(sampler, dtype=torch.float64)
        exact = gaussian_model(sampler).solution(run.start, run.levels[0], run.levels[-1])
        errors.append(float((run.output - exact).norm() / exact.norm()))
        steps.append(len(run.calls))
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert steps[0] < steps[1] < steps[2]
    assert errors[2] < 0.005


def test_adaptive_steps_are_each_samples_own() -> None:
    """k-dpm-adaptive asks the model for other levels for other samples, and stops at each end."""
    model = Recorded(GaussianDenoiser())
    run = run_sampler(build("k-dpm-adaptive"), model=model, seeds=(0, 1), scales=(0.01, 10.0))
    alone = [
        run_sampler(build("k-dpm-adaptive"), seeds=(seed,), scales=(scale,))
        for seed, scale in ((0, 0.01), (1, 10.0))
    ]
    assert all(level.shape == (2,) for level in model.levels)
    assert any(level[0] != level[1] for level in model.levels)
    assert len(alone[0].calls) < len(alone[1].calls)
    assert len(run.calls) == len(alone[1].calls)
    assert {total for _, total in run.calls} == {None}


def test_adaptive_ignores_steps() -> None:
    """k-dpm-adaptive gives the same sample for every number of steps."""
    outputs = [
        run_sampler(build("k-dpm-adaptive"), replace(REQUEST, steps=steps)).output
        for steps in (1, 50)
    ]
    assert torch.equal(*outputs)


def test_adaptive_ends_when_the_model_returns_nan() -> None:
    """k-dpm-adaptive does not try smaller and smaller steps for ever where nothing helps."""
    output = run_sampler(build("k-dpm-adaptive"), model=lambda x, _: x * math.nan).output
    assert output.isnan().all()


@pytest.mark.parametrize("name", STOCHASTIC)
def test_eta_0_needs_no_noise(name: str) -> None:
    """Without eta, the stochastic samplers draw nothing and follow the ODE."""
    sampler = build(name, eta=0.0)
    run = run_sampler(sampler, replace(REQUEST, steps=200), noiseless=True)
    exact = gaussian_model(sampler).solution(run.start, run.levels[0], run.levels[-1])
    assert torch.allclose(run.output, exact, rtol=0.01)


def test_2m_sde_without_noise_is_2m() -> None:
    """dpmpp-2m-sde with eta 0 and the midpoint solver is dpmpp-2m."""
    sde = run_sampler(build("dpmpp-2m-sde", eta=0.0)).output
    assert torch.allclose(sde, run_sampler(build("dpmpp-2m")).output, rtol=1e-4)


def test_2m_sde_solvers_differ_and_are_both_of_second_order() -> None:
    """dpmpp-2m-sde's heun solver is another method of the same order."""
    heun = build("dpmpp-2m-sde", solver_type="heun")
    assert not torch.allclose(run_sampler(heun).output, run_sampler(build("dpmpp-2m-sde")).output)
    assert measured_order(heun) == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_lms_order(order: int) -> None:
    """k-lms converges at the order that its option asks for."""
    assert measured_order(build("k-lms", order=order)) == pytest.approx(order, abs=0.4)


@pytest.mark.parametrize(
    ("past", "weights"),
    [
        ([3.0], [1]),
        ([3.0, 2.0], [3 / 2, -1 / 2]),
        ([3.0, 2.0, 1.0], [23 / 12, -16 / 12, 5 / 12]),
        ([3.0, 2.0, 1.0, 0.0], [55 / 24, -59 / 24, 37 / 24, -9 / 24]),
    ],
)
def test_adams_bashforth_weights(past: list[float], weights: list[float]) -> None:
    """For even spacing the weights of k-lms are those of the textbook."""
    assert adams_bashforth(past, 4.0) == pytest.approx(weights)


@pytest.mark.parametrize("name", ["k-heun", "k-dpm-2"])
def test_churn_draws_in_every_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Churn draws noise in every step, used or not, so that its interval moves no other noise."""
    draws = []
    normal = NoiseSource.normal
    monkeypatch.setattr(NoiseSource, "normal", lambda self: draws.append(1) or normal(self))
    outside = run_sampler(build(name, s_churn=4.0, s_tmin=1000.0)).output
    initial = 1
    assert len(draws) == REQUEST.steps + initial
    plain = run_sampler(build(name), noiseless=True).output
    assert torch.equal(outside, plain)
    assert not torch.equal(run_sampler(build(name, s_churn=4.0)).output, plain)
    assert torch.equal(run_sampler(build(name, s_churn=4.0, s_tmax=0.001)).output, plain)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("k-dpmpp-2s-ancestral", {}),
        ("k-dpmpp-2s-ancestral", {"eta": 0.5}),
        ("dpmpp-2m-sde", {}),
        ("dpmpp-2m-sde", {"eta": 0.5, "solver_type": "heun"}),
        ("dpmpp-3m-sde", {}),
        ("k-heun", {"s_churn": 20.0}),
        ("k-dpm-2", {"s_churn": 20.0, "s_tmin": 0.1, "s_tmax": 10.0}),
        ("v-ddim", {"eta": 1.0}),
        ("v-ddim-cfgpp", {"eta": 0.5}),
    ],
)
def test_noise_keeps_the_distribution(name: str, options: dict[str, Any]) -> None:
    """Samplers that add noise draw Gaussian data with the right standard deviation."""
    sampler = build(name, **options)
    request = replace(REQUEST, steps=200 if name in V else 60, latents=5_000)
    output = run_sampler(sampler, request, model=gaussian_model(sampler, 0.7)).output
    assert float(output.std()) == pytest.approx(0.7, rel=0.03)
    assert float(output.mean()) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("name", STOCHASTIC)
def test_s_noise_scales_the_noise(name: str) -> None:
    """s_noise makes the samples of the stochastic samplers more or less varied."""
    spread = [
        float(run_sampler(build(name, s_noise=s), replace(REQUEST, steps=20)).output.std())
        for s in (0.9, 1.0, 1.1)
    ]
    assert spread == sorted(spread)


@pytest.mark.parametrize("name", ["dpmpp-2m-sde", "dpmpp-3m-sde"])
def test_brownian_path_outlives_a_change_of_steps(name: str) -> None:
    """The SDE samplers give nearly the same sample for one seed and other numbers of steps."""
    coarse, fine, other = (
        run_sampler(build(name), replace(REQUEST, steps=steps), seeds=(seed,)).output
        for steps, seed in ((50, 0), (83, 0), (83, 1))
    )
    assert (coarse - fine).norm() < 0.2 * fine.norm()
    assert (other - fine).norm() > 0.8 * fine.norm()


def test_ddim_ends_with_the_predicted_clean_latents() -> None:
    """One step of v-ddim is the model's prediction of the clean latents at the first time."""
    run = run_sampler(build("v-ddim"), replace(REQUEST, steps=1, sigma_max=0.6))
    angle = torch.tensor(0.6 * math.pi / 2)
    velocity = GaussianV()(run.start, torch.tensor(0.6))
    assert torch.allclose(run.output, run.start * angle.cos() - velocity * angle.sin(), rtol=1e-5)


def test_cfgpp_puts_back_the_unconditional_noise() -> None:
    """v-ddim-cfgpp predicts the noise without the prompt, and the clean latents with it."""

    class Guided(GaussianV):
        def with_unconditional(self, x: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
            return x * 0.5, x * -0.25

    request = replace(REQUEST, steps=2, sigma_max=0.8)
    run = run_sampler(build("v-ddim-cfgpp"), request, model=Guided())
    (cos, sin), (cos_next, sin_next) = (
        (math.cos(t * math.pi / 2), math.sin(t * math.pi / 2)) for t in (0.8, 0.4)
    )
    clean = run.start * cos - run.start * 0.5 * sin
    eps = run.start * sin + run.start * -0.25 * cos
    x = clean * cos_next + eps * sin_next
    assert torch.allclose(run.output, x * cos_next - x * 0.5 * sin_next, rtol=1e-4, atol=1e-6)


def test_rk4_steps_evenly_in_shifted_time() -> None:
    """rk4 alone spaces its times evenly and applies the model's shift."""
    shift = DistributionShift()
    times = build("rk4").schedule(replace(REQUEST, shift=shift))
    even = torch.linspace(1, 0, REQUEST.steps + 1)
    assert torch.equal(build("rk4").schedule(REQUEST), even)
    assert torch.equal(times, shift(even, REQUEST.latents))
    assert torch.equal(
        build("euler").schedule(replace(REQUEST, shift=shift)), build("euler").schedule(REQUEST)
    )


def test_pingpong_is_exact_for_a_consistency_model() -> None:
    """With a model that solves the ODE in one jump, ping-pong keeps the data's distribution."""

    class Jump(GaussianFlow):
        def __call__(self, x: Tensor, t: Tensor) -> Tensor:
            return (x - self.solution(x, t, torch.tensor(0.0))) / t

    request = replace(REQUEST, latents=20_000)
    output = run_sampler(build("pingpong"), request, model=Jump()).output
    assert float(output.std()) == pytest.approx(Jump().std, rel=0.02)


@pytest.mark.parametrize("name", ["euler", "dpmpp", "pingpong"])
def test_one_flow_step_is_the_prediction(name: str) -> None:
    """One step of a flow sampler from pure noise returns the predicted clean latents."""
    run = run_sampler(build(name), replace(REQUEST, steps=1))
    expected = run.start - GaussianFlow()(run.start, torch.tensor(1.0))
    assert torch.allclose(run.output, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("k-lms", {"order": 5}),
        ("k-lms", {"order": 2.0}),
        ("v-ddim", {"eta": 1.5}),
        ("dpmpp-2m-sde", {"eta": -0.1}),
        ("dpmpp-2m-sde", {"solver_type": "euler"}),
        ("k-dpm-adaptive", {"rtol": 0.0}),
        ("k-heun", {"s_tmax": math.inf}),
        ("dpmpp-2m", {"eta": 1.0}),
    ],
)
def test_meaningless_options_are_refused(name: str, options: dict[str, Any]) -> None:
    """An option outside its range, or that a sampler does not have, is an error."""
    with pytest.raises(ValidationError):
        sampler_class(name).Options(**options)


class Euler(SigmaSampler):
    """A correct sampler, for the checks to pass and for others to spoil."""

    NAME = "euler-for-tests"

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """The sigmas."""
        return request.polyexponential()

    def sample(
        self,
        model: Any,
        x: Tensor,
        sigmas: Tensor,
        noise: Any,  # noqa: ARG002
        on_step: Any,
    ) -> Tensor:
        """Euler's method."""
        for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
            x = x + (x - model(x, sigma)) / sigma * (sigma_next - sigma)
            on_step(index + 1, len(sigmas) - 1)
        return x


class Boastful(Euler):
    """Claims an order that it does not have."""

    ORDER: ClassVar[float | None] = 2


class InPlace(Euler):
    """Works in the memory that it was given."""

    def sample(self, model: Any, x: Tensor, sigmas: Tensor, noise: Any, on_step: Any) -> Tensor:
        """Overwrites x."""
        return x.copy_(super().sample(model, x, sigmas, noise, on_step))


class Mixing(Euler):
    """Lets samples of a batch influence each other."""

    def sample(self, model: Any, x: Tensor, sigmas: Tensor, noise: Any, on_step: Any) -> Tensor:
        """Divides by the whole batch's deviation."""
        return super().sample(model, x / x.std() * sigmas[0], sigmas, noise, on_step)


class Global(Euler):
    """Draws noise of its own."""

    def sample(self, model: Any, x: Tensor, sigmas: Tensor, noise: Any, on_step: Any) -> Tensor:
        """Ignores the seed."""
        return super().sample(model, x + torch.randn_like(x), sigmas, noise, on_step)


class Silent(Euler):
    """Reports nothing."""

    def sample(
        self,
        model: Any,
        x: Tensor,
        sigmas: Tensor,
        noise: Any,
        on_step: Any,  # noqa: ARG002
    ) -> Tensor:
        """Drops the progress."""
        return super().sample(model, x, sigmas, noise, lambda *_: None)


class Rising(Euler):
    """Steps upwards."""

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """The sigmas, the wrong way round."""
        return request.polyexponential().flip(0)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Boastful, r"converges at order 1\.\d+, not at its ORDER 2"),
        (InPlace, "changes x in place"),
        (Mixing, "sample 0 of a batch differs"),
        (Global, "global generator"),
        (Silent, "never called"),
        (Rising, "must fall"),
    ],
)
def test_checks_find_what_is_broken(broken: type[Sampler], message: str) -> None:
    """The contract checks pass a correct sampler and name the fault of a broken one."""
    check_sampler(Euler)
    with pytest.raises(AssertionError, match=message):
        check_sampler(broken)


@pytest.mark.parametrize("steps", [40, 100, 200])
@pytest.mark.parametrize("rho", [3.0, 7.0])
@pytest.mark.parametrize("name", ["dpmpp-2m", "dpmpp-2m-sde", "dpmpp-3m-sde", "k-lms"])
def test_a_high_rho_makes_no_nan(name: str, rho: float, steps: int) -> None:
    """Levels that float32 cannot tell apart are one level to the samplers that look back."""
    sampler = build(name)
    request = ScheduleRequest(steps, 0.01, 100.0, rho, 16)
    levels = sampler.schedule(request)
    assert (levels.diff() < 0).all()
    assert levels[-1] == 0
    noise = NoiseSource([1], (2, 16))
    start = noise.normal() * levels[0]
    result = sampler.sample(
        lambda x, sigma: x / (1 + sigma**2), start, levels, noise, lambda *_: None
    )
    assert 0.5 < result.std() < 2  # as the data, to which the network leads


@pytest.mark.parametrize("name", ["v-ddim", "v-ddim-cfgpp"])
@pytest.mark.parametrize(("start", "steps"), [(0.01, 100), (0.1, 1000), (1.0, 10_000)])
def test_fresh_noise_in_small_steps_is_a_number(name: str, start: float, steps: int) -> None:
    """Times that are nearly equal leave a root of something, and not of less than nothing."""
    times = torch.linspace(start, 0, steps + 1)[-4:]
    noise = NoiseSource([1], (2, 8), torch.device("cpu"))
    sampler = build(name, eta=1.0)
    output = sampler.sample(GaussianV(), noise.start * 0.01, times, noise, lambda *_: None)
    assert output.isfinite().all()
