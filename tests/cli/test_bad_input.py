"""Bad input: one clear message with its place, exit code 2, and nothing read or written."""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import re
import struct
import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from safetensors.torch import save

from audiogen_core.tags import Tags
from audiogen_core.testing.encoders import tones
from audiogen_core.testing.tiny_model import random_weights, tiny_config, write_tiny_text_encoder
from audiogen_plugins.encoders.wav import Wav
from tests.conftest import Command, Result, audiogen_process

GONE = object()
"""Takes a key away."""

Edits = Mapping[str, Any]
"""Values by their dotted path: ``{"input.samples.0.prompt": 5}``."""

CONFIG = {
    "generation": {"steps": 2, "seed": 1},
    "conditioning_defaults": {"seconds_start": 0, "seconds_total": 1},
    "input": {"type": "config", "samples": [{"prompt": "a jazz piece"}]},
    "output": {"output_dir": "out", "file_format": "wav"},
}

GENERATION = (
    "'steps', 'cfg_scale', 'batch_size', 'sampler_type', 'sigma_min', 'sigma_max', 'rho', "
    "'seed', 'cfg_interval', 'scale_phi', 'init_noise_level', 'sample_size'"
)
OUTPUT = (
    "'output_dir', 'file_format', 'file_naming', 'save_metadata', 'cut_to_seconds_total', "
    "'post_processing', 'observers', 'report', 'manifest', 'shard_dirs'"
)
SECTIONS = "'generation', 'conditioning_defaults', 'input', 'output'"
CONDITIONING = (
    "'prompt', 'audio_prompt', 'seconds_start', 'seconds_total', 'negative_prompt', "
    "'init_audio', 'inpaint_audio', 'mask'"
)
INPUTS = "'config', 'file', 'jsonl', 'csv', 'directory', 'grid'"
SAMPLE_KEYS = f"{CONDITIONING}, 'seed', 'cfg_scale', 'steps', 'sampler_type', 'init_noise_level'"
FORMATS = (
    "'wav', 'flac', 'mp3 v0', 'mp3 320k', 'mp3 128k', 'm4a aac 256k', 'm4a aac 192k', "
    "'m4a aac 128k', 'm4a aac 96k', 'm4a aac_he_v2 32k', 'm4a aac_he_v2 64k', "
    "'wav 24', 'wav float', 'flac 24', 'ogg opus 192k', 'ogg opus 128k', 'ogg opus 96k', "
    "'ogg opus 64k'"
)
SAMPLERS_V = (
    "'k-heun', 'k-lms', 'k-dpmpp-2s-ancestral', 'k-dpm-2', 'k-dpm-fast', 'k-dpm-adaptive', "
    "'dpmpp-2m', 'dpmpp-2m-sde', 'dpmpp-3m-sde', 'v-ddim', 'v-ddim-cfgpp'"
)
SAMPLERS_FLOW = "'euler', 'rk4', 'dpmpp', 'pingpong'"
CONDITIONERS = "'t5', 'lut', 'pre_encoded_latent', 'number', 'int', 'list'"
DIT = (
    "'io_channels', 'patch_size', 'embed_dim', 'depth', 'num_heads', 'cond_token_dim', "
    "'project_cond_tokens', 'global_cond_dim', 'project_global_cond', 'input_concat_dim', "
    "'prepend_cond_dim', 'global_cond_type', 'timestep_cond_type', 'timestep_embed_dim', "
    "'transformer_type', 'num_memory_tokens', 'rotary_pos_emb', 'use_sinusoidal_emb', "
    "'use_abs_pos_emb', 'abs_pos_emb_max_length', 'final_cross_attn_ix', 'conformer', "
    "'layer_scale', 'remove_norms', 'attn_kwargs', 'ff_kwargs', 'norm_kwargs', "
    "'zero_init_branch_outputs', 'add_rope', 'causal', 'sliding_window'"
)
NEEDED = "this model needs a value; give one here or in conditioning_defaults"


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        name: What is bad about it.
        message: All of standard error after ``error: ``.
        config: Edits of the generation config, or the file's bytes.
        model: Edits of the model config, or the file's bytes.
        files: Further files; None makes a folder.
        args: Options and their values, which replace the ordinary ones.
        named: Whether the ordinary options that name a model are given.
        prepare: Does what files cannot say.
        only: The systems on which it can be tried, as ``sys.platform`` begins; all for none.
    """

    name: str
    message: str
    config: Edits | bytes = field(default_factory=dict)
    model: Edits | bytes = field(default_factory=dict)
    files: Mapping[str, bytes | None] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    named: bool = True
    prepare: Callable[[], object] | None = None
    only: tuple[str, ...] = ()


POSIX = ("linux", "darwin")
LONG = "long" * 100
"""Longer than file systems allow."""


def in_config(name: str, config: Edits | bytes, message: str, **others: Any) -> Case:
    """What is wrong with a generation config."""
    return Case(name, f"config.json: {message}", config=config, **others)


def in_model(name: str, model: Edits | bytes, message: str, **others: Any) -> Case:
    """What is wrong with a model config."""
    return Case(name, f"model/model_config.json: {message}", model=model, **others)


AUDIO_MODEL = {
    "model.conditioning.configs.0": {
        "id": "audio_prompt",
        "type": "pre_encoded_latent",
        "config": {"input_dim": 20, "pool_across_time": True, "project_out": True},
    },
    "model.diffusion.cross_attention_cond_ids": ["audio_prompt", "seconds_start", "seconds_total"],
}


def in_embedding(name: str, content: bytes | None, message: str) -> Case:
    """What is wrong with an audio prompt."""
    return in_config(
        f"audio prompt: {name}",
        {"input.samples.0.audio_prompt": "emb.npy"},
        f"input.samples[0].audio_prompt: {message}",
        model=AUDIO_MODEL,
        files={} if content is None else {"emb.npy": content},
    )


def ready_made(name: str, content: bytes, message: str) -> Case:
    """What is wrong with an embedding that the model takes as it is."""
    return in_config(
        f"ready-made embedding: {name}",
        {"input.samples.0.prompt": "emb.npy"},
        f"input.samples[0]{message}",
        model={
            "model.conditioning.pre_encoded_keys": ["prompt", "nobody"],
            "model.diffusion.cross_attention_cond_ids": ["seconds_start", "seconds_total"],
            "model.diffusion.input_concat_ids": ["prompt"],
            "model.diffusion.config.input_concat_dim": 4,
        },
        files={"emb.npy": content},
    )


def edited(base: Mapping[str, Any], edits: Edits) -> dict[str, Any]:
    """A copy with some values replaced."""
    copy = deepcopy(dict(base))
    for path, value in edits.items():
        place: Any = copy
        *parents, last = (int(part) if part.isdecimal() else part for part in path.split("."))
        for part in parents:
            place = place[part]
        if value is GONE:
            del place[last]
        else:
            place[last] = value
    return copy


def npy(array: Any, **options: Any) -> bytes:
    """The bytes of a ``.npy`` file."""
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def npz(array: Any) -> bytes:
    """The bytes of a ``.npz`` file."""
    stream = io.BytesIO()
    np.savez(stream, a=array)
    return stream.getvalue()


def npy_header(shape: str) -> bytes:
    """A ``.npy`` file of 80 bytes whose header says what numpy would not write."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(80)


GOOD = npy(np.ones((5, 20), np.float32))

JSON = [
    in_config("empty file", b"", "generation config is empty"),
    in_config("blank file", b" \n\t\n", "generation config is empty"),
    in_config("byte-order mark alone", b"\xef\xbb\xbf", "generation config is empty"),
    in_config(
        "not UTF-8",
        b'{"generation": {"steps": 2}, "x": "\xe9"}',
        "generation config is not UTF-8 text (byte 35)",
    ),
    in_config("UTF-16", "{}".encode("utf-16"), "generation config is not UTF-8 text (byte 0)"),
    in_config(
        "missing comma",
        b'{\n  "generation": {"steps": 2}\n  "output": {}\n}',
        "line 3, column 3: not valid JSON: expecting ',' delimiter",
    ),
    in_config(
        "missing value", b'{"generation": }', "line 1, column 16: not valid JSON: expecting value"
    ),
    in_config("text after the end", b"{}\n{}", "line 2, column 1: not valid JSON: extra data"),
    in_config(
        "single quotes",
        b"{'generation': {}}",
        "line 1, column 2: not valid JSON: expecting property name enclosed in double quotes",
    ),
    in_config(
        "line break in a string",
        b'{"input": "a\nb"}',
        "line 1, column 13: not valid JSON: invalid control character",
    ),
    in_config(
        "string without an end",
        b'{"input": "a',
        "line 1, column 11: not valid JSON: unterminated string",
    ),
    in_config(
        "unknown escape", b'{"input": "\\q"}', "line 1, column 12: not valid JSON: invalid \\escape"
    ),
    in_config("comment", b"{} // mine", "line 1, column 4: not valid JSON: extra data"),
    in_config(
        "a duplicate section",
        b'{"generation": {}, "generation": {"steps": 5}}',
        "generation: appears twice in one object",
    ),
    in_config(
        "a duplicate key",
        b'{"generation": {"steps": 5, "steps": 5}}',
        "generation.steps: appears twice in one object",
    ),
    in_config(
        "duplicate keys at several depths",
        b'{"input": {"type": "config", "samples": [{}, {"a": 1, "a": 2}]},'
        b' "output": {"x": {"y": [{"z": 1, "z": 1}]}}}',
        (
            "2 problems\n"
            "  input.samples[1].a: appears twice in one object\n"
            "  output.x.y[0].z: appears twice in one object"
        ),
    ),
    in_config(
        "NaN",
        b'{"generation": {"cfg_scale": NaN}}',
        "generation.cfg_scale: NaN is not a JSON number",
    ),
    in_config(
        "infinities",
        b'{"generation": {"sigma_max": Infinity, "cfg_interval": [-Infinity, 1]}}',
        (
            "2 problems\n"
            "  generation.sigma_max: Infinity is not a JSON number\n"
            "  generation.cfg_interval[0]: -Infinity is not a JSON number"
        ),
    ),
    in_config(
        "1e999", b'{"generation": {"rho": 1e999}}', "generation.rho: is too large a number: 1e999"
    ),
    in_config(
        "-1e999",
        b'{"conditioning_defaults": {"seconds_total": -1e999}}',
        "conditioning_defaults.seconds_total: is too large a number: -1e999",
    ),
    in_config(
        "an integer of 5,000 digits",
        b'{"generation": {"steps": ' + b"9" * 5000 + b"}}",
        "generation.steps: is a whole number with too many digits",
    ),
    in_config(
        "nested 100 deep",
        b"[" * 100 + b"]" * 100,
        "generation config is nested too deeply, more than 64 levels",
    ),
    in_config(
        "nested 100,000 deep",
        b'{"a":' * 100_000,
        "generation config is nested too deeply, more than 64 levels",
    ),
    in_config("a list at the top", b"[]", "must be an object, not a list"),
    in_config("a string at the top", b'"generation"', "must be an object, not a string"),
    in_config("null at the top", b"null", "must be an object, not null"),
    in_config(
        "larger than any config",
        b"{}",
        "generation config is larger than 4096 KiB",
        prepare=lambda: os.truncate("config.json", (64 << 20) + 1),
    ),
    in_config(
        "a lone surrogate in the prompt",
        {"input.samples.0.prompt": "\ud800x"},
        "input.samples[0].prompt: holds half of a surrogate pair, which is no Unicode text",
    ),
    in_config(
        "a lone surrogate in a key",
        {"input.samples.0": {"\udfff": 1}},
        (
            "input.samples[0]: key '\\udfff' holds half of a surrogate pair, which is no Unicode "
            "text"
        ),
    ),
    in_config(
        "a null character in the folder's name",
        {"output.output_dir": "a\0b"},
        "output.output_dir: holds a null character",
    ),
    in_config(
        "a null character in the prompts file's name",
        {"input": {"type": "file", "prompts_file": "\0"}},
        "input.prompts_file: holds a null character",
    ),
    Case(
        "a file that is missing",
        "none.json: generation config does not exist",
        args=("--generation-config", "none.json"),
    ),
    Case(
        "a folder",
        "model: generation config is a folder, not a file",
        args=("--generation-config", "model"),
        only=POSIX,
    ),
    Case(
        "a path below a file",
        "config.json/x: generation config cannot be read: Not a directory",
        args=("--generation-config", "config.json/x"),
        only=POSIX,
    ),
    Case(
        "an endless file",
        "/dev/zero: generation config is larger than 4096 KiB",
        args=("--generation-config", "/dev/zero"),
        only=POSIX,
    ),
]

