"""The bottlenecks: agreement with the reference, and what is drawn at random."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from audiogen_core.errors import InputError
from audiogen_core.interfaces.bottleneck import Bottleneck
from audiogen_core.options import validate
from audiogen_core.testing.model_parts import check_bottleneck
from audiogen_plugins.bottlenecks.tanh import TanhBottleneck
from audiogen_plugins.bottlenecks.vae import VAEBottleneck
from tests.plugins.reference import agreement, expected, seeded


@pytest.mark.parametrize(
    ("plugin", "options"), [(VAEBottleneck, {}), (TanhBottleneck, {"scale": 2})]
)
def test_contract(plugin: type[Bottleneck], options: dict[str, Any]) -> None:
    """The contract of bottlenecks holds."""
    check_bottleneck(plugin, options, channels=6)


def test_vae_draws_what_the_reference_draws() -> None:
    """The same seed gives the same latents."""
    generator = torch.Generator().manual_seed(7)
    latents = VAEBottleneck().encode(seeded("encoded", (2, 6, 9)), generator)
    assert agreement(latents, expected("vae")) >= 100


def test_vae_without_a_generator_gives_the_mean() -> None:
    """The first half of the channels is the mean."""
    encoded = seeded("encoded", (2, 6, 9))
    assert torch.equal(VAEBottleneck().encode(encoded, None), encoded[:, :3])


def test_tanh_agrees_with_the_reference() -> None:
    """The scale divides before and multiplies after."""
    latents = TanhBottleneck(1.7).encode(seeded("encoded", (2, 6, 9)), None)
    assert agreement(latents, expected("tanh")) >= 100


@pytest.mark.parametrize("plugin", [VAEBottleneck, TanhBottleneck])
def test_decoding_is_the_identity(plugin: type[Bottleneck]) -> None:
    """The decoder gets the latents themselves."""
    latents = seeded("latents", (1, 3, 4))
    assert torch.equal(plugin.build(plugin.Options()).decode(latents), latents)


@pytest.mark.parametrize(
    ("plugin", "options", "message"),
    [
        (TanhBottleneck, {"scale": 0}, "scale: must be greater than 0"),
        (VAEBottleneck, {"scale": 1}, "scale: unknown key"),
    ],
)
def test_options_that_cannot_work_are_errors(
    plugin: type[Bottleneck], options: dict[str, Any], message: str
) -> None:
    """Every bad option is refused, in words."""
    with pytest.raises(InputError) as caught:
        validate(plugin.Options, options)
    assert message in str(caught.value)
