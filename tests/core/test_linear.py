"""Linear layers by oneDNN: the same products, where and only where they are meant."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.profiler import ProfilerActivity, profile

from audiogen_core.generator import Generator
from audiogen_core.models.linear import FastLinear, make_fast


class Halved(nn.Linear):
    """Not what its base class computes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Half of it."""
        return super().forward(x) / 2


@given(
    st.lists(st.integers(1, 9), max_size=3),
    st.integers(128, 300),
    st.integers(128, 300),
    st.booleans(),
    st.booleans(),
)
def test_the_products_are_those_of_float64(
    sizes: list[int], width: int, wider: int, biased: bool, crossed: bool
) -> None:
    """Whatever their shapes and layouts, and with the very same weights."""
    torch.manual_seed(0)
    plain = nn.Linear(width, wider, bias=biased).requires_grad_(False)
    network = nn.Sequential(plain)
    weight = plain.weight
    make_fast(network)
    assert isinstance(network[0], FastLinear)
    assert network[0].weight is weight  # still memory-mapped, where it was
    x = torch.randn(*sizes, 2, width)
    x = x.mT.contiguous().mT if crossed else x
    made = network(x)
    exact = plain.double()(x.double())
    assert made.shape == exact.shape
    assert made.dtype == torch.float32
    torch.testing.assert_close(made.double(), exact, atol=2e-6, rtol=1e-6)


def test_a_network_has_the_same_names_and_can_still_be_trained() -> None:
    """Though oneDNN's product has no derivative."""
    network = nn.Sequential(nn.Linear(128, 256), nn.GELU(), nn.Linear(256, 128), nn.Linear(4, 4))
    names = list(network.state_dict())
    make_fast(network)
    assert list(network.state_dict()) == names
    assert [type(one) for one in network] == [FastLinear, nn.GELU, FastLinear, nn.Linear]
    x = torch.randn(3, 128)
    network[:3](x).square().sum().backward()
    assert all(one.grad is not None and one.grad.any() for one in network[:3].parameters())


def test_other_layers_stay_what_they_are() -> None:
    """A subclass may compute something else."""
    network = nn.Sequential(Halved(256, 256))
    make_fast(network)
    assert type(network[0]) is Halved


def test_what_others_have_hooked_to_a_layer_stays() -> None:
    """Such as a weight that is made anew from its parts at each call."""
    network = nn.Sequential(nn.Linear(128, 128))
    network[0].register_forward_pre_hook(lambda _, given: (given[0] * 2,))
    network[0].register_forward_hook(lambda _, __, made: made + 1)
    x = torch.randn(3, 128)
    with torch.inference_mode():
        wanted = network(x)
        make_fast(network)
        assert isinstance(network[0], FastLinear)
        torch.testing.assert_close(network(x), wanted)


def test_a_loaded_model_multiplies_by_onednn() -> None:
    """Where a CPU computes in float32, as the profiler sees it."""
    generator = Generator.load(device="cpu", dtype="float32")
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        list(generator.generate("a bell", steps=1, seconds=1))
    assert any("_linear_pointwise" in one.key for one in seen.key_averages())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types_are_multiplied_as_before(dtype: torch.dtype) -> None:
    """PyTorch asks oneDNN for 16 bits already."""
    plain = nn.Linear(128, 128).requires_grad_(False).to(dtype)
    network = nn.Sequential(plain)
    make_fast(network)
    x = torch.randn(5, 128, dtype=dtype)
    assert torch.equal(network(x), plain(x))