SECTION = [
    in_config(
        "a misspelt section",
        {"genration": {}},
        f"genration: unknown section (did you mean 'generation'?); allowed: {SECTIONS}",
    ),
    in_config("an unknown section", {"xyz": {}}, f"xyz: unknown section; allowed: {SECTIONS}"),
    in_config(
        "a section with a line break",
        {"a\nb": {}},
        f"'a\\nb': unknown section; allowed: {SECTIONS}",
    ),
    in_config("an empty object", b"{}", "input: is required, but missing"),
    in_config(
        "sections of wrong types",
        {"generation": [], "conditioning_defaults": "x", "input": None, "output": 5},
        (
            "4 problems\n"
            "  generation: must be an object, not a list\n"
            "  conditioning_defaults: must be an object, not a string\n"
            "  input: must be an object, not null\n"
            "  output: must be an object, not a whole number"
        ),
    ),
    in_config(
        "null sections",
        {"generation": None, "conditioning_defaults": None, "input": None, "output": None},
        (
            "4 problems\n"
            "  generation: must be an object, not null\n"
            "  conditioning_defaults: must be an object, not null\n"
            "  input: must be an object, not null\n"
            "  output: must be an object, not null"
        ),
    ),
]

VALUES = [
    in_config("steps 0", {"generation.steps": 0}, "generation.steps: must be at least 1, not 0"),
    in_config("steps -1", {"generation.steps": -1}, "generation.steps: must be at least 1, not -1"),
    in_config(
        "steps 1.5", {"generation.steps": 1.5}, "generation.steps: must be a whole number, not 1.5"
    ),
    in_config(
        "steps 2.0", {"generation.steps": 2.0}, "generation.steps: must be a whole number, not 2.0"
    ),
    in_config(
        "steps true",
        {"generation.steps": True},
        "generation.steps: must be a whole number, not a boolean",
    ),
    in_config(
        "steps as a string",
        {"generation.steps": "3"},
        "generation.steps: must be a whole number, not a string",
    ),
    in_config(
        "steps null",
        {"generation.steps": None},
        "generation.steps: must be a whole number, not null",
    ),
    in_config(
        "steps a million",
        {"generation.steps": 1_000_000},
        "generation.steps: must be at most 10000, not 1000000",
    ),
    in_config(
        "steps of 400 digits",
        {"generation.steps": 10**400},
        (
            "generation.steps: must be at most 10000, not "
            "100000000000000000000000000000000000000000000000000000000000..."
        ),
    ),
    in_config(
        "cfg_scale as a string",
        {"generation.cfg_scale": "7"},
        "generation.cfg_scale: must be a number, not a string",
    ),
    in_config(
        "cfg_scale a list",
        {"generation.cfg_scale": [7]},
        "generation.cfg_scale: must be a number, not a list",
    ),
    in_config(
        "cfg_scale true",
        {"generation.cfg_scale": True},
        "generation.cfg_scale: must be a number, not a boolean",
    ),
    in_config(
        "cfg_scale of 400 digits",
        {"generation.cfg_scale": 10**400},
        (
            "generation.cfg_scale: is too large a number: "
            "100000000000000000000000000000000000000000000000000000000000..."
        ),
    ),
    in_config(
        "batch_size 0",
        {"generation.batch_size": 0},
        "generation.batch_size: must be at least 1, not 0",
    ),
    in_config(
        "batch_size 5000",
        {"generation.batch_size": 5000},
        "generation.batch_size: must be at most 4096, not 5000",
    ),
    in_config(
        "batch_size a float",
        {"generation.batch_size": 1.0},
        "generation.batch_size: must be a whole number, not 1.0",
    ),
    in_config(
        "sigma_min equal to sigma_max",
        {"generation.sigma_min": 1, "generation.sigma_max": 1},
        "generation.sigma_min: must be less than sigma_max (1), not 1",
    ),
    in_config(
        "sigma_min above sigma_max",
        {"generation.sigma_min": 5, "generation.sigma_max": 0.5},
        "generation.sigma_min: must be less than sigma_max (0.5), not 5",
    ),
    in_config(
        "sigma_max below the default sigma_min",
        {"generation.sigma_max": 0.001},
        "generation.sigma_min: must be less than sigma_max (0.001), not 0.01",
    ),
    in_config(
        "sigma_min 0",
        {"generation.sigma_min": 0},
        "generation.sigma_min: must be greater than 0, not 0",
    ),
    in_config(
        "sigma_max negative",
        {"generation.sigma_max": -1.5},
        "generation.sigma_max: must be greater than 0, not -1.5",
    ),
    in_config(
        "rho negative", {"generation.rho": -1}, "generation.rho: must be greater than 0, not -1"
    ),
    in_config("seed -2", {"generation.seed": -2}, "generation.seed: must be at least -1, not -2"),
    in_config(
        "seed 2**63",
        {"generation.seed": 2**63},
        "generation.seed: must be at most 9223372036854775807, not 9223372036854775808",
    ),
    in_config(
        "seed without room for the batch",
        {"generation.seed": 2**63 - 1, "generation.batch_size": 2},
        (
            "generation.seed: must be at most 9223372036854775806 with batch_size 2, not "
            "9223372036854775807"
        ),
    ),
    in_config(
        "seed 1.0", {"generation.seed": 1.0}, "generation.seed: must be a whole number, not 1.0"
    ),
    in_config(
        "cfg_interval reversed",
        {"generation.cfg_interval": [0.8, 0.2]},
        "generation.cfg_interval: must be [low, high], not [0.8, 0.2]",
    ),
    in_config(
        "cfg_interval in sigma",
        {"generation.cfg_interval": [0.19, 1.61]},
        "generation.cfg_interval[1]: must be at most 1, not 1.61",
    ),
    in_config(
        "cfg_interval of three",
        {"generation.cfg_interval": [0, 0.5, 1]},
        "generation.cfg_interval: must have at most 2 items",
    ),
    in_config(
        "cfg_interval of one",
        {"generation.cfg_interval": [0]},
        "generation.cfg_interval: must have at least 2 items",
    ),
    in_config(
        "cfg_interval a number",
        {"generation.cfg_interval": 0.5},
        "generation.cfg_interval: must be a list, not 0.5",
    ),
    in_config(
        "cfg_interval of strings",
        {"generation.cfg_interval": ["0", "1"]},
        (
            "2 problems\n"
            "  generation.cfg_interval[0]: must be a number, not a string\n"
            "  generation.cfg_interval[1]: must be a number, not a string"
        ),
    ),
    in_config(
        "scale_phi 2", {"generation.scale_phi": 2}, "generation.scale_phi: must be at most 1, not 2"
    ),
    in_config(
        "scale_phi -0.5",
        {"generation.scale_phi": -0.5},
        "generation.scale_phi: must be at least 0, not -0.5",
    ),
    in_config(
        "sampler_type unknown",
        {"generation.sampler_type": "nothing like it"},
        (
            "generation.sampler_type: 'nothing like it' is not a known sampler; known: "
            f"{SAMPLERS_V}, {SAMPLERS_FLOW}"
        ),
    ),
    in_config(
        "sampler_type misspelt",
        {"generation.sampler_type": "dpmpp-3m-sd"},
        (
            "generation.sampler_type: 'dpmpp-3m-sd' is not a known sampler (did you mean "
            f"'dpmpp-3m-sde'?); known: {SAMPLERS_V}, {SAMPLERS_FLOW}"
        ),
    ),
    in_config(
        "sampler_type in capitals",
        {"generation.sampler_type": "DPMPP-3M-SDE"},
        (
            "generation.sampler_type: 'DPMPP-3M-SDE' is not a known sampler (did you mean "
            f"'dpmpp-3m-sde'?); known: {SAMPLERS_V}, {SAMPLERS_FLOW}"
        ),
    ),
    in_config(
        "sampler_type a number",
        {"generation.sampler_type": 3},
        "generation.sampler_type: must be a string, not a whole number",
    ),
    in_config(
        "sampler_type an object",
        {"generation.sampler_type": {"name": "k-heun"}},
        "generation.sampler_type: must be a string, not an object",
    ),
    in_config(
        "sampler_type of another objective",
        {"generation.sampler_type": "euler"},
        (
            "generation.sampler_type: 'euler' cannot sample this model, whose objective is 'v'; "
            f"allowed: {SAMPLERS_V}"
        ),
    ),
    in_config(
        "sampler_type for v with a flow model",
        {"generation.sampler_type": "dpmpp-2m"},
        (
            "generation.sampler_type: 'dpmpp-2m' cannot sample this model, whose objective is "
            f"'rectified_flow'; allowed: {SAMPLERS_FLOW}"
        ),
        model={"model.diffusion.diffusion_objective": "rectified_flow"},
    ),
    in_config(
        "a misspelt key of generation",
        {"generation.step": 5},
        (
            f"generation.step: unknown key (did you mean 'steps'?); allowed: {GENERATION}, 'eta', "
            "'s_noise'"
        ),
    ),
    in_config(
        "an unknown key of generation",
        {"generation.zzz": 5},
        f"generation.zzz: unknown key; allowed: {GENERATION}, 'eta', 's_noise'",
    ),
    in_config(
        "a misspelt key beside a misspelt sampler",
        {"generation.sampler_type": "k-huen", "generation.cfg_scal": 5, "generation.s_churn": 0.1},
        (
            "2 problems\n"
            "  generation.sampler_type: 'k-huen' is not a known sampler (did you mean "
            f"'k-heun'?); known: {SAMPLERS_V}, {SAMPLERS_FLOW}\n"
            "  generation.cfg_scal: unknown key (did you mean 'cfg_scale'?); allowed: "
            f"{GENERATION}, 's_churn', 's_tmin', 's_tmax', 's_noise', 'order', 'eta', 'rtol', "
            "'atol', 'solver_type'"
        ),
    ),
    in_config(
        "an option that the sampler does not have",
        {"generation.sampler_type": "dpmpp-2m", "generation.eta": 1.0},
        f"generation.eta: unknown key for sampler 'dpmpp-2m'; allowed: {GENERATION}",
    ),
    in_config(
        "an option that the default sampler does not have",
        {"generation.s_churn": 1.0},
        f"generation.s_churn: unknown key; allowed: {GENERATION}, 'eta', 's_noise'",
    ),
    in_config(
        "a misspelt option of the sampler",
        {"generation.sampler_type": "k-heun", "generation.s_chrn": 1.0},
        (
            "generation.s_chrn: unknown key for sampler 'k-heun' (did you mean 's_churn'?); "
            f"allowed: {GENERATION}, 's_churn', 's_tmin', 's_tmax', 's_noise'"
        ),
    ),
    in_config(
        "options of the sampler, unknown and of wrong types",
        {
            "generation.sampler_type": "k-heun",
            "generation.s_churn": "1",
            "generation.s_noise": -1,
            "generation.order": 3,
        },
        (
            "3 problems\n"
            f"  generation.order: unknown key for sampler 'k-heun'; allowed: {GENERATION}, "
            "'s_churn', 's_tmin', 's_tmax', 's_noise'\n"
            "  generation.s_churn: must be a number, not a string\n"
            "  generation.s_noise: must be at least 0, not -1"
        ),
    ),
    in_config(
        "options of the sampler that exclude each other",
        {
            "generation.sampler_type": "k-heun",
            "generation.s_tmin": 2,
            "generation.s_tmax": 1.5,
        },
        "generation: s_tmin (2.0) must not be above s_tmax (1.5)",
    ),
    in_config(
        "an option of the default sampler of the wrong type",
        {"generation.eta": "x"},
        "generation.eta: must be a number, not a string",
    ),
]

