"""Where a sampler step's time goes, and what the machine allows: ``python benchmarks/step.py``.

Runs the transformer of a public model's exact shapes with random weights, and the profiler over it.
Beside it stands the least that a step can take here: its products at the rate of a large one, and
reading its weights at the rate at which memory is copied. Both rates are measured just before.
With ``--compile``, steps of compiled blocks (`torch.compile`) take turns with those of plain ones.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from audiogen_core.interfaces.backbone import BackboneInputs
from audiogen_core.memory import keep_freed
from audiogen_core.models.compiling import compile_blocks
from audiogen_core.models.linear import make_fast
from audiogen_core.strict_json import read_json
from audiogen_plugins.backbones.dit import DiffusionTransformer, DiTOptions

CONFIGS = {"open": "stable_audio_open_1_0.json", "small": "stable_audio_open_small.json"}
PROMPT_TOKENS = 12
"""Those of a prompt of a few words."""

PRODUCTS = "matrix products"
ATTENTION = "attention"
LINEAR = "mkldnn::_linear_pointwise"
KINDS = {
    "aten::addmm": PRODUCTS,
    "aten::mm": PRODUCTS,
    "aten::bmm": PRODUCTS,
    "aten::mkldnn_convolution": PRODUCTS,
    LINEAR: PRODUCTS,
    "aten::_scaled_dot_product_flash_attention_for_cpu": ATTENTION,
    "aten::native_layer_norm": "norms",
    "aten::silu": "gates",
    "aten::mul": "sums and products of elements",
    "aten::add": "sums and products of elements",
    "aten::sub": "sums and products of elements",
    "aten::cat": "copies",
    "aten::copy_": "copies",
}


def network_of(name: str) -> tuple[DiffusionTransformer, int, int]:
    """The transformer of a model with random weights, its latents, and its conditioning's width."""
    config = read_json(Path(__file__).parent / CONFIGS[name], "model config")
    model = config["model"]
    options = DiTOptions.model_validate(model["diffusion"]["config"])
    network = DiffusionTransformer.build(options).requires_grad_(False).eval()
    generator = torch.Generator().manual_seed(0)
    for weight in network.parameters():
        weight.normal_(0, weight.shape[-1] ** -0.5, generator=generator)
    ratio = model["pretransform"]["config"]["downsampling_ratio"]
    return network, config["sample_size"] // ratio, options.cond_token_dim


def step_of(
    network: DiffusionTransformer, latents: int, width: int, rows: int
) -> Callable[[], Any]:
    """One step: of one row, or of two for guidance, where the second has nothing to attend to."""
    tokens = torch.zeros(rows, PROMPT_TOKENS + 1, width)
    tokens[0].normal_(generator=torch.Generator().manual_seed(1))
    channels = network.to_global_embed
    pooled = (
        None if channels is None else torch.ones(rows, channels.get_parameter("0.weight").shape[1])
    )
    inputs = network.prepared(BackboneInputs(tokens, pooled))
    x, t = torch.randn(rows, network.io_channels, latents), torch.full((rows,), 0.5)
    return lambda: network(x, t, inputs)


def median_of(call: Callable[[], Any], rounds: int) -> float:
    """Seconds."""
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def compiled_beside(
    network: DiffusionTransformer, step: Callable[[], Any], rounds: int
) -> tuple[float, list[float]]:
    """Seconds of the first step of compiled blocks, and how long others take beside plain ones."""
    compile_blocks(network)
    started = time.perf_counter()
    step()
    first = time.perf_counter() - started
    blocks = [(one, one._compiled_call_impl) for one in network.transformer.layers]  # noqa: SLF001
    ratios = []
    for _ in range(rounds):
        for block, _ in blocks:
            block._compiled_call_impl = None  # noqa: SLF001  # the plain one
        plain = median_of(step, 1)
        for block, call in blocks:
            block._compiled_call_impl = call  # noqa: SLF001
        ratios.append(median_of(step, 1) / plain)
    return first, ratios


def machine() -> tuple[float, float]:
    """FLOP a second in a large matrix product, and bytes a second read and written by a copy."""
    side, count = 2048, 1 << 26
    a, layer = torch.randn(side, side), nn.Sequential(nn.Linear(side, side, bias=False))
    make_fast(layer)
    source, target = torch.ones(count), torch.ones(count)
    products = 2 * side**3 / median_of(lambda: layer(a), 9)
    return products, 2 * 4 * count / median_of(lambda: target.copy_(source), 9)


def shares(step: Callable[[], Any]) -> tuple[dict[str, float], float]:
    """Seconds of a step by kind of operation, and the FLOP of its products and attention."""
    with profile(activities=[ProfilerActivity.CPU], with_flops=True, record_shapes=True) as found:
        step()
    seconds: dict[str, float] = defaultdict(float)
    flop = 0.0
    for one in found.key_averages(group_by_input_shape=True):
        seconds[KINDS.get(one.key, "the rest")] += one.self_cpu_time_total / 1e6
        if KINDS.get(one.key) == PRODUCTS:
            flop += one.flops
        if one.key == LINEAR:
            flop += 2 * one.count * math.prod(one.input_shapes[0]) * one.input_shapes[1][0]
        if KINDS.get(one.key) == ATTENTION:
            rows, heads, length, dim = one.input_shapes[0]
            flop += 4 * one.count * rows * heads * length * one.input_shapes[1][2] * dim
    return dict(seconds), flop


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=CONFIGS, default="small")
    parser.add_argument("--guided", action="store_true", help="two rows, as with cfg_scale")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bfloat16", action="store_true", help="weights in 16 bits")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile, too")
    arguments = parser.parse_args()
    keep_freed()
    with torch.inference_mode():
        network, latents, width = network_of(arguments.model)
        if arguments.bfloat16:
            network.bfloat16()
        make_fast(network)
        step = step_of(network, latents, width, 1 + arguments.guided)
        flop_rate, byte_rate = machine()
        taken = median_of(step, arguments.rounds)
        seconds, flop = shares(step)
        if arguments.compile:
            first, ratios = compiled_beside(network, step, arguments.rounds)
    whole = sum(seconds.values())
    weights = sum(one.nbytes for one in network.parameters())
    print(f"threads: {torch.get_num_threads()}")
    print(f"a matrix product: {flop_rate / 1e9:.0f} GFLOP/s; a copy: {byte_rate / 1e9:.1f} GB/s")
    print(f"a step: {taken:.2f} s, median of {arguments.rounds}; {flop / 1e12:.3f} TFLOP")
    print(f"least for its arithmetic: {flop / flop_rate:.2f} s ({flop / flop_rate / taken:.0%})")
    print(f"least for reading its {weights / 1e9:.2f} GB of weights: {weights / byte_rate:.2f} s")
    for kind, part in sorted(seconds.items(), key=lambda one: -one[1]):
        print(f"  {kind:30} {part / whole:5.1%}  {part:.3f} s")
    if arguments.compile:
        low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
        print(
            f"compiled, beside it: {middle:.2f} ({low:.2f} to {high:.2f}); the first: {first:.1f} s"
        )


if __name__ == "__main__":
    main()
