"""StableAudioPipeline of diffusers; with "make" for a job, it writes one with random weights."""

import sys
from pathlib import Path

from clock import job, write_wav


def make(folder: Path) -> None:
    """Writes a pipeline of Stable Audio Open 1.0's shapes, and the text encoder that is there."""
    from diffusers import (
        AutoencoderOobleck,
        CosineDPMSolverMultistepScheduler,
        StableAudioDiTModel,
        StableAudioPipeline,
    )
    from diffusers.pipelines.stable_audio.modeling_stable_audio import StableAudioProjectionModel
    from transformers import AutoTokenizer, T5EncoderModel

    StableAudioPipeline(
        vae=AutoencoderOobleck(),
        text_encoder=T5EncoderModel.from_pretrained(folder / "t5"),
        projection_model=StableAudioProjectionModel(768, 768, 0, 512),
        tokenizer=AutoTokenizer.from_pretrained(folder / "t5", model_max_length=128),
        transformer=StableAudioDiTModel(),
        scheduler=CosineDPMSolverMultistepScheduler(
            sigma_min=0.3, sigma_max=500, prediction_type="v_prediction"
        ),
    ).save_pretrained(folder / "diffusers")


def run() -> None:
    """Makes what the job wants, in one batch a prompt, as its documentation does."""
    folder, wanted, clock = job()
    import torch
    from diffusers import StableAudioPipeline

    dtype = torch.float32
    if wanted["half"]:
        dtype = torch.bfloat16 if wanted["device"] == "cpu" else torch.float16
    pipeline = StableAudioPipeline.from_pretrained(folder / "diffusers", torch_dtype=dtype)
    pipeline = pipeline.to(wanted["device"])
    clock.times(type(pipeline.transformer), "forward", "step")
    clock.times(type(pipeline.vae), "decode", "decode")
    out = Path(wanted["out"])
    out.mkdir(parents=True, exist_ok=True)
    for number, prompt in enumerate(wanted["prompts"]):
        audio = pipeline(
            prompt,
            num_inference_steps=wanted["steps"],
            guidance_scale=wanted["cfg_scale"],
            audio_end_in_s=wanted["seconds"],
            generator=torch.Generator().manual_seed(number),
        ).audios[0]
        write_wav(out / f"{number}.wav", audio.cpu(), 44100)
    clock.tell()


if sys.argv[2] == "make":
    make(Path(sys.argv[1]))
else:
    run()