INPUT = [
    in_config("no input", {"input": GONE}, "input: is required, but missing"),
    in_config("input a list", {"input": [{"prompt": "x"}]}, "input: must be an object, not a list"),
    in_config(
        "input without a type",
        {"input.type": GONE},
        f"input.type: is required, but missing; known: {INPUTS}",
    ),
    in_config(
        "input of an unknown type",
        {"input.type": "sheet"},
        f"input.type: 'sheet' is not a known input source; known: {INPUTS}",
    ),
    in_config(
        "input of a misspelt type",
        {"input.type": "Confg"},
        (
            "input.type: 'Confg' is not a known input source (did you mean 'config'?); known: "
            f"{INPUTS}"
        ),
    ),
    in_config(
        "input of a type that is no string",
        {"input.type": 5},
        "input.type: must be a string, not a whole number",
    ),
    in_config("no samples", {"input.samples": GONE}, "input.samples: is required, but missing"),
    in_config(
        "samples misspelt",
        {"input": {"type": "config", "sampels": [{}]}},
        "input.sampels: unknown key (did you mean 'samples'?); allowed: 'samples'",
    ),
    in_config("samples empty", {"input.samples": []}, "input.samples: must have at least 1 item"),
    in_config(
        "samples an object",
        {"input.samples": {"prompt": "x"}},
        "input.samples: must be a list, not an object",
    ),
    in_config(
        "samples of strings",
        {"input.samples": ["x", {"prompt": "y"}, None]},
        (
            "2 problems\n"
            "  input.samples[0]: must be an object, not a string\n"
            "  input.samples[2]: must be an object, not null"
        ),
    ),
    in_config(
        "the keys of both types",
        {"input.prompts_file": "prompts.txt"},
        "input.prompts_file: unknown key; allowed: 'samples'",
    ),
    in_config(
        "prompts_file for the wrong type",
        {"input": {"type": "config", "prompts_file": "p.txt"}},
        (
            "2 problems\n"
            "  input.samples: is required, but missing\n"
            "  input.prompts_file: unknown key; allowed: 'samples'"
        ),
    ),
    in_config(
        "no prompts_file",
        {"input": {"type": "file"}},
        "input.prompts_file: is required, but missing",
    ),
    in_config(
        "prompts_file a number",
        {"input": {"type": "file", "prompts_file": 1}},
        "input.prompts_file: must be a string, not a whole number",
    ),
    in_config(
        "prompts_file an empty string",
        {"input": {"type": "file", "prompts_file": ""}},
        "input.prompts_file: must not be empty",
    ),
    in_config(
        "prompts_file does not exist",
        {"input": {"type": "file", "prompts_file": "p.txt"}},
        "input.prompts_file: file 'p.txt' does not exist",
    ),
    in_config(
        "prompts_file a folder",
        {"input": {"type": "file", "prompts_file": "model"}},
        "input.prompts_file: 'model' is a folder, not a file",
        only=POSIX,
    ),
    in_config(
        "prompts_file below a file",
        {"input": {"type": "file", "prompts_file": "config.json/x"}},
        "input.prompts_file: file 'config.json/x' cannot be read: Not a directory",
        only=POSIX,
    ),
    in_config(
        "prompts_file empty",
        {"input": {"type": "file", "prompts_file": "p.txt"}},
        "input.prompts_file: file 'p.txt' holds no prompt",
        files={"p.txt": b""},
    ),
    in_config(
        "prompts_file of blank lines",
        {"input": {"type": "file", "prompts_file": "p.txt"}},
        "input.prompts_file: file 'p.txt' holds no prompt",
        files={"p.txt": b"\xef\xbb\xbf\n \n\t\r\n"},
    ),
    in_config(
        "prompts_file not UTF-8",
        {"input": {"type": "file", "prompts_file": "p.txt"}},
        "input.prompts_file: file 'p.txt' is not UTF-8 text (line 4)",
        files={"p.txt": b"jazz\n" * 3 + b"caf\xe9\n"},
    ),
    in_config(
        "prompts_file with a sample that lacks a value",
        {
            "input": {"type": "file", "prompts_file": "p.txt"},
            "conditioning_defaults": {"seconds_start": 0},
        },
        (
            "2 problems\n"
            f"  p.txt, line 1: seconds_total: {NEEDED}\n"
            f"  p.txt, line 3: seconds_total: {NEEDED}"
        ),
        files={"p.txt": b"jazz\n\nrock\n"},
    ),
]

SAMPLE = [
    in_config(
        "an unknown conditioning key",
        {"input.samples.0.mood": "sad"},
        f"input.samples[0].mood: unknown conditioning key; known: {SAMPLE_KEYS}",
    ),
    in_config(
        "a misspelt conditioning key",
        {"input.samples.0.promt": "x"},
        (
            "input.samples[0].promt: unknown conditioning key (did you mean 'prompt'?); known: "
            f"{SAMPLE_KEYS}"
        ),
    ),
    in_config(
        "a misspelt default",
        {"conditioning_defaults.second_total": 3},
        (
            "conditioning_defaults.second_total: unknown conditioning key (did you mean "
            f"'seconds_total'?); known: {CONDITIONING}"
        ),
    ),
    in_config(
        "prompt a number",
        {"input.samples.0.prompt": 5},
        "input.samples[0].prompt: must be a string, not a whole number",
    ),
    in_config(
        "prompt null", {"input.samples.0.prompt": None}, f"input.samples[0].prompt: {NEEDED}"
    ),
    in_config(
        "prompt a list",
        {"input.samples.0.prompt": ["a", "b"]},
        "input.samples[0].prompt: must be a string, not a list",
    ),
    in_config(
        "prompt an object",
        {"input.samples.0.prompt": {"text": "x"}},
        "input.samples[0].prompt: must be a string, not an object",
    ),
    in_config(
        "no prompt", {"input.samples": [{"prompt": "x"}, {}]}, f"input.samples[1].prompt: {NEEDED}"
    ),
    in_config(
        "negative_prompt a boolean",
        {"input.samples.0.negative_prompt": False},
        "input.samples[0].negative_prompt: must be a string, not a boolean",
    ),
    in_config(
        "seconds_total a string",
        {"input.samples.0.seconds_total": "30"},
        "input.samples[0].seconds_total: must be a number, not a string",
    ),
    in_config(
        "seconds_total a boolean",
        {"input.samples.0.seconds_total": True},
        "input.samples[0].seconds_total: must be a number, not a boolean",
    ),
    in_config(
        "seconds_total negative",
        {"input.samples.0.seconds_total": -1},
        ("input.samples[0].seconds_total: must be greater than 0 to cut the audio to it, not -1"),
    ),
    in_config(
        "seconds_total 0 when cutting",
        {"input.samples.0.seconds_total": 0},
        "input.samples[0].seconds_total: must be greater than 0 to cut the audio to it, not 0",
    ),
    in_config(
        "seconds_total less than one sample",
        {"conditioning_defaults.seconds_total": 1e-9},
        (
            "conditioning_defaults.seconds_total: must be at least 1/44100, one sample, to cut the "
            "audio to it, not 1e-09"
        ),
    ),
    in_config(
        "seconds_total beyond the conditioner",
        {"input.samples.0.seconds_total": 513},
        "input.samples[0].seconds_total: must be a number from 0 to 512, not 513",
    ),
    in_config(
        "seconds_total negative without cutting",
        {"input.samples.0.seconds_total": -1, "output.cut_to_seconds_total": False},
        "input.samples[0].seconds_total: must be a number from 0 to 512, not -1",
    ),
    in_config(
        "seconds_total 1e308",
        {"input.samples.0.seconds_total": 1e308},
        (
            "input.samples[0].seconds_total: must be a number of seconds up to 1000000000, not "
            "1e+308"
        ),
    ),
    in_config(
        "seconds_total of 400 digits",
        {"input.samples.0.seconds_total": 10**400},
        (
            "input.samples[0].seconds_total: must be a number of seconds up to 1000000000, not "
            "100000000000000000000000000000000000000000000000000000000000..."
        ),
    ),
    in_config(
        "seconds_start in the defaults",
        {"conditioning_defaults.seconds_start": "0"},
        "conditioning_defaults.seconds_start: must be a number, not a string",
    ),
    in_config(
        "seconds_start negative",
        {"conditioning_defaults.seconds_start": -0.5},
        "conditioning_defaults.seconds_start: must be a number from 0 to 512, not -0.5",
    ),
    in_config(
        "a value that is missing",
        {"conditioning_defaults.seconds_start": GONE},
        f"input.samples[0].seconds_start: {NEEDED}",
    ),
    in_config(
        "a default of null",
        {"conditioning_defaults.seconds_start": None},
        f"input.samples[0].seconds_start: {NEEDED}",
    ),
    in_config(
        "a bad default that every sample has",
        {
            "conditioning_defaults.seconds_total": "x",
            "input.samples": [{"prompt": "a"}, {"prompt": "b"}],
        },
        "conditioning_defaults.seconds_total: must be a number, not a string",
    ),
    in_config(
        "more problems than anyone reads",
        {"input.samples": [{"prompt": 1}] * 60},
        "50 problems or more"
        + "".join(
            f"\n  input.samples[{index}].prompt: must be a string, not a whole number"
            for index in range(50)
        ),
    ),
]

