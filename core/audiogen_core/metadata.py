"""What is known of an output: the documented keys, and what it takes to make the file again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import audiogen_core
from audiogen_core.batching import Batch, Place
from audiogen_core.devices import name_of
from audiogen_core.identity import content_digest
from audiogen_core.jobs import form_of
from audiogen_core.prepare import Planned
from audiogen_core.recordings import FILES
from audiogen_core.registry import Origin

MAX_OTHERS = 1 << 20
"""Characters about the others of a batch: many prompts, and far less than metadata may hold."""


def metadata(planned: Planned, batch: Batch, index: int, samples: int) -> dict[str, Any]:
    """Describes one output, as JSON.

    Args:
        planned: What is made.
        batch: What it was sampled with.
        index: Its place in the batch.
        samples: The length of the file, in samples a channel.
    """
    config, model = planned.request.config, planned.model
    job = batch.jobs[index]
    file = model.config.file
    form = form_of(config)
    recordings = digests_of_recordings(job.values)
    return {
        "generation_config": job.settings.complete(job.seed),
        "conditioning": dict(job.values),
        "sample_rate": model.config.sample_rate,
        "file_format": form.pop("file_format"),
        "model_config": {
            "sample_rate": model.config.sample_rate,
            "sample_size": file.sample_size,
            "model_type": file.model_type,
        },
        "model": dict(planned.identity),
        "output": {
            "seconds": samples / model.config.sample_rate,
            "channels": model.config.channels,
            **{key: value for key, value in form.items() if value != {}},
        },
        "identity": job.identity,
        **({"recordings": recordings} if recordings else {}),
        "batch": _place(Place.of(batch, index)),
        "software": {
            "audiogen": audiogen_core.__version__,
            "device": str(planned.request.device),
            "dtype": name_of(planned.request.dtype),
            "plugins": {key: str(origin) for key, origin in _used(planned, batch).items()},
        },
    }


def digests_of_recordings(values: Mapping[str, Any]) -> dict[str, str]:
    """The SHA-256 of each recording that is there, by the key that names it."""
    found = {}
    for key in FILES:
        if (path := values.get(key)) is not None:
            with suppress(OSError):
                found[key] = content_digest(Path(path))
    return found


def _place(place: Place) -> dict[str, Any]:
    """The place of an output, each conditioning of others written once."""
    others: list[dict[str, Any]] = []
    for number, values in place.others.items():
        same = next((one for one in others if one["conditioning"] == values), None)
        if same is None:
            others.append({"at": [number], "conditioning": dict(values)})
        else:
            same["at"].append(number)
    told = {"size": place.size, "index": place.index}
    few = others and len(json.dumps(others)) <= MAX_OTHERS
    return {**told, "others": others} if few else told


def _used(planned: Planned, batch: Batch) -> dict[str, Origin]:
    """The distributions of the plugins that took part, by what they did."""
    config, plugins = planned.request.config, planned.plugins
    model = planned.model.config.file.model
    used = {
        "sampler": plugins.samplers.origin(batch.settings.sampler.NAME),
        "input": plugins.inputs.origin(config.source.NAME),
        "naming": plugins.naming.origin(config.naming.NAME),
        "encoder": plugins.encoders.origin(config.encoder.NAME),
        "backbone": plugins.backbones.origin(model.diffusion.type),
    }
    for one in config.post_processors:
        used[f"post-processor {one.NAME}"] = plugins.post_processors.origin(one.NAME)
    for watcher in config.observers:
        used[f"observer {watcher.NAME}"] = plugins.observers.origin(watcher.NAME)
    for section in planned.model.config.conditioners:
        if section.type in plugins.conditioners:
            used[f"conditioner {section.id}"] = plugins.conditioners.origin(section.type)
    if model.pretransform is not None:
        autoencoder = model.pretransform.config
        used["autoencoder"] = plugins.autoencoders.origin(autoencoder.decoder.type)
        if autoencoder.bottleneck is not None:
            used["bottleneck"] = plugins.bottlenecks.origin(autoencoder.bottleneck.type)
    return used
