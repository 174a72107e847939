"""What a GPU makes of a model: ``python benchmarks/gpu.py --json FILE``.

A guided step of the sampler and the decoding of one output at the full length, with random weights
in a public model's exact shapes: the time, the share of what the card reaches in one large matrix
product, which is measured just before, and the peak of memory, for several numbers of prompts and
lengths. Then where the time goes, by kernel; and what compiling the blocks (`torch.compile`) would
gain, with what it costs first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from audiogen_core.devices import make_exact
from audiogen_core.diffusion.guidance import Guidance, GuidedModel
from audiogen_core.interfaces.backbone import BackboneInputs
from audiogen_core.models.compiling import compile_blocks
from audiogen_core.strict_json import read_json
from audiogen_plugins.autoencoders.oobleck import Oobleck, OobleckDecoderOptions
from audiogen_plugins.backbones.dit import DiffusionTransformer, DiTOptions

CONFIGS = {"open": "stable_audio_open_1_0.json", "small": "stable_audio_open_small.json"}
TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
TOKENS = 130
"""Of the conditioning: 128 for the prompt, of which a few words fill twelve, and two numbers."""

FILLED = 12
GPU = torch.device("cuda")


def filled(module: nn.Module, dtype: torch.dtype) -> Any:
    """A module built on the meta device, on the card, with random weights that keep the scale."""
    module = module.to_empty(device=GPU)
    generator = torch.Generator(GPU).manual_seed(0)
    for name, weight in [*module.named_parameters(), *module.named_buffers()]:
        one = weight.detach()
        if name.endswith(("gamma", "weight_g")):
            one.fill_(1)
        elif one.dim() > 1:
            one.normal_(0, one[0].numel() ** -0.5, generator=generator)
        elif name.endswith("inv_freq"):
            one.copy_(10000 ** -(torch.arange(len(one), device=GPU) / len(one)))
        else:
            one.zero_()
    return module.requires_grad_(requires_grad=False).eval().to(dtype)


def timed(call: Callable[[], Any], rounds: int) -> float:
    """The median of seconds on the card, after one call to warm up."""
    call()
    times: list[float] = []
    clock: Any = torch.cuda.Event
    for _ in range(rounds):
        begin, end = (clock(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / 1000)
    return statistics.median(times)


def card() -> dict[str, float]:
    """TFLOP a second of one large product by type, and GB a second of a copy, read and written."""
    side = 8192
    rates: dict[str, float] = {}
    for name in ("bfloat16", "float16"):
        a, b = (torch.randn(side, side, device=GPU, dtype=TYPES[name]) for _ in range(2))
        rates[name] = 2 * side**3 / timed(lambda a=a, b=b: a @ b, 10) / 1e12  # type: ignore[misc]
    source = torch.randn(1 << 28, device=GPU)
    target = torch.empty_like(source)
    rates["copy_gb"] = 2 * 4 * len(source) / timed(lambda: target.copy_(source), 10) / 1e9
    return rates


def flop_of(call: Callable[[], Any]) -> float:
    """Of products and attention, as torch counts them."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # As plain products: of groups of heads, torch counts nothing else.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops())


class Case:
    """One model on the card.

    Args:
        name: A key of `CONFIGS`.
        dtype: Of the weights.
    """

    def __init__(self, name: str, dtype: torch.dtype) -> None:
        config = read_json(Path(__file__).parent / CONFIGS[name], "model config")
        model = config["model"]
        self.options = DiTOptions.model_validate(model["diffusion"]["config"])
        self.objective = model["diffusion"].get("diffusion_objective", "v")
        decoder = model["pretransform"]["config"]["decoder"]["config"]
        with torch.device("meta"):
            network = DiffusionTransformer.build(self.options)
            built = Oobleck.build_decoder(OobleckDecoderOptions(**decoder))
        self.network: DiffusionTransformer = filled(network, dtype)
        self.decoder = filled(built, dtype)
        self.decoder.prepare()
        self.ratio = model["pretransform"]["config"]["downsampling_ratio"]
        self.latents = config["sample_size"] // self.ratio
        self.dtype = dtype

    def step(self, prompts: int, latents: int) -> Callable[[], Tensor]:
        """A guided step of so many prompts."""
        options = self.options
        generator = torch.Generator(GPU).manual_seed(1)
        tokens = torch.zeros(prompts, TOKENS, options.cond_token_dim, device=GPU)
        tokens[:, :FILLED].normal_(generator=generator)
        tokens[:, -2:].normal_(generator=generator)
        pooled = torch.randn(prompts, options.global_cond_dim, device=GPU, generator=generator)
        inputs = BackboneInputs(tokens, pooled)
        guided = GuidedModel(self.network, inputs, None, Guidance(7.0), self.objective)
        shape = (prompts, options.io_channels, latents)
        x = torch.randn(shape, device=GPU, generator=generator)
        return lambda: guided(x, torch.tensor(0.5))

    def decoding(self, latents: int) -> Callable[[], Tensor]:
        """The decoding of one output."""
        generator = torch.Generator(GPU).manual_seed(2)
        x = torch.randn(1, self.options.io_channels, latents, device=GPU, generator=generator)
        x = x.to(self.dtype)
        return lambda: self.decoder(x)