AUDIO_PROMPT = [
    in_embedding("missing", None, "file 'emb.npy' does not exist"),
    in_embedding("empty", b"", "file 'emb.npy' is not a .npy file"),
    in_embedding("not .npy", b"RIFF" * 50, "file 'emb.npy' is not a .npy file"),
    in_embedding(
        "an object array",
        npy(np.array([{}], object), allow_pickle=True),
        "file 'emb.npy' holds Python objects, which are refused",
    ),
    in_embedding("a pickle", pickle.dumps([1.0, 2.0]), "file 'emb.npy' is not a .npy file"),
    in_embedding(
        "of one dimension",
        npy(np.ones(20, np.float32)),
        (
            "file 'emb.npy' holds float32 [20]; expected a float16, float32 or float64 array [T, "
            "20] with T >= 1"
        ),
    ),
    in_embedding(
        "of three dimensions",
        npy(np.ones((1, 5, 20), np.float32)),
        (
            "file 'emb.npy' holds float32 [1, 5, 20]; expected a float16, float32 or float64 "
            "array [T, 20] with T >= 1"
        ),
    ),
    in_embedding(
        "a single number",
        npy(np.float32(3)),
        (
            "file 'emb.npy' holds float32 []; expected a float16, float32 or float64 array [T, "
            "20] with T >= 1"
        ),
    ),
    in_embedding(
        "of another width",
        npy(np.ones((5, 768), np.float16)),
        (
            "file 'emb.npy' holds float16 [5, 768]; expected a float16, float32 or float64 array "
            "[T, 20] with T >= 1"
        ),
    ),
    in_embedding(
        "without rows",
        npy(np.ones((0, 20), np.float32)),
        (
            "file 'emb.npy' holds float32 [0, 20]; expected a float16, float32 or float64 array "
            "[T, 20] with T >= 1"
        ),
    ),
    in_embedding(
        "with NaN",
        npy(np.full((5, 20), np.nan, np.float32)),
        "file 'emb.npy' holds float32 [5, 20], and NaN or infinity among them",
    ),
    in_embedding(
        "too large for float32",
        npy(np.full((5, 20), 1e300)),
        "file 'emb.npy' holds float64 [5, 20], and NaN or infinity among them",
    ),
    in_embedding(
        "of integers",
        npy(np.ones((5, 20), np.int64)),
        (
            "file 'emb.npy' holds int64 [5, 20]; expected a float16, float32 or float64 array "
            "[T, 20] with T >= 1"
        ),
    ),
    in_embedding(
        "of complex numbers",
        npy(np.ones((5, 20), np.complex64)),
        (
            "file 'emb.npy' holds complex64 [5, 20]; expected a float16, float32 or float64 "
            "array [T, 20] with T >= 1"
        ),
    ),
    in_embedding(
        "cut short", GOOD[:-7], "file 'emb.npy' is cut short: 393 bytes of data, 400 expected"
    ),
    in_embedding("cut in the header", GOOD[:40], "file 'emb.npy' is not a .npy file"),
    in_embedding(
        "of terabytes",
        npy_header("(100000000000, 20)"),
        "file 'emb.npy' is cut short: 80 bytes of data, 8000000000000 expected",
    ),
    in_embedding("of negative length", npy_header("(-1, 20)"), "file 'emb.npy' is not a .npy file"),
    in_embedding("with half a header", npy_header("("), "file 'emb.npy' is not a .npy file"),
    in_embedding(
        "with a deep header", npy_header("-" * 9000 + "1"), "file 'emb.npy' is not a .npy file"
    ),
    in_embedding(
        "of a later version",
        b"\x93NUMPY\x04\x00" + GOOD[8:10] + b"\x00\x00" + GOOD[10:],
        "file 'emb.npy' is not a .npy file",
    ),
    in_embedding("a .npz", npz(np.ones((5, 20))), "file 'emb.npy' is not a .npy file"),
    Case(
        "audio prompt a folder",
        "config.json: input.samples[0].audio_prompt: 'model' is a folder, not a .npy file",
        config={"input.samples.0.audio_prompt": "model"},
        model=AUDIO_MODEL,
    ),
    Case(
        "audio prompt a device",
        "config.json: input.samples[0].audio_prompt: '/dev/null' is no regular file",
        config={"input.samples.0.audio_prompt": "/dev/null"},
        model=AUDIO_MODEL,
        only=POSIX,
    ),
    Case(
        "audio prompt a pipe",
        "config.json: input.samples[0].audio_prompt: 'pipe' is no regular file",
        config={"input.samples.0.audio_prompt": "pipe"},
        model=AUDIO_MODEL,
        prepare=lambda: os.mkfifo("pipe"),
        only=POSIX,
    ),
    Case(
        "audio prompt an empty string",
        "config.json: input.samples[0].audio_prompt: must be the path of a .npy file, not ''",
        config={"input.samples.0.audio_prompt": ""},
        model=AUDIO_MODEL,
    ),
    Case(
        "audio prompt a number",
        "config.json: input.samples[0].audio_prompt: must be a string, not a whole number",
        config={"input.samples.0.audio_prompt": 5},
        model=AUDIO_MODEL,
    ),
    Case(
        "no audio prompt",
        f"config.json: input.samples[0].audio_prompt: {NEEDED}",
        config={"conditioning_defaults.audio_prompt": None},
        model=AUDIO_MODEL,
    ),
]

READY_MADE = [
    ready_made(
        "whole numbers",
        npy(np.ones((5, 64), np.int32)),
        (".prompt: file 'emb.npy' must hold float16, float32 or float64 numbers, not int32"),
    ),
    ready_made(
        "a single number",
        npy(np.float32(3)),
        ".prompt: file 'emb.npy' holds an empty array, shape []",
    ),
    ready_made(
        "too large for float32",
        npy(np.full((5, 64), 1e300)),
        ".prompt: file 'emb.npy' holds NaN or infinity",
    ),
    ready_made(
        "of other channels",
        npy(np.ones((5, 64), np.float32)),
        (
            ": does not fit the model with embeddings of these shapes, 'prompt' [5, 64]: "
            "input_concat must have 4 channels, not 5"
        ),
    ),
    ready_made(
        "of three dimensions",
        npy(np.ones((1, 4, 64), np.float32)),
        (
            ": does not fit the model with embeddings of these shapes, 'prompt' [1, 4, 64]: "
            "input_concat must have 4 channels, not 1"
        ),
    ),
]

