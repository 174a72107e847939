"""The reference implementation, as its own script uses it: one sample at a time."""

import json

from clock import job, write_wav

folder, wanted, clock = job()

from pathlib import Path  # noqa: E402

from stable_audio_tools.inference.generation import generate_diffusion_cond  # noqa: E402
from stable_audio_tools.models.conditioners import T5Conditioner  # noqa: E402
from stable_audio_tools.models.factory import create_model_from_config  # noqa: E402
from stable_audio_tools.models.utils import load_ckpt_state_dict  # noqa: E402

device = wanted["device"]
config = json.loads((folder / "model_config.json").read_text(encoding="utf-8"))
text = config["model"]["conditioning"]["configs"][0]["config"]
text["t5_model_name"] = str(folder / "t5")
T5Conditioner.T5_MODELS.append(text["t5_model_name"])
T5Conditioner.T5_MODEL_DIMS[text["t5_model_name"]] = 768

if device == "cpu":
    # Its decoder would run in float16, in which a CPU takes many minutes; ours ignores this there.
    config["model"]["pretransform"]["model_half"] = False
model = create_model_from_config(config)
model.load_state_dict(load_ckpt_state_dict(str(folder / "model.safetensors")))
model = model.to(device).eval().requires_grad_(False)
if wanted["half"]:
    model = model.half() if device != "cpu" else model.bfloat16()
clock.times(type(model.model), "forward", "step")
clock.times(type(model.pretransform), "decode", "decode")
out = Path(wanted["out"])
out.mkdir(parents=True, exist_ok=True)
extra = (
    {"sigma_min": 0.3, "sigma_max": 500}
    if config["model"]["diffusion"].get("diffusion_objective", "v") == "v"
    else {}
)
for number, prompt in enumerate(wanted["prompts"]):
    audio = generate_diffusion_cond(
        model,
        steps=wanted["steps"],
        cfg_scale=wanted["cfg_scale"],
        conditioning=[{"prompt": prompt, "seconds_start": 0, "seconds_total": wanted["seconds"]}],
        sample_size=config["sample_size"],
        sampler_type=wanted["sampler"],
        seed=number,
        device=device,
        **extra,
    )
    cut = audio[0, :, : round(wanted["seconds"] * config["sample_rate"])]
    write_wav(out / f"{number}.wav", cut.cpu(), config["sample_rate"])
clock.tell()
