"""This project's command, timed from inside."""

import json
import sys

from clock import job

folder, wanted, clock = job()

from audiogen_cli.app import main  # noqa: E402

config = {
    "generation": {
        "steps": wanted["steps"],
        "cfg_scale": wanted["cfg_scale"],
        "sampler_type": wanted["sampler"],
        "seed": 1,
    },
    "conditioning_defaults": {"seconds_start": 0, "seconds_total": wanted["seconds"]},
    "input": {"type": "config", "samples": [{"prompt": one} for one in wanted["prompts"]]},
    "output": {"output_dir": wanted["out"], "file_format": "wav", "file_naming": "prompt"},
}
path = folder / "generation.json"
path.write_text(json.dumps(config), encoding="utf-8")


def watch() -> None:
    """Times what takes long, once torch is needed anyway."""
    from audiogen_core.models.pretransform import Pretransform
    from audiogen_plugins.backbones.dit import DiffusionTransformer

    clock.times(DiffusionTransformer, "forward", "step")
    clock.times(Pretransform, "decode", "decode")


sys.argv = [
    "audiogen", "generate", "--generation-config", str(path),
    "--model-config", str(folder / "model_config.json"),
    "--ckpt-path", str(folder / "model.safetensors"),
    *wanted["options"],
]  # fmt: skip
watch()
try:
    main()
finally:
    clock.tell()