OUT = [
    in_config(
        "file_format unknown",
        {"output.file_format": "ogg"},
        f"output.file_format: 'ogg' is not a known encoder; known: {FORMATS}",
    ),
    in_config(
        "file_format mp3 V0",
        {"output.file_format": "mp3 V0"},
        (
            "output.file_format: 'mp3 V0' is not a known encoder (did you mean 'mp3 v0'?); "
            f"known: {FORMATS}"
        ),
    ),
    in_config(
        "file_format mp3",
        {"output.file_format": "mp3"},
        (
            "output.file_format: 'mp3' is not a known encoder (did you mean 'mp3 v0'?); known: "
            f"{FORMATS}"
        ),
    ),
    in_config(
        "file_format mp4",
        {"output.file_format": "mp4"},
        f"output.file_format: 'mp4' is not a known encoder; known: {FORMATS}",
    ),
    in_config(
        "file_format a number",
        {"output.file_format": 5},
        "output.file_format: must be a string or an object with 'name', not a whole number",
    ),
    in_config(
        "file_format an object without a name",
        {"output.file_format": {"bits": 24}},
        "output.file_format.name: is required, but missing",
    ),
    in_config(
        "file_format an object with an unknown option",
        {"output.file_format": {"name": "wav", "bits": 24}},
        "output.file_format.bits: unknown key; allowed: none",
    ),
    in_config(
        "file_format an object with a name that is no string",
        {"output.file_format": {"name": None}},
        "output.file_format.name: must be a string, not null",
    ),
    in_config(
        "file_format that the sample rate rules out",
        {"output.file_format": "mp3 v0"},
        (
            "output.file_format: 'mp3 v0' cannot be written at 96000 Hz: MP3 has only 8000, "
            "11025, 12000, 16000, 22050, 24000, 32000, 44100 and 48000 Hz; use 'wav' or 'flac'."
        ),
        model={"sample_rate": 96000},
    ),
    in_config(
        "file_format that the bit rate rules out",
        {"output.file_format": "mp3 320k"},
        (
            "output.file_format: 'mp3 320k' cannot be written at 24000 Hz: MP3 reaches 320 kb/s "
            "only at 32000, 44100 and 48000 Hz; use 'mp3 v0', 'wav' or 'flac'."
        ),
        model={"sample_rate": 24000},
    ),
    Case(
        "output_dir a file",
        "config.json: output.output_dir: 'config.json' cannot be made: "
        "'config.json' is not a folder",
        config={"output.output_dir": "config.json"},
    ),
    Case(
        "problems of the sampler, a sample, the format and the folder",
        "config.json: 4 problems\n"
        "  generation.sampler_type: 'euler' cannot sample this model, whose objective is 'v'; "
        "allowed: 'k-heun', 'k-lms', 'k-dpmpp-2s-ancestral', 'k-dpm-2', 'k-dpm-fast', "
        "'k-dpm-adaptive', 'dpmpp-2m', 'dpmpp-2m-sde', 'dpmpp-3m-sde', 'v-ddim', 'v-ddim-cfgpp'\n"
        "  input.samples[0].seconds_total: must be a number from 0 to 512, not 600\n"
        "  output.file_format: 'mp3 v0' cannot be written at 96000 Hz: MP3 has only 8000, 11025, "
        "12000, 16000, 22050, 24000, 32000, 44100 and 48000 Hz; use 'wav' or 'flac'.\n"
        "  output.output_dir: 'config.json' cannot be made: 'config.json' is not a folder",
        config={
            "generation.sampler_type": "euler",
            "input": {"type": "config", "samples": [{"prompt": "a", "seconds_total": 600}]},
            "output.file_format": "mp3 v0",
            "output.output_dir": "config.json",
        },
        model={"sample_rate": 96000},
    ),
    Case(
        "output_dir under a file",
        "config.json: output.output_dir: 'config.json/a/b' cannot be made: "
        "'config.json' is not a folder",
        config={"output.output_dir": "config.json/a/b"},
    ),
    Case(
        "output_dir under a device",
        "config.json: output.output_dir: '/dev/null/x' cannot be made: '/dev/null' is not a folder",
        config={"output.output_dir": "/dev/null/x"},
        only=POSIX,
    ),
    Case(
        "output_dir in /proc",
        "config.json: output.output_dir: '/proc/x/y' cannot be written: No such file or directory",
        config={"output.output_dir": "/proc/x/y"},
        only=("linux",),
    ),
    Case(
        "output_dir a dangling link",
        "config.json: output.output_dir: 'link/x' cannot be made: 'link' is not a folder",
        config={"output.output_dir": "link/x"},
        prepare=lambda: Path("link").symlink_to("nowhere"),
        only=POSIX,
    ),
    Case(
        "output_dir a name of 300 letters",
        f"config.json: output.output_dir: 'a/{'x' * 300}' cannot be written: File name too long",
        config={"output.output_dir": "a/" + "x" * 300},
        only=POSIX,
    ),
    in_config(
        "output_dir of a user who does not exist",
        {"output.output_dir": "~nobody-by-this-name/x"},
        "output.output_dir: '~nobody-by-this-name/x' names no user of this machine",
        only=POSIX,
    ),
    in_config(
        "output_dir empty", {"output.output_dir": ""}, "output.output_dir: must not be empty"
    ),
    in_config(
        "output_dir null",
        {"output.output_dir": None},
        "output.output_dir: must be a string, not null",
    ),
    in_config(
        "file_naming unknown",
        {"output.file_naming": "by mood"},
        (
            "output.file_naming: 'by mood' is not a known naming strategy; known: 'prompt', "
            "'verbose', 'audio_prompt', 'template'"
        ),
    ),
    in_config(
        "file_naming misspelt",
        {"output.file_naming": "Verbos"},
        (
            "output.file_naming: 'Verbos' is not a known naming strategy (did you mean "
            "'verbose'?); known: 'prompt', 'verbose', 'audio_prompt', 'template'"
        ),
    ),
    in_config(
        "file_naming a list",
        {"output.file_naming": ["prompt"]},
        "output.file_naming: must be a string or an object with 'name', not a list",
    ),
    in_config(
        "save_metadata as a string",
        {"output.save_metadata": "true"},
        "output.save_metadata: must be true or false, not a string",
    ),
    in_config(
        "cut_to_seconds_total as a number",
        {"output.cut_to_seconds_total": 1},
        "output.cut_to_seconds_total: must be true or false, not a whole number",
    ),
    in_config(
        "a misspelt key of output",
        {"output.output_dri": "x"},
        f"output.output_dri: unknown key (did you mean 'output_dir'?); allowed: {OUTPUT}",
    ),
    in_config(
        "several problems in all sections",
        {
            "generation.steps": 0,
            "generation.cfg_scale": "7",
            "generation.sampler_type": "heun",
            "conditioning_defaults": [],
            "input.type": "files",
            "outptu": {},
            "output.file_format": "mp3 v00",
            "output.file_naming": "seed",
            "output.save_metadata": "yes",
        },
        (
            "9 problems\n"
            f"  outptu: unknown section (did you mean 'output'?); allowed: {SECTIONS}\n"
            "  generation.steps: must be at least 1, not 0\n"
            "  generation.cfg_scale: must be a number, not a string\n"
            "  generation.sampler_type: 'heun' is not a known sampler (did you mean 'k-heun'?); "
            f"known: {SAMPLERS_V}, {SAMPLERS_FLOW}\n"
            "  conditioning_defaults: must be an object, not a list\n"
            "  input.type: 'files' is not a known input source (did you mean 'file'?); known: "
            f"{INPUTS}\n"
            "  output.save_metadata: must be true or false, not a string\n"
            "  output.file_format: 'mp3 v00' is not a known encoder (did you mean 'mp3 v0'?); "
            f"known: {FORMATS}\n"
            "  output.file_naming: 'seed' is not a known naming strategy; known: 'prompt', "
            "'verbose', 'audio_prompt', 'template'"
        ),
    ),
    in_config(
        "several problems in several samples",
        {
            "conditioning_defaults.seconds_total": 600,
            "conditioning_defaults.seed": 1,
            "input.samples": [{"prompt": 1}, {"seconds_total": -3, "prompt": "x"}, {"promt": "x"}],
        },
        (
            "5 problems\n"
            f"  conditioning_defaults.seed: unknown conditioning key; known: {CONDITIONING}\n"
            "  input.samples[0].prompt: must be a string, not a whole number\n"
            "  conditioning_defaults.seconds_total: must be a number from 0 to 512, not 600\n"
            "  input.samples[1].seconds_total: must be greater than 0 to cut the audio to it, "
            "not -3\n"
            "  input.samples[2].promt: unknown conditioning key (did you mean 'prompt'?); known: "
            f"{SAMPLE_KEYS}"
        ),
    ),
]

