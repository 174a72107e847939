"""Makes the golden cases again: ``python tests/data/golden/make.py [CASE ...]``.

A case's ``model_config.json`` and ``runs.json`` are written by hand; this makes all the rest:
random weights, a text encoder, embeddings, and for each run what the reference implementation
makes of it and how much of that is left under rounding noise.

It needs an environment of its own, with this package and with the reference, which no other part
of the project needs: see README.md beside this file.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import wave
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import k_diffusion.sampling
import numpy as np
import stable_audio_tools.inference.sampling
import torch
from safetensors.torch import save_file
from stable_audio_tools.inference.generation import (
    generate_diffusion_cond,
    generate_diffusion_cond_inpaint,
)
from stable_audio_tools.models import conditioners
from stable_audio_tools.models.factory import create_model_from_config

from audiogen_core.testing.tiny_model import write_tiny_text_encoder

FOLDER = Path(__file__).resolve().parent
TEXT_DIM = 32
EMBEDDINGS = {
    "conditioners": {"short.npy": ((3, 20), "float16"), "long.npy": ((12, 20), "float64")},
    "chunked": {"pooled.npy": ((7, 12), "float32")},
    "input_concat": {"half_length.npy": ((3, 128), "float32")},
}
"""The arrays of the cases that read some: shape and type by file name."""

RECORDINGS = {
    "v_samplers": {"stereo.wav": (2, 1500), "mono.wav": (1, 3000)},
    "flow_grouped": {"stereo.wav": (2, 3000), "mono.wav": (1, 700)},
    "patches_prepended": {"mono.wav": (1, 2048)},
    "inpainting_v": {"stereo.wav": (2, 900), "mono.wav": (1, 1300)},
    "inpainting_flow": {"stereo.wav": (2, 560), "mono.wav": (1, 1300)},
    "resampled": {"stereo.wav": (2, 5000), "mono.wav": (1, 1100)},
}
"""The recordings of the cases that vary some or fill them in: channels and samples by file name."""

RATES = {"resampled": 11025}
"""The sample rate of the recordings of cases where it is not the model's."""

SAMPLERS = {
    "k-heun": "sample_heun",
    "k-dpm-2": "sample_dpm_2",
    "k-lms": "sample_lms",
    "k-dpmpp-2s-ancestral": "sample_dpmpp_2s_ancestral",
    "dpmpp-2m-sde": "sample_dpmpp_2m_sde",
    "dpmpp-3m-sde": "sample_dpmpp_3m_sde",
}
"""The reference's functions that take options which it has no settings for."""
SAMPLER_OPTIONS = ("eta", "s_noise", "s_churn", "s_tmin", "s_tmax", "order", "solver_type")


class AnyName(list[str]):
    """The names of text encoders that the reference accepts: every one."""

    def __contains__(self, name: object) -> bool:
        return True


class T5Conditioner(conditioners.T5Conditioner):
    """The reference's, with a local text encoder that computes in float32."""

    T5_MODELS: ClassVar = AnyName()

    def __init__(self, *args: Any, t5_model_name: str, **kwargs: Any) -> None:
        self.T5_MODEL_DIMS = {t5_model_name: TEXT_DIM}
        super().__init__(*args, t5_model_name=t5_model_name, **kwargs)
        self.model.float()  # the weights have been rounded to float16, and stay so


class PreEncodedLatent(conditioners.Conditioner):
    """The one conditioner that the reference lacks: an array of a file, pooled or cut to length."""

    def __init__(
        self,
        output_dim: int,
        input_dim: int,
        *,
        pool_across_time: bool = False,
        sample_size: int | None = None,
        project_out: bool = False,
    ) -> None:
        super().__init__(input_dim, output_dim, project_out=project_out)
        self.pool_across_time = pool_across_time
        self.sample_size = sample_size

    def forward(self, paths: list[str], device: str) -> list[torch.Tensor]:
        """Embeds one file."""
        rows = torch.from_numpy(np.load(paths[0])).float()
        if self.pool_across_time:
            rows = rows.mean(0, keepdim=True)
        else:
            rows = rows[: self.sample_size]
            rows = torch.nn.functional.pad(rows, (0, 0, 0, self.sample_size - len(rows)))
        tokens = self.proj_out(rows[None])
        return [tokens, torch.ones(tokens.shape[:2], device=device)]


def write_recording(path: Path, channels: int, samples: int, rate: int, seed: int) -> None:
    """A tone that falls, with some noise, in 16 bits."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / rate
    tones = [np.sin(2 * np.pi * (400 + 90 * one - 600 * time) * time) for one in range(channels)]
    audio = 0.6 * np.stack(tones) + 0.05 * rng.standard_normal((channels, samples))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((audio.clip(-1, 1) * 32767).astype("<i2").T.tobytes())


def read_recording(path: str) -> tuple[int, torch.Tensor]:
    """The sample rate, and the audio ``[channels, samples]``."""
    with wave.open(path, "rb") as file:
        audio = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        audio = audio.reshape(-1, file.getnchannels()).T / 32768
        return file.getframerate(), torch.from_numpy(audio.astype(np.float32))


def mask_of(ranges: list[list[float | None]], config: dict[str, Any]) -> torch.Tensor:
    """The reference's mask: 1 for samples that are kept, ``[1, samples]``."""
    mask = torch.ones(1, config["sample_size"])
    for start, end in ranges:
        rate = config["sample_rate"]
        mask[:, round(start * rate) : None if end is None else round(end * rate)] = 0
    return mask


def build(config: dict[str, Any]) -> torch.nn.Module:
    """The reference's model, without weights worth keeping."""
    conditioners.T5Conditioner = T5Conditioner
    conditioners.CLAPTextConditioner = PreEncodedLatent  # under a name that its factory knows
    config = json.loads(json.dumps(config))
    for section in config["model"]["conditioning"]["configs"]:
        if section["type"] == "pre_encoded_latent":
            section["type"] = "clap_text"
    return create_model_from_config(config).eval()