def measured(call: Callable[[], Any], rounds: int) -> dict[str, float]:
    """Time, arithmetic, and memory beyond what is held already."""
    torch.cuda.empty_cache()
    held = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    seconds = timed(call, rounds)
    peak = torch.cuda.max_memory_allocated() - held
    return {"seconds": seconds, "tflop": flop_of(call) / 1e12, "gib": peak / 2**30}


def kernels(call: Callable[[], Any], most: int = 12) -> dict[str, float]:
    """The share of the card's time that each kernel takes."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as found:
        call()
        torch.cuda.synchronize()
    parts = [(one.key, one.self_device_time_total) for one in found.key_averages()]
    parts = [one for one in parts if one[1] > 0 and not one[0].startswith("aten::")]
    whole = sum(time for _, time in parts)
    parts.sort(key=lambda one: -one[1])
    return {key[:90]: time / whole for key, time in parts[:most]}


def decibels(made: Tensor, wanted: Tensor) -> float:
    """How far a result is below its error."""
    error = (made.double() - wanted.double()).square().mean()
    return float(10 * (wanted.double().square().mean() / error).log10())


def compiled(case: Case, prompts: int, rounds: int) -> dict[str, float]:
    """A step before and after compiling its blocks, and what the first call of that takes."""
    before = case.step(prompts, case.latents)
    plain, wanted = timed(before, rounds), before()
    compile_blocks(case.network)
    started = time.perf_counter()
    made = before()
    torch.cuda.synchronize()
    first = time.perf_counter() - started
    taken = timed(before, rounds)
    for block in case.network.transformer.layers:
        block._compiled_call_impl = None  # noqa: SLF001  # as it was
    return {"plain": plain, "compiled": taken, "first": first, "db": decibels(made, wanted)}


def table(rows: Sequence[dict[str, Any]], rates: dict[str, float]) -> str:
    """Lines of Markdown."""
    lines = ["| what | prompts | latents | ms | TFLOP/s | of a product's | GiB more |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        rate = row["tflop"] / row["seconds"]
        share = f"{rate / rates[row['type']]:.0%}" if row["type"] in rates else ""
        what = f"{row['what']}, {row['type']}"
        numbers = f"{row['seconds'] * 1000:.1f} | {rate:.0f} | {share} | {row['gib']:.2f}"
        lines.append(f"| {what} | {row['prompts']} | {row['latents']} | {numbers} |")
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=CONFIGS, default="open")
    parser.add_argument("--prompts", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--types", nargs="+", choices=TYPES, default=["bfloat16", "float16"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="measure torch.compile, too")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    report: dict[str, Any] = {"card": torch.cuda.get_device_name(), "torch": torch.__version__}
    rows: list[dict[str, Any]] = []
    make_exact(GPU)
    with torch.inference_mode():
        report["rates"] = rates = card()
        print(report, flush=True)
        for name in arguments.types:
            case = Case(arguments.model, TYPES[name])
            latents = case.latents
            runs = [(count, latents) for count in arguments.prompts]
            if name == arguments.types[0]:
                runs += [(arguments.prompts[-1], latents // share) for share in (2, 4)]
            for prompts, length in runs:
                found = measured(case.step(prompts, length), arguments.rounds)
                rows.append({"what": "step", "type": name, "prompts": prompts, "latents": length})
                rows[-1] |= found
            rows.append({"what": "decode", "type": name, "prompts": 1, "latents": latents})
            rows[-1] |= measured(case.decoding(latents), arguments.rounds)
            if name == arguments.types[0]:
                last = arguments.prompts[-1]
                report["kernels of a step"] = kernels(case.step(last, latents))
                report["kernels of a decode"] = kernels(case.decoding(latents))
                if arguments.compile:
                    report["compiled"] = {
                        prompts: compiled(case, prompts, arguments.rounds)
                        for prompts in {last, arguments.prompts[0]}
                    }
            del case
    report["rows"] = rows
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=2), encoding="utf-8")
    print(json.dumps({key: one for key, one in report.items() if key != "rows"}, indent=2))
    print(table(rows, rates))


if __name__ == "__main__":
    main()