MODEL = [
    Case(
        "model config missing",
        "none.json: model config does not exist",
        args=("--model-config", "none.json"),
    ),
    Case(
        "model config a folder",
        "model: model config is a folder, not a file",
        args=("--model-config", "model"),
    ),
    in_model(
        "model config not JSON",
        b"model: diffusion_cond\n",
        "line 1, column 1: not valid JSON: expecting value",
    ),
    in_model("model config a list", b"[1]", "must be an object, not a list"),
    in_model(
        "model config with a duplicate key",
        b'{"model": {"io_channels": 4, "io_channels": 64}}',
        "model.io_channels: appears twice in one object",
    ),
    in_model(
        "model config empty",
        b"{}",
        (
            "4 problems\n"
            "  model_type: is required, but missing\n"
            "  sample_size: is required, but missing\n"
            "  sample_rate: is required, but missing\n"
            "  model: is required, but missing"
        ),
    ),
    in_model(
        "model config without keys",
        {
            "sample_rate": GONE,
            "model.io_channels": GONE,
            "model.diffusion.type": GONE,
            "model.conditioning.cond_dim": GONE,
            "model.pretransform.config.decoder": GONE,
        },
        (
            "5 problems\n"
            "  sample_rate: is required, but missing\n"
            "  model.io_channels: is required, but missing\n"
            "  model.diffusion.type: is required, but missing\n"
            "  model.conditioning.cond_dim: is required, but missing\n"
            "  model.pretransform.config.decoder: is required, but missing"
        ),
    ),
    in_model(
        "model config with a misspelt key",
        {"sample_rate": GONE, "sampel_rate": 44100},
        "sample_rate: is required, but missing (did you mean it by 'sampel_rate'?)",
    ),
    in_model(
        "model config with wrong types",
        {
            "sample_rate": "44100",
            "sample_size": 0,
            "model.diffusion.cross_attention_cond_ids": "prompt",
            "model.pretransform.iterate_batch": 1,
        },
        (
            "4 problems\n"
            "  sample_size: must be greater than 0, not 0\n"
            "  sample_rate: must be a whole number, not a string\n"
            "  model.diffusion.cross_attention_cond_ids: must be a list, not a string\n"
            "  model.pretransform.iterate_batch: must be true or false, not a whole number"
        ),
    ),
    in_model(
        "model_type of an autoencoder",
        {"model_type": "autoencoder"},
        (
            "model_type: 'autoencoder' models cannot be generated with yet; supported: "
            "'diffusion_cond', 'diffusion_cond_inpaint'"
        ),
    ),
    in_model(
        "model_type unknown",
        {"model_type": "difusion_cond"},
        (
            "model_type: 'difusion_cond' is not allowed (did you mean 'diffusion_cond'?); "
            "allowed: 'diffusion_cond', 'diffusion_cond_inpaint'"
        ),
    ),
    in_model(
        "model_type a number",
        {"model_type": 3},
        "model_type: 3 is not allowed; allowed: 'diffusion_cond', 'diffusion_cond_inpaint'",
    ),
    in_model(
        "backbone unknown",
        {"model.diffusion.type": "dlt"},
        ("model.diffusion.type: 'dlt' is not a known backbone (did you mean 'dit'?); known: 'dit'"),
    ),
    in_model(
        "backbone with other words",
        {"model.diffusion.type": "adp_cfg_1d"},
        "model.diffusion.type: 'adp_cfg_1d' is not a known backbone; known: 'dit'",
    ),
    in_model(
        "conditioner unknown",
        {"model.conditioning.configs.1.type": "numbr"},
        (
            "model.conditioning.configs[1].type: 'numbr' is not a known conditioner (did you "
            f"mean 'number'?); known: {CONDITIONERS}"
        ),
    ),
    in_model(
        "bottleneck unknown",
        {"model.pretransform.config.bottleneck.type": "vea"},
        (
            "model.pretransform.config.bottleneck.type: 'vea' is not a known bottleneck (did you "
            "mean 'vae'?); known: 'vae', 'tanh'"
        ),
    ),
    in_model(
        "decoder and encoder unknown",
        {
            "model.pretransform.config.encoder.type": "ooblek",
            "model.pretransform.config.decoder.type": "dac",
        },
        (
            "2 problems\n"
            "  model.pretransform.config.encoder.type: 'ooblek' is not a known autoencoder (did "
            "you mean 'oobleck'?); known: 'oobleck'\n"
            "  model.pretransform.config.decoder.type: 'dac' is not a known autoencoder; known: "
            "'oobleck'"
        ),
    ),
    in_model(
        "several unknown parts",
        {
            "model.diffusion.type": "dti",
            "model.conditioning.configs.0.type": "t6",
            "model.pretransform.config.bottleneck.type": "vaes",
        },
        (
            "3 problems\n"
            "  model.diffusion.type: 'dti' is not a known backbone (did you mean 'dit'?); known: "
            "'dit'\n"
            "  model.conditioning.configs[0].type: 't6' is not a known conditioner; known: "
            f"{CONDITIONERS}\n"
            "  model.pretransform.config.bottleneck.type: 'vaes' is not a known bottleneck (did "
            "you mean 'vae'?); known: 'vae', 'tanh'"
        ),
    ),
    in_model(
        "pretransform unknown",
        {"model.pretransform.type": "autoencodr"},
        (
            "model.pretransform.type: 'autoencodr' is not allowed (did you mean 'autoencoder'?); "
            "allowed: 'autoencoder'"
        ),
    ),
    in_model(
        "a pretransform in the pretransform",
        {"model.pretransform.config.pretransform": {"type": "pqmf"}},
        "model.pretransform.config.pretransform: must be null, not an object",
    ),
    in_model(
        "objective unknown",
        {"model.diffusion.diffusion_objective": "rectified-flow"},
        (
            "model.diffusion.diffusion_objective: 'rectified-flow' is not allowed (did you mean "
            "'rectified_flow'?); allowed: 'v', 'rectified_flow', 'rf_denoiser'"
        ),
    ),
    in_model(
        "io_channels that differ",
        {"model.io_channels": 8},
        (
            "2 problems\n"
            "  model.diffusion.config.io_channels: must be 8 (model.io_channels), not 4\n"
            "  model.pretransform.config.latent_dim: must be 8 (model.io_channels), not 4"
        ),
    ),
    in_model(
        "latent_dim that differs from its decoder",
        {"model.pretransform.config.decoder.config.latent_dim": 8},
        (
            "model.pretransform.config.decoder.config.latent_dim: must be 4 "
            "(model.pretransform.config.latent_dim), not 8"
        ),
    ),
    in_model(
        "out_channels that differ",
        {"model.pretransform.config.out_channels": 1},
        (
            "model.pretransform.config.decoder.config.out_channels: must be 1 (the channels of "
            "the pretransform), not 2"
        ),
    ),
    in_model(
        "in_channels that differ",
        {"model.pretransform.config.encoder.config.in_channels": 1},
        (
            "model.pretransform.config.encoder.config.in_channels: must be 2 (the channels of "
            "the pretransform), not 1"
        ),
    ),
    in_model(
        "an encoder of another ratio",
        {"model.pretransform.config.encoder.config.strides": [4, 4, 8, 8]},
        (
            "model.pretransform.config.encoder.config: makes a latent of 1024 samples, but the "
            "decoder 2048 samples of one"
        ),
    ),
    in_model(
        "downsampling_ratio that differs",
        {"model.pretransform.config.downsampling_ratio": 1024},
        (
            "model.pretransform.config.downsampling_ratio: must equal the decoder's ratio "
            "(2048), not 1024"
        ),
    ),
    in_model(
        "sample_size less than a latent",
        {"sample_size": 100},
        "sample_size: must be at least the downsampling_ratio (2048), not 100",
    ),
    in_model(
        "a patch_size that does not divide the latents",
        {"model.diffusion.config.patch_size": 5},
        "sample_size: makes 48 latents, which must be a multiple of 5",
    ),
    in_model(
        "no global_cond_dim for a global embedding",
        {"model.diffusion.config.global_cond_dim": GONE},
        "model.diffusion.config: does not fit the model's latents and conditioning: "
        "this model takes no global conditioning",
    ),
    in_model(
        "no cond_token_dim for tokens",
        {"model.diffusion.config.cond_token_dim": GONE},
        "model.diffusion.config: does not fit the model's latents and conditioning: "
        "this model takes no cross-attention conditioning",
    ),
    in_model(
        "global_cond_dim that differs",
        {"model.diffusion.config.global_cond_dim": 64},
        (
            "model.diffusion.config.global_cond_dim: must be 128 (cond_dim 64 for each of 2 "
            "global_cond_ids), not 64"
        ),
    ),
    in_model(
        "cond_token_dim that differs",
        {"model.diffusion.config.cond_token_dim": 128},
        "model.diffusion.config.cond_token_dim: must be 64 (cond_dim), not 128",
    ),
    in_model(
        "prepend_cond_dim that differs",
        {
            "model.diffusion.config.prepend_cond_dim": 32,
            "model.diffusion.prepend_cond_ids": ["prompt"],
        },
        "model.diffusion.config.prepend_cond_dim: must be 64 (cond_dim), not 32",
    ),
    in_model(
        "unknown conditioning ids",
        {
            "model.diffusion.cross_attention_cond_ids": ["prompt", "secondstotal"],
            "model.diffusion.global_cond_ids": ["seconds_start", "mood"],
        },
        (
            "2 problems\n"
            "  model.diffusion.cross_attention_cond_ids[1]: no conditioner has the id "
            "'secondstotal' (did you mean 'seconds_total'?); known: 'prompt', 'seconds_start', "
            "'seconds_total'\n"
            "  model.diffusion.global_cond_ids[1]: no conditioner has the id 'mood'; known: "
            "'prompt', 'seconds_start', 'seconds_total'"
        ),
    ),
    in_model(
        "a conditioning id twice",
        {"model.conditioning.configs.1.id": "prompt"},
        (
            "3 problems\n"
            "  model.conditioning.configs[1].id: 'prompt' appears twice\n"
            "  model.diffusion.cross_attention_cond_ids[1]: no conditioner has the id "
            "'seconds_start' (did you mean 'seconds_total'?); known: 'prompt', 'prompt', "
            "'seconds_total'\n"
            "  model.diffusion.global_cond_ids[0]: no conditioner has the id 'seconds_start' "
            "(did you mean 'seconds_total'?); known: 'prompt', 'prompt', 'seconds_total'"
        ),
    ),
    in_model(
        "unknown dit options",
        {"model.diffusion.config.dept": 5, "model.diffusion.config.attn_kwargs": {"qk_nrm": "ln"}},
        (
            "2 problems\n"
            "  model.diffusion.config.attn_kwargs.qk_nrm: unknown key (did you mean 'qk_norm'?); "
            "allowed: 'qk_norm', 'differential', 'feat_scale'\n"
            f"  model.diffusion.config.dept: unknown key (did you mean 'depth'?); allowed: {DIT}"
        ),
    ),
    in_model(
        "bad dit options",
        {
            "model.diffusion.config.depth": 0,
            "model.diffusion.config.num_heads": "8",
            "model.diffusion.config.global_cond_type": "adaln",
        },
        (
            "3 problems\n"
            "  model.diffusion.config.depth: must be greater than 0, not 0\n"
            "  model.diffusion.config.num_heads: must be a whole number, not a string\n"
            "  model.diffusion.config.global_cond_type: 'adaln' is not allowed (did you mean "
            "'adaLN'?); allowed: 'prepend', 'adaLN'"
        ),
    ),
    in_model(
        "dit options that exclude each other",
        {"model.diffusion.config.num_heads": 3},
        "model.diffusion.config: embed_dim (64) must be a multiple of num_heads (3)",
    ),
    in_model(
        "a conditioner's options",
        {"model.conditioning.configs.1.config": {"min_val": 5, "max_val": 1}},
        "model.conditioning.configs[1].config: min_val (5) must be below max_val (1)",
    ),
    in_model(
        "a conditioner's unknown option",
        {"model.conditioning.configs.2.config": {"min": 0, "max_val": 512}},
        (
            "model.conditioning.configs[2].config.min: unknown key (did you mean 'min_val'?); "
            "allowed: 'min_val', 'max_val'"
        ),
    ),
    in_model(
        "t5 folder missing",
        {"model.conditioning.configs.0.config.t5_model_name": "./nowhere"},
        (
            "model.conditioning.configs[0].config.t5_model_name: './nowhere' was not found; "
            "tried folder '{cwd}/nowhere', folder 'model/nowhere', and the Hugging Face Hub: "
            "'./nowhere' is not a repository name like 'owner/name'"
        ),
    ),
    in_model(
        "t5 folder of a name too long",
        {"model.conditioning.configs.0.config.t5_model_name": LONG},
        (
            f"model.conditioning.configs[0].config.t5_model_name: '{LONG}' was not found; tried "
            f"folder '{{cwd}}/{LONG}', folder 'model/{LONG}', and the Hugging Face Hub: "
            f"'{LONG}' is not a repository name like 'owner/name'"
        ),
    ),
    Case(
        "t5 folder without d_model",
        (
            "model/model_config.json: model.conditioning.configs[0].config.t5_model_name: "
            "'model/t5' is no T5: its config's d_model: is required, but missing"
        ),
        files={"model/t5/config.json": b'{"model_type": "t5"}'},
    ),
    Case(
        "t5 folder of another network",
        (
            "model/model_config.json: model.conditioning.configs[0].config.t5_model_name: "
            "'model/t5' is no T5: its config's model_type: must be 't5' or 'mt5', not 'umt5'"
        ),
        files={"model/t5/config.json": b'{"model_type": "umt5", "d_model": 64}'},
    ),
    in_model(
        "strides that do not fit c_mults",
        {"model.pretransform.config.decoder.config.strides": [4, 8]},
        (
            "model.pretransform.config.decoder.config: c_mults (4) and strides (2) must be of "
            "equal length: one of each a block"
        ),
    ),
    in_model(
        "shift of no length",
        {"model.diffusion.distribution_shift_options": {"min_length": 9, "max_length": 9}},
        "model.diffusion.distribution_shift_options.max_length: must differ from min_length",
    ),
]

