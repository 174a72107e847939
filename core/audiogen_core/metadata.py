"""The JSON beside each output: the documented keys, and what it takes to make the file again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import audiogen_core
from audiogen_core.config import GenerationConfig
from audiogen_core.interfaces.sampler import Sampler
from audiogen_core.jobs import Batch, Job
from audiogen_core.models.config import ModelConfig
from audiogen_core.plugin_manager import PluginManager


def metadata(
    job: Job,
    batch: Batch,
    config: GenerationConfig,
    sampler: Sampler,
    model: ModelConfig,
    *,
    identity: dict[str, Any],
    plugins: PluginManager,
    samples: int,
    device: str,
    dtype: str,
) -> dict[str, Any]:
    """Describes one output.

    Args:
        job: The output.
        batch: What it was sampled with.
        config: The run's config.
        sampler: The sampler that was used.
        model: The model's config.
        identity: Where the model and its text encoders came from.
        plugins: For the distributions that took part.
        samples: The length of the file, in samples a channel.
        device: Where it was computed.
        dtype: The type of the weights.
    """
    generation = {
        **config.generation.model_dump(),
        **sampler.options.model_dump(mode="json"),
        "sampler_type": sampler.NAME,
        "seed": job.seed,
    }
    options = config.encoder.options.model_dump(mode="json")
    used = {
        "sampler": plugins.samplers.origin(sampler.NAME),
        "input": plugins.inputs.origin(config.source.NAME),
        "naming": plugins.naming.origin(config.naming.NAME),
        "encoder": plugins.encoders.origin(config.encoder.NAME),
        **{
            f"post-processor {one.NAME}": plugins.post_processors.origin(one.NAME)
            for one in config.post_processors
        },
        "backbone": plugins.backbones.origin(model.file.model.diffusion.type),
        **{
            f"conditioner {section.id}": plugins.conditioners.origin(section.type)
            for section in model.conditioners
        },
    }
    return {
        "generation_config": generation,
        "conditioning": dict(job.values),
        "sample_rate": model.sample_rate,
        "file_format": config.encoder.NAME,
        "model_config": {
            "sample_rate": model.sample_rate,
            "sample_size": model.file.sample_size,
            "model_type": model.file.model_type,
        },
        "model": identity,
        "output": {
            **({"file_format_options": options} if options else {}),
            "seconds": samples / model.sample_rate,
            "channels": model.channels,
            "cut_to_seconds_total": config.output.cut_to_seconds_total,
            "post_processing": [
                {"name": one.NAME, **one.options.model_dump(mode="json")}
                for one in config.post_processors
            ],
        },
        "batch": {"size": len(batch.jobs), "index": job.copy},
        "software": {
            "audiogen": audiogen_core.__version__,
            "device": device,
            "dtype": dtype,
            "plugins": {key: str(origin) for key, origin in used.items()},
        },
    }


def write_metadata(content: dict[str, Any], path: Path) -> None:
    """Writes metadata as indented UTF-8 JSON."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")
