"""DPM-Solver-23 with adaptive steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pydantic import Field

from audiogen_core.interfaces.sampler import ScheduleRequest, SigmaSampler
from audiogen_core.options import PluginOptions
from audiogen_plugins.samplers._dpm_solver import third_order_pair

if TYPE_CHECKING:
    from torch import Tensor

    from audiogen_core.diffusion.noise import NoiseSource
    from audiogen_core.interfaces.sampler import Denoiser, OnStep

FIRST_STEP: Final = 0.05
"""In log sigma."""
ACCEPTED: Final = 0.81
"""A step is taken unless the next would have to be smaller than this part of it."""
CLOSE: Final = 1e-5
"""A sample this near the end, in log sigma, has arrived."""


class AdaptiveOptions(PluginOptions):
    """How large the error of a step may be."""

    # float32 cannot tell the two estimates apart much below this bound.
    rtol: float = Field(
        default=0.01, ge=1e-5, description="Error allowed in each step, relative to the latents."
    )
    atol: float = Field(
        default=0.01, ge=1e-5, description="Error allowed in each step, whatever the latents."
    )


class KDPMAdaptive(SigmaSampler):
    """DPM-Solver-3 with steps as large as the error allows: the number of steps is not used.

    DPM-Solver-23 of Lu, Zhou, Bao, Chen, Li and Zhu (2022), "DPM-Solver: A Fast ODE Solver for
    Diffusion Probabilistic Model Sampling in Around 10 Steps", arXiv:2206.00927: the second-order
    estimate of a step is embedded in the third-order one, and their distance is the error. An
    integral controller with a smooth limiter (Soderlind and Wang, 2006, "Adaptive Time-Stepping
    and Computational Stability") sets the next step from it, for each sample of a batch alone. It
    stops at sigma_min. Order 3 a step, but no order in ``steps``, which it ignores; three model
    evaluations a step, rejected ones included.
    """

    NAME = "k-dpm-adaptive"
    ORDER = None
    Options = AdaptiveOptions
    options: AdaptiveOptions

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """Where the integration starts and ends: sigma_max and sigma_min, ``[2]``."""
        return replace(request, steps=2).polyexponential()[:2]

    def sample(
        self,
        model: Denoiser,
        x: Tensor,
        sigmas: Tensor,
        noise: NoiseSource,  # noqa: ARG002
        on_step: OnStep,
    ) -> Tensor:
        """Solves the ODE over log sigma until every sample has arrived."""
        end = float(sigmas[-1].log())
        # All that a sample's steps depend on is its own: [batch, 1, 1].
        now = sigmas[0].log().to(x.device).repeat(len(x), 1, 1)
        step = now.new_full(now.shape, FIRST_STEP)
        previous, tried = x, 0
        active = now > end + CLOSE
        while active.any():
            # Samples that have arrived go through the motions, and their result is dropped.
            target = (now - step).where(~active, (now - step).clamp(min=end))
            third = (now - target) / 3
            levels = [now.exp(), (now - third).exp(), (now - 2 * third).exp(), target.exp()]
            low, high = third_order_pair(model, x, levels)

            allowed = (low.abs().maximum(previous.abs()) * self.options.rtol).clamp(
                min=self.options.atol
            )
            error = ((low - high) / allowed).square().mean((1, 2), keepdim=True).sqrt()
            factor = 1 + ((error + 1e-8) ** (-1 / 3) - 1).atan()
            # So that a model's NaN counts as accepted, and ends the loop instead of stalling it.
            accepted = active & ~(factor < ACCEPTED)

            x, previous = high.where(accepted, x), low.where(accepted, previous)
            now = target.where(accepted, now)
            step = (step * factor).where(active, step)
            active = active & (now > end + CLOSE)
            tried += 1
            on_step(tried, None)
        return x