USAGE = [
    Case(
        "both models",
        "--pretrained-name and --model-config exclude each other",
        args=("--pretrained-name", "a/b"),
    ),
    Case(
        "a checkpoint with a Hub model",
        "--ckpt-path goes with --model-config, not with --pretrained-name",
        named=False,
        args=("--pretrained-name", "a/b", "--ckpt-path", "x.ckpt"),
    ),
    Case(
        "--model-config without --ckpt-path",
        "--model-config needs --ckpt-path, the model's checkpoint",
        named=False,
        args=("--model-config", "model/model_config.json"),
    ),
    Case(
        "--ckpt-path alone",
        "--ckpt-path needs --model-config, the model's config",
        named=False,
        args=("--ckpt-path", "model/model.safetensors"),
    ),
    Case(
        "--revision without a name",
        "--revision goes with --pretrained-name",
        args=("--revision", "main"),
    ),
    Case(
        "a Hub name of three parts",
        "'a/b/c' is not a repository name like 'owner/name'",
        named=False,
        args=("--pretrained-name", "a/b/c"),
    ),
    Case(
        "an unknown device",
        "--device: 'gpu' is not a known device; known: 'cpu', 'cuda', 'mps', 'xpu'",
        args=("--device", "gpu"),
    ),
    Case(
        "a misspelt device",
        "--device: 'cudda' is not a known device; known: 'cpu', 'cuda', 'mps', 'xpu'",
        args=("--device", "cudda"),
    ),
    Case(
        "a device with a bad number",
        "--device: 'cuda:x' must be like 'cuda' or 'cuda:0'",
        args=("--device", "cuda:x"),
    ),
    Case(
        "a device that is not there",
        "--device: 'cuda' is not available on this machine; available: 'cpu'",
        args=("--device", "cuda"),
    ),
    Case(
        "a GPU that is not there",
        "--device: 'cuda:99' is not available on this machine; available: 'cpu'",
        args=("--device", "cuda:99"),
    ),
    Case(
        "a second CPU",
        "--device: 'cpu:1' does not exist: this machine has 1 of that kind",
        args=("--device", "cpu:1"),
    ),
    Case(
        "a missing checkpoint",
        "none.safetensors: checkpoint does not exist",
        args=("--ckpt-path", "none.safetensors"),
    ),
    Case(
        "a checkpoint that is a folder",
        "a.ckpt: checkpoint is not a file",
        args=("--ckpt-path", "a.ckpt"),
        files={"a.ckpt": None},
    ),
    Case(
        "a checkpoint below a file",
        "config.json/a.ckpt: checkpoint does not exist",
        args=("--ckpt-path", "config.json/a.ckpt"),
    ),
    Case(
        "a checkpoint of a name too long",
        f"{LONG}.ckpt: checkpoint cannot be read: File name too long",
        args=("--ckpt-path", f"{LONG}.ckpt"),
        only=POSIX,
    ),
    Case(
        "a checkpoint of another ending",
        "model.bin: a checkpoint must end in .safetensors or .ckpt",
        args=("--ckpt-path", "model.bin"),
    ),
    Case(
        "a missing autoencoder checkpoint",
        "none.ckpt: checkpoint does not exist",
        args=("--pretransform-ckpt-path", "none.ckpt"),
    ),
    Case(
        "an autoencoder for a model without one",
        "--pretransform-ckpt-path: this model has no pretransform",
        args=("--pretransform-ckpt-path", "model/model.safetensors"),
        model={"model.pretransform": GONE},
    ),
]


Tensors = dict[str, torch.Tensor]


class Payload:
    """Unpickling this makes a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("pwned",)


def pickled(content: Any, *, zipped: bool = True) -> bytes:
    """The bytes of a checkpoint of torch.save."""
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def without(tensors: Tensors, *gone: str) -> Tensors:
    """The tensors but for some."""
    return {name: tensor for name, tensor in tensors.items() if name not in gone}


@dataclass(frozen=True)
class Weights:
    """One bad checkpoint.

    Attributes:
        name: What is bad about it.
        message: All of standard error after ``error: `` and the checkpoint's name.
        content: Makes the file from the tensors of a good one.
        file: Its name.
    """

    name: str
    message: str
    content: Callable[[Tensors], bytes]
    file: str = "bad.safetensors"


DAMAGED = "is cut short, damaged, or no safetensors file"
DAMAGED_CKPT = "is cut short, damaged, or no checkpoint of torch.save (PyTorch 1.6 or newer)"
OBJECTS = (
    "holds Python objects besides tensors, which are refused because reading them could run code; "
    "convert it to safetensors where you trust it"
)
UNFIT = "does not fit the model config"
NUMBERS = "conditioner.conditioners.seconds_start.embedder.embedding.1"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"

CHECKPOINTS = [
    Weights("empty", "is empty", lambda _: b""),
    Weights("garbage", DAMAGED, lambda _: bytes(range(256)) * 4),
    Weights("text", DAMAGED, lambda _: b"<!doctype html>" * 10),
    Weights("shorter than a header", DAMAGED, lambda _: b"\x10\0\0"),
    Weights("an absurd header length", DAMAGED, lambda _: struct.pack("<Q", 2**63 - 1) + b"{}"),
    Weights("a header of other JSON", DAMAGED, lambda _: struct.pack("<Q", 7) + b'{"a":1}'),
    Weights("truncated", DAMAGED, lambda tensors: save(tensors)[:-100]),
    Weights("truncated in the header", DAMAGED, lambda tensors: save(tensors)[:100]),
    Weights(
        "a Git LFS pointer",
        "is a Git LFS pointer, not the checkpoint itself; run 'git lfs pull'",
        lambda _: POINTER,
    ),
    Weights(
        "a missing tensor",
        f"{UNFIT}: {NUMBERS}.bias: missing, expected [64]",
        lambda tensors: save(without(tensors, f"{NUMBERS}.bias")),
    ),
    Weights(
        "an unexpected tensor",
        f"{UNFIT}: model.model.more.weight: unexpected, [2, 3]",
        lambda tensors: save(tensors | {"model.model.more.weight": torch.zeros(2, 3)}),
    ),
    Weights(
        "a misshapen tensor",
        f"{UNFIT}: {NUMBERS}.bias: has the shape [32], expected [64]",
        lambda tensors: save(tensors | {f"{NUMBERS}.bias": torch.zeros(32)}),
    ),
    Weights(
        "a tensor of whole numbers",
        f"{UNFIT}: {NUMBERS}.bias: holds torch.int8, expected floating-point numbers",
        lambda tensors: save(tensors | {f"{NUMBERS}.bias": torch.zeros(64, dtype=torch.int8)}),
    ),
    Weights(
        "tensors of every wrong kind",
        f"{UNFIT}: 5 problems\n"
        f"  {NUMBERS}.weight: missing, expected [64, 257]\n"
        f"  {NUMBERS}.bias: missing, expected [64]\n"
        "  a: unexpected, [1]\n"
        "  b: unexpected, []\n"
        "  pretransform.model.decoder.layers.0.bias: has the shape [31], expected [32]",
        lambda tensors: save(
            without(tensors, f"{NUMBERS}.weight", f"{NUMBERS}.bias")
            | {"a": torch.zeros(1), "b": torch.zeros(())}
            | {"pretransform.model.decoder.layers.0.bias": torch.zeros(31)}
        ),
    ),
    Weights("an empty .ckpt", "is empty", lambda _: b"", "bad.ckpt"),
    Weights("a .ckpt of text", DAMAGED_CKPT, lambda _: b"not found\n" * 50, "bad.ckpt"),
    Weights("a .ckpt of safetensors", DAMAGED_CKPT, save, "bad.ckpt"),
    Weights("a truncated .ckpt", DAMAGED_CKPT, lambda tensors: pickled(tensors)[:5000], "bad.ckpt"),
    Weights(
        "a truncated .ckpt of old",
        DAMAGED_CKPT,
        lambda tensors: pickled(tensors, zipped=False)[:-100],
        "bad.ckpt",
    ),
    Weights(
        "a .ckpt with code",
        OBJECTS,
        lambda tensors: pickled({"state_dict": {**tensors, "x": Payload()}}),
        "bad.ckpt",
    ),
    Weights(
        "a .ckpt of old with code",
        DAMAGED_CKPT,
        lambda tensors: pickled({**tensors, "x": Payload()}, zipped=False),
        "bad.pt",
    ),
    Weights(
        "a pickle with code", DAMAGED_CKPT, lambda _: pickle.dumps(Payload(), protocol=2), "bad.pth"
    ),
    Weights(
        "a new pickle with code",
        DAMAGED_CKPT,
        lambda _: pickle.dumps(Payload(), protocol=5),
        "bad.pth",
    ),
    Weights(
        "a .ckpt with hyperparameters",
        OBJECTS,
        lambda tensors: pickled({"state_dict": tensors, "args": argparse.Namespace(lr=1)}),
        "bad.ckpt",
    ),
    Weights(
        "a .ckpt without a state_dict",
        "holds no tensors by name (a state_dict)",
        lambda _: pickled({"epoch": 3, "state_dict": {"epoch": 3}}),
        "bad.ckpt",
    ),
    Weights(
        "a .ckpt of a list",
        "holds no tensors by name (a state_dict)",
        lambda tensors: pickled(list(tensors.values())[:2]),
        "bad.ckpt",
    ),
    Weights(
        "a .ckpt of training without a tensor",
        f"{UNFIT}: {NUMBERS}.bias: missing, expected [64]",
        lambda tensors: pickled(
            {
                "state_dict": {
                    f"diffusion.{name}": tensor
                    for name, tensor in without(tensors, f"{NUMBERS}.bias").items()
                }
            }
        ),
        "bad.ckpt",
    ),
]

AUTOENCODERS = [
    Weights("truncated", DAMAGED, lambda tensors: save(tensors)[:-100]),
    Weights("with code", OBJECTS, lambda tensors: pickled({**tensors, "x": Payload()}), "bad.ckpt"),
    Weights(
        "one that does not fit",
        f"{UNFIT}: 2 problems\n"
        "  decoder.layers.0.bias: missing, expected [32]\n"
        "  decoder.layers.6.weight_v: has the shape [1, 4, 7], expected [2, 4, 7]",
        lambda tensors: save(
            without(tensors, "pretransform.model.decoder.layers.0.bias")
            | {"pretransform.model.decoder.layers.6.weight_v": torch.zeros(1, 4, 7)}
        ),
    ),
]

USAGE_ERRORS = {
    "generate": "nothing to generate: give prompts, or a config",
    "generate --generation-config": "requires an argument",
    "generate --generation-confg x": "No such option: --generation-confg.*--generation-config",
    "generate --generation-config x --pretrained-nam a/b": "No such option.*--pretrained-name",
    "generate --generation-config x --zzz": "No such option: --zzz",
    "generate --generation-config x more": "unexpected extra argument",
    "generat": "No such command 'generat'. Did you mean 'generate'",
}


def named(case: Case | Weights) -> str:
    """The name of a case among those of its test."""
    return case.name


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a case."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return tmp_path


@pytest.fixture(scope="module")
def tensors(tmp_path_factory: pytest.TempPathFactory) -> Tensors:
    """The tensors that fit the model."""
    folder = tmp_path_factory.mktemp("tensors")
    write(folder, {"t5/config.json": b'{"d_model": 64}'})
    return random_weights(tiny_config(), folder)


@pytest.fixture(scope="module")
def text_encoder(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """The files of a text encoder: it is loaded before the model's own weights."""
    folder = tmp_path_factory.mktemp("text") / "model" / "t5"
    write_tiny_text_encoder(folder)
    return {f"model/t5/{path.name}": path.read_bytes() for path in folder.iterdir()}


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below a folder, with what the files hold."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        if path.is_file() and path.stat().st_size < 1 << 22
        else None
        for path in folder.rglob("*")
    }


