"""Writes the expected outputs of the model parts, by running the reference implementation.

See README.md beside this file for the environment that it needs.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from stable_audio_tools.models.autoencoders import OobleckDecoder, OobleckEncoder
from stable_audio_tools.models.bottleneck import TanhBottleneck, VAEBottleneck
from stable_audio_tools.models.conditioners import (
    IntConditioner,
    ListConditioner,
    NumberConditioner,
    TokenizerLUTConditioner,
)
from stable_audio_tools.models.dit import DiffusionTransformer

HERE = Path(__file__).parent
CASES = json.loads((HERE / "cases.json").read_text())
DIT_BASE = {
    "io_channels": 4,
    "embed_dim": 64,
    "depth": 2,
    "num_heads": 2,
    "cond_token_dim": 32,
    "global_cond_dim": 6,
}
OOBLECK_BASE = {"channels": 4, "c_mults": [1, 2], "strides": [2, 4], "latent_dim": 3}


def seeded(name, shape):
    """Normal numbers that depend on the name alone."""
    drawn = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    return torch.from_numpy(drawn.astype(np.float32))


def fill(module):
    """Gives every tensor values by its name and shape; frequencies of positions stay."""
    state = module.state_dict()
    for name, tensor in state.items():
        if name.endswith("inv_freq"):
            continue
        values = seeded(name, tuple(tensor.shape))
        if tensor.ndim > 1 and not name.endswith("weight_g"):
            values *= tensor[0].numel() ** -0.5
        else:
            values = 0.3 * values + (name.split(".")[-1] in ("weight", "gamma", "weight_g"))
        state[name] = values
    module.load_state_dict(state)
    return module.eval()


def dit_inputs(options):
    """The inputs of one case, in the names of the reference implementation."""
    inputs = {"global_embed": seeded("global", (2, options["global_cond_dim"]))}
    inputs["cross_attn_cond"] = seeded("cross", (2, 5, options["cond_token_dim"]))
    inputs["input_concat_cond"] = seeded("concat", (2, options.get("input_concat_dim", 0), 7))
    inputs["prepend_cond"] = seeded("tokens", (2, 3, options.get("prepend_cond_dim", 0)))
    inputs = {key: value for key, value in inputs.items() if value.numel()}
    if "prepend_cond" in inputs:
        inputs["prepend_cond_mask"] = torch.ones(2, 3, dtype=torch.bool)
    return inputs


@torch.no_grad()
def main():
    """Writes expected.npz."""
    out = {}
    for case, changes in CASES["dit"].items():
        options = {**DIT_BASE, **changes}
        model = fill(DiffusionTransformer(**options))
        x, t = seeded("x", (2, 4, 12)), torch.tensor([0.2, 0.9])
        out[f"dit/{case}"] = model(x, t, **dit_inputs(options))
    for case, changes in CASES["oobleck"].items():
        options = {**OOBLECK_BASE, **changes}
        shared = {k: v for k, v in options.items() if k in OOBLECK_BASE or k == "use_snake"}
        samples = 12 * int(np.prod(options["strides"]))
        encoder = fill(OobleckEncoder(in_channels=2, **shared))
        decoder = fill(OobleckDecoder(out_channels=2, **options))
        out[f"oobleck/{case}/encoded"] = encoder(seeded("audio", (2, 2, samples)))
        out[f"oobleck/{case}/decoded"] = decoder(seeded("latents", (2, 3, 9)))
    torch.manual_seed(7)
    out["vae"] = VAEBottleneck().encode(seeded("encoded", (2, 6, 9)))
    out["tanh"] = TanhBottleneck(scale=1.7).encode(seeded("encoded", (2, 6, 9)))
    number = fill(NumberConditioner(8, **CASES["number"]))
    out["number"] = number([-2, 0, 3.3, 14])[0]
    out["int"] = fill(IntConditioner(8, **CASES["int"]))([0, 4, 9])[0]
    out["list"] = fill(ListConditioner(8, **CASES["list"]))(["fast", "slow", "faster"])[0]
    lut = fill(TokenizerLUTConditioner(str(HERE.parent / "tokenizer"), 8, **CASES["lut"]))
    out["lut"], mask = lut(["jazz piano", "", "a <drop> " * 9], "cpu")
    out["lut/mask"] = mask
    np.savez_compressed(HERE / "expected.npz", **{k: v.numpy() for k, v in out.items()})


if __name__ == "__main__":
    main()