def random_weight(name: str, tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A random tensor of the scale that its name asks for; no gain is 1 and no bias 0."""
    noise = torch.randn(tensor.shape, generator=generator)
    last = name.rpartition(".")[2]
    if last == "weight_g":
        return 1.3 + 0.2 * noise
    if last == "gamma" or "norm.weight" in name:
        return 1 + 0.2 * noise
    if name.startswith("pretransform") and last in {"alpha", "beta"}:
        return 0.4 * noise  # logarithms
    if name.startswith("pretransform") and last == "bias":
        return 0.02 * noise  # small, for the latents to be heard beside it
    if last == "alpha":
        return 1 + 0.2 * noise
    if last in {"beta", "bias", "to_scale_shift_gate", "lambda_dc", "lambda_hf"}:
        return 0.2 * noise
    if last == "scale":
        return 0.5 + 0.2 * noise
    if last in {"memory_tokens", "weights"} or name.endswith(
        ("timestep_features.weight", "embedder.weight", "emb.weight")
    ):
        return noise
    # Conditioning counts for much, the rest for little, so that no run is chaotic.
    gain = 1.5 if "embed" in name or "cross_attn" in name else 0.6
    return noise * gain / tensor[0].numel() ** 0.5


def random_weights(model: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """A state dict for the model, in float16 to keep the files small."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: tensor if name.endswith("inv_freq") else random_weight(name, tensor, generator).half()
        for name, tensor in model.state_dict().items()
    }


def with_rounding_noise(weights: dict[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
    """The weights, each changed by about float32's precision."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: tensor.double() * (1 + 1e-7 * torch.randn(tensor.shape, generator=generator))
        for name, tensor in weights.items()
    }


@contextlib.contextmanager
def sampler_options(name: str, options: dict[str, Any]) -> Iterator[None]:
    """Passes options to the reference's function of a sampler."""
    if not options:
        yield
        return
    ddim = name.startswith("v-ddim")
    module = stable_audio_tools.inference.sampling if ddim else k_diffusion.sampling
    function = "sample" if ddim else SAMPLERS[name]
    original = getattr(module, function)
    setattr(module, function, lambda *args, **kwargs: original(*args, **{**kwargs, **options}))
    try:
        yield
    finally:
        setattr(module, function, original)


def generate(model: torch.nn.Module, config: dict[str, Any], run: dict[str, Any]) -> np.ndarray:
    """A run's audio, ``[channels, samples]``, with its peak at 1."""
    settings = dict(run["generation"])
    options = {key: settings.pop(key) for key in SAMPLER_OPTIONS if key in settings}
    files = config["model"]["conditioning"].get("pre_encoded_keys", [])
    values = {
        key: torch.from_numpy(np.load(value)) if key in files else value
        for key, value in run["conditioning"].items()
    }
    negative = values.pop("negative_prompt", None)
    if (recording := values.pop("init_audio", None)) is not None:
        settings["init_audio"] = read_recording(recording)
    generate_audio = generate_diffusion_cond
    if config["model_type"] == "diffusion_cond_inpaint":
        generate_audio = generate_diffusion_cond_inpaint
        if (recording := values.pop("inpaint_audio", None)) is not None:
            settings["inpaint_audio"] = read_recording(recording)
            settings["inpaint_mask"] = mask_of(values.pop("mask"), config)
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
        sampler_options(settings["sampler_type"], options),
        torch.no_grad(),
    ):
        audio = generate_audio(
            model,
            conditioning=[values],
            negative_conditioning=negative and [{**values, "prompt": negative}],
            sample_size=config["sample_size"],
            device="cpu",
            **settings,
        )
    audio = audio[0].double().numpy()
    return audio / np.abs(audio).max()


def decibels(wanted: np.ndarray, found: np.ndarray) -> float:
    """The signal-to-noise ratio."""
    return float(10 * np.log10(np.square(wanted).sum() / np.square(wanted - found).sum()))


def make(case: str) -> None:
    """Makes a case from its two files."""
    os.chdir(FOLDER / case)
    seed = zlib.crc32(case.encode())
    config = json.loads(Path("model_config.json").read_text(encoding="utf-8"))
    runs = json.loads(Path("runs.json").read_text(encoding="utf-8"))
    if '"t5"' in json.dumps(config):
        write_tiny_text_encoder(Path("t5"), dim=TEXT_DIM, seed=seed)
    arrays = np.random.default_rng(seed)
    for name, (shape, kind) in EMBEDDINGS.get(case, {}).items():
        np.save(name, arrays.standard_normal(shape).astype(kind))
    for name, (channels, samples) in RECORDINGS.get(case, {}).items():
        rate = RATES.get(case, config["sample_rate"])
        write_recording(Path(name), channels, samples, rate, seed)
    model = build(config)
    weights = random_weights(model, seed)
    save_file(weights, "model.safetensors")
    for name, run in runs.items():
        model.load_state_dict(weights)
        audio = generate(model, config, run)
        run["expected"] = f"expected_{name}.npy"
        np.save(run["expected"], (audio * 32767).astype(np.int16))
        ratios = []
        for noise in range(3):
            model.load_state_dict(with_rounding_noise(weights, noise))
            ratios.append(decibels(audio, generate(model, config, run)))
        run["rounding_sensitivity_db"] = round(min(ratios), 1)
    Path("runs.json").write_text(
        json.dumps(runs, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    for chosen in sys.argv[1:] or sorted(path.parent.name for path in FOLDER.glob("*/runs.json")):
        make(chosen)