def write(folder: Path, files: Mapping[str, bytes | None]) -> None:
    """Writes files and, for None, folders."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)


def run(case: Case, audiogen: Command, place: Path) -> Result:
    """Runs a case, and makes sure that it left every file as it was and wrote no other."""

    def content(given: Edits | bytes, base: Mapping[str, Any]) -> bytes:
        return given if isinstance(given, bytes) else json.dumps(edited(base, given)).encode()

    write(
        place,
        {
            "config.json": content(case.config, CONFIG),
            "model/model_config.json": content(case.model, tiny_config()),
            "model/model.safetensors": b"never read",
            "model/t5/config.json": b'{"d_model": 64}',
            **case.files,
        },
    )
    if case.prepare is not None:
        case.prepare()
    model = {
        "--model-config": "model/model_config.json",
        "--ckpt-path": "model/model.safetensors",
    }
    options = {
        "--generation-config": "config.json",
        "--device": "cpu",
        **(model if case.named else {}),
        **dict(zip(case.args[::2], case.args[1::2], strict=True)),
    }
    before = tree(place)
    result = audiogen("generate", "--quiet", *(word for pair in options.items() for word in pair))
    assert tree(place) == before
    return Result(result.code, result.out, result.err.replace(str(place), "{cwd}"))


@pytest.mark.parametrize(
    "case",
    [*JSON, *SECTION, *VALUES, *INPUT, *SAMPLE, *AUDIO_PROMPT, *READY_MADE, *OUT, *MODEL, *USAGE],
    ids=named,
)
def test_refused_before_weights(
    case: Case, audiogen: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad input ends with its message and exit code 2; no weights are read, nothing is written."""
    if case.only and not sys.platform.startswith(case.only):
        pytest.skip(f"needs {' or '.join(case.only)}")
    monkeypatch.setattr("audiogen_core.models.checkpoint.open_checkpoint", lambda _: 1 / 0)
    result = run(case, audiogen, place)
    assert result.err == f"error: {case.message}\n"
    assert (result.out, result.code) == ("", 2)


@pytest.mark.parametrize("case", CHECKPOINTS, ids=named)
def test_refused_checkpoint(
    case: Weights,
    tensors: Tensors,
    text_encoder: Mapping[str, bytes],
    audiogen: Command,
    place: Path,
) -> None:
    """A bad checkpoint ends with its message and exit code 2; no code in it runs."""
    files = {**text_encoder, case.file: case.content(tensors)}
    given = Case(case.name, "", files=files, args=("--ckpt-path", case.file))
    result = run(given, audiogen, place)
    assert result.err == f"error: {case.file}: {case.message}\n"
    assert (result.out, result.code) == ("", 2)


@pytest.mark.parametrize("case", AUTOENCODERS, ids=named)
def test_refused_autoencoder(
    case: Weights,
    tensors: Tensors,
    text_encoder: Mapping[str, bytes],
    audiogen: Command,
    place: Path,
) -> None:
    """A bad checkpoint of an autoencoder is refused as that of a model is."""
    model = {"model/model.safetensors": save(tensors)}
    files = {**text_encoder, **model, case.file: case.content(tensors)}
    given = Case(case.name, "", files=files, args=("--pretransform-ckpt-path", case.file))
    result = run(given, audiogen, place)
    assert result.err == f"error: {case.file}: {case.message}\n"
    assert (result.out, result.code) == ("", 2)


def test_payload_would_run(place: Path) -> None:
    """The code in the refused pickles does run when something unpickles it."""
    pickle.loads(pickle.dumps(Payload()))  # noqa: S301
    assert (place / "pwned").is_dir()


@pytest.mark.parametrize("line", USAGE_ERRORS)
def test_usage(line: str, audiogen: Command, place: Path) -> None:
    """Wrong usage of the command line ends with a message, a suggestion and exit code 2."""
    result = audiogen(*line.split())
    text = " ".join(re.sub("[│╭╮╰╯─]", " ", result.err).split())
    assert re.search(USAGE_ERRORS[line], text), text
    assert (result.out, result.code, tree(place)) == ("", 2, {})


def test_standard_input(audiogen: Command, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad config from standard input is named so."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"input": 1,}')))
    result = run(Case("", "", args=("--generation-config", "-")), audiogen, place)
    assert result.err.startswith("error: standard input: line 1, column 1")
    assert (result.out, result.code) == ("", 2)


def test_standard_input_closed(
    audiogen: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no standard input, the message says so."""
    monkeypatch.setattr(sys, "stdin", None)
    result = run(Case("", "", args=("--generation-config", "-")), audiogen, place)
    assert result.err == "error: --generation-config -: standard input is closed\n"
    assert (result.out, result.code) == ("", 2)


def test_standard_input_unreadable(
    audiogen: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where standard input is a folder or goes away, the message says so."""
    reads = Mock(**{"buffer.read.side_effect": IsADirectoryError(21, "Is a directory")})
    monkeypatch.setattr(sys, "stdin", reads)
    result = run(Case("", "", args=("--generation-config", "-")), audiogen, place)
    said = "--generation-config -: standard input cannot be read: Is a directory"
    assert result.err == f"error: {said}\n"
    assert (result.out, result.code) == ("", 2)


def test_claimed_terabytes_are_not_read(
    audiogen: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An embedding whose header lies about its size is refused before any of it is loaded."""
    monkeypatch.setattr(np, "load", lambda *_, **__: 1 / 0)
    (case,) = (one for one in AUDIO_PROMPT if one.name == "audio prompt: of terabytes")
    assert run(case, audiogen, place).code == 2


def test_byte_order_mark(audiogen: Command, place: Path) -> None:
    """A byte-order mark before a config is nothing bad: what is wrong comes after it."""
    config = b"\xef\xbb\xbf" + json.dumps(edited(CONFIG, {"generation.steps": 0})).encode()
    result = run(Case("", "", config=config), audiogen, place)
    assert result.err == "error: config.json: generation.steps: must be at least 1, not 0\n"


def test_real_process(place: Path) -> None:
    """A process of its own ends with the message, no traceback and exit code 2."""
    (place / "config.json").write_text('{"input": {"type": "confg"}, "genration": 1}')
    result = audiogen_process(
        "generate", "--pretrained-name", "a/b", "--generation-config", "config.json", cwd=place
    )
    assert result == Result(
        2,
        "",
        "error: config.json: 2 problems\n"
        f"  genration: unknown section (did you mean 'generation'?); allowed: {SECTIONS}\n"
        "  input.type: 'confg' is not a known input source (did you mean 'config'?); "
        f"known: {INPUTS}\n",
    )
    assert sorted(tree(place)) == ["config.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embed", "x.wav", "--out", "out"], "x.wav: holds no audio"),
        (["show", "x.wav"], "x.wav: is no audio file"),
        (["again", "x.wav"], "x.wav: is no audio file"),
        (
            ["plan", "--prompt", "a", "--set", "conditioning_defaults.init_audio=x.wav"],
            "init_audio: file 'x.wav' holds no audio",
        ),
    ],
)
def test_a_codec_that_nobody_knows(
    arguments: list[str], message: str, audiogen: Command, tmp_path: Path
) -> None:
    """A file that is audio by its form, and holds a codec that FFmpeg has none for."""
    Wav().encode(tones(0.1), 44100, tmp_path / "x.wav", Tags())
    content = bytearray((tmp_path / "x.wav").read_bytes())
    content[20:22] = struct.pack("<H", 0x1234)
    (tmp_path / "x.wav").write_bytes(content)
    result = audiogen(*arguments, cwd=tmp_path)
    assert (result.code, result.out) == (2, ""), result.err
    assert message in result.err


@pytest.mark.parametrize("command", ["report", "manifest"])
def test_folders_whose_names_are_too_long(command: str, audiogen: Command) -> None:
    """They are no folders, and no tracebacks."""
    result = audiogen(command, 300 * "x")
    assert (result.code, result.out) == (2, "")
    assert result.err == f"error: '{300 * 'x'}' is not a folder\n"


def test_json_is_json_wherever_it_goes(tmp_path: Path) -> None:
    """Also where standard output holds ASCII alone."""
    prompt = "caf\u00e9 \U0001f3b5"
    (tmp_path / "prompts.txt").write_text(prompt, "utf-8")
    source = '{"type": "file", "prompts_file": "prompts.txt"}'
    result = audiogen_process(
        "plan", "--prompt", "a", "--set", f"input={source}", "--json",
        cwd=tmp_path, PYTHONIOENCODING="ascii",
    )  # fmt: skip
    assert result.code == 0, result.err
    _, output = map(json.loads, result.out.splitlines())
    assert output["name"].startswith(prompt)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("file://sounds/out", "must be a folder of this machine, file:///folder, with three"),
        ("file://~/out", "must be a folder of this machine, file:///folder, with three slashes"),
        ("file://", "must be a folder of this machine, file:///folder, with three slashes"),
        ("file:///data/take#1", "must be an address without '?' and '#'"),
        ("file:///data/a?b", "must be an address without '?' and '#'"),
        ("file://[x", "is no address: Invalid IPv6 URL"),
        ("file:///tmp/a%00b", "holds a null character"),
    ],
)
def test_places_that_are_no_folders(
    place: str, message: str, audiogen: Command, tmp_path: Path
) -> None:
    """Half of such an address would be another folder."""
    result = audiogen("plan", "--prompt", "rain", "--out", place, cwd=tmp_path)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert audiogen("plan", "--prompt", "rain", "--out", f"file://{tmp_path}/out").code == 0
