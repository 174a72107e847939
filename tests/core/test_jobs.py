"""Jobs: one an output, each with its seed, its name and its checked values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from audiogen_core import audio_file, seeds
from audiogen_core.config import parse_config
from audiogen_core.errors import MAX_PROBLEMS, InputError
from audiogen_core.job import Job
from audiogen_core.jobs import Plan, plan_jobs
from audiogen_core.models.config import parse_model_config
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.tags import Tags
from audiogen_core.testing.encoders import tones
from audiogen_core.testing.tiny_model import tiny_config
from audiogen_plugins.encoders.wav import Wav

DEFAULTS = {"prompt": "", "seconds_start": 0, "seconds_total": 1}


def planned(
    *samples: Mapping[str, Any],
    defaults: Mapping[str, Any] | None = DEFAULTS,
    model: Mapping[str, Any] | None = None,
    cut: bool = True,
    **generation: Any,
) -> Plan:
    """Plans samples for a model of 2.18 seconds."""
    plugins = installed_plugins()
    config: dict[str, Any] = {
        "generation": {"seed": 5, **generation},
        "input": {"type": "config", "samples": list(samples or [{}])},
        "output": {"cut_to_seconds_total": cut},
    }
    if defaults is not None:
        config["conditioning_defaults"] = defaults
    return plan_jobs(
        parse_config(config, plugins, "config.json"),
        parse_model_config(dict(model or tiny_config()), "model.json"),
        plugins,
    )


def jobs(plan: Plan) -> list[Job]:
    """All jobs of a plan."""
    return list(plan.jobs)


def problems(*samples: Mapping[str, Any], **others: Any) -> list[str]:
    """What is wrong with samples."""
    with pytest.raises(InputError) as caught:
        planned(*samples, **others)
    return [str(problem) for problem in caught.value.problems]


def without_conditioners(*ids: str) -> dict[str, Any]:
    """A model that lacks some conditioners."""
    config = tiny_config()
    model = config["model"]
    conditioning = model["conditioning"]
    conditioning["configs"] = [one for one in conditioning["configs"] if one["id"] not in ids]
    for key in ("cross_attention_cond_ids", "global_cond_ids"):
        model["diffusion"][key] = [one for one in model["diffusion"][key] if one not in ids]
    count = len(model["diffusion"]["global_cond_ids"])
    model["diffusion"]["config"]["global_cond_dim"] = count * conditioning["cond_dim"]
    return config


def test_one_job_an_output() -> None:
    """Every sample makes as many jobs as batch_size says, in order."""
    plan = planned({"prompt": "a"}, {"prompt": "b"}, batch_size=3)
    assert [(job.index, job.copy) for job in jobs(plan)] == [
        (0, 0), (1, 1), (2, 2), (3, 0), (4, 1), (5, 2),
    ]  # fmt: skip
    assert [job.where for job in jobs(plan)] == ["input.samples[0]"] * 3 + ["input.samples[1]"] * 3


def test_seeds_count_up_in_a_batch() -> None:
    """Copy k of a sample has the seed plus k, the same for every sample."""
    plan = planned({"prompt": "a"}, {"prompt": "b"}, batch_size=3, seed=40)
    assert [job.seed for job in jobs(plan)] == [40, 41, 42, 40, 41, 42]


def test_highest_seed() -> None:
    """The last seed of a batch may be the highest that there is."""
    plan = planned(seed=2**63 - 2, batch_size=2)
    assert [job.seed for job in jobs(plan)] == [2**63 - 2, 2**63 - 1]


def test_fresh_seeds_are_distinct(monkeypatch: pytest.MonkeyPatch) -> None:
    """With -1 every output draws a seed of its own, again where one was drawn before."""
    monkeypatch.setattr(seeds, "SEEDS", 5)
    plan = planned({}, {"prompt": "a"}, {}, {"prompt": "b"}, {}, seed=-1)
    assert sorted(job.seed for job in jobs(plan)) == [0, 1, 2, 3, 4]


def test_fresh_seeds_differ_between_runs() -> None:
    """With -1 two runs do not make the same."""
    first, second = ([job.seed for job in jobs(planned(seed=-1, batch_size=50))] for _ in "ab")
    assert not set(first) & set(second)
    assert len(set(first)) == 50
    assert all(0 <= seed < 2**32 for seed in first)


def test_names_are_unique() -> None:
    """Equal samples get names of their own."""
    plan = planned({"prompt": "a"}, {"prompt": "A"}, {"prompt": "a"})
    assert [job.stem for job in jobs(plan)] == ["a.cfg7.0.5", "A.cfg7.0.5-2", "a.cfg7.0.5-3"]


def test_defaults_fill_in() -> None:
    """A sample's own value wins over the default; what it leaves out is filled in."""
    plan = planned(
        {"prompt": "a", "seconds_total": 2}, {}, defaults={**DEFAULTS, "negative_prompt": "noise"}
    )
    first, second = jobs(plan)
    assert first.values == {
        "prompt": "a", "seconds_start": 0, "seconds_total": 2, "negative_prompt": "noise",
    }  # fmt: skip
    assert second.values == {**DEFAULTS, "negative_prompt": "noise"}


def test_null_overrides_a_default() -> None:
    """A sample's null takes a default away."""
    defaults = {**DEFAULTS, "negative_prompt": "noise"}
    (job,) = jobs(planned({"negative_prompt": None}, defaults=defaults))
    assert job.values["negative_prompt"] is None
    assert job.negative_prompt is None
    assert problems({"seconds_total": None}) == [
        "input.samples[0].seconds_total: this model needs a value; give one here or in "
        "conditioning_defaults"
    ]


@pytest.mark.parametrize(
    ("given", "negative"), [("noise", "noise"), ("", None), (None, None), (" ", " ")]
)
def test_negative_prompt(given: str | None, negative: str | None) -> None:
    """An empty negative prompt is none."""
    (job,) = jobs(planned({"negative_prompt": given}))
    assert job.negative_prompt == negative


def test_a_negative_prompt_is_checked_like_the_prompt() -> None:
    """It goes through the conditioner of the prompt, which may not take every text."""
    model = tiny_config()
    model["model"]["conditioning"]["configs"][0] = {
        "id": "prompt", "type": "list", "config": {"options": ["kick", "snare"]}
    }  # fmt: skip
    defaults = {**DEFAULTS, "prompt": "kick"}
    accepted = planned(
        {"negative_prompt": "snare"}, {"negative_prompt": ""}, defaults=defaults, model=model
    )
    assert len(accepted.jobs) == 2
    assert problems({"negative_prompt": "snarr"}, defaults=defaults, model=model) == [
        "input.samples[0].negative_prompt: 'snarr' is not known (did you mean 'snare'?); allowed: "
        "'kick', 'snare'"
    ]


def test_defaults_absent() -> None:
    """Without the section, the documented defaults hold: a prompt is all that is needed."""
    (job,) = jobs(planned({"prompt": "a"}, defaults=None))
    assert job.values == {
        "prompt": "a",
        "audio_prompt": None,
        "seconds_start": 0,
        "seconds_total": 30,
        "negative_prompt": None,
    }


def test_defaults_present_but_short() -> None:
    """With the section, nothing else is filled in: every sample that lacks a value is named."""
    needs = "this model needs a value; give one here or in conditioning_defaults"
    assert problems({"prompt": "a"}, {"seconds_start": 1}, defaults={"seconds_total": 1}) == [
        f"input.samples[0].seconds_start: {needs}",
        f"input.samples[1].prompt: {needs}",
    ]


def test_documented_keys_without_conditioner_are_ignored() -> None:
    """Documented keys may stand where the model has no use for them, files or not."""
    defaults = {**DEFAULTS, "audio_prompt": None, "seconds_start": 9999}
    model = without_conditioners("seconds_start")
    plan = planned({"prompt": "a", "negative_prompt": "b"}, defaults=defaults, model=model)
    assert (len(plan.jobs), plan.notes) == (1, ())


def test_what_a_sample_asks_for_in_vain_is_told() -> None:
    """Once, however many samples there are; null asks for nothing."""
    sample = {"audio_prompt": "/no/such/file.npy", "negative_prompt": "hiss"}
    model = without_conditioners("prompt")
    plan = planned(sample, sample, {"audio_prompt": None}, model=model)
    assert len(plan.jobs) == 3
    assert plan.notes == (
        "audio_prompt does nothing: this model has no conditioner for it",
        "negative_prompt does nothing: this model has no conditioner for it",
    )


def test_a_negative_prompt_without_guidance_is_told() -> None:
    """Whoever asks for it, and only where nothing is guided."""
    notes = [
        planned({"negative_prompt": "hiss", "cfg_scale": 1}).notes,
        planned({}, {"cfg_scale": 1.0}, defaults={**DEFAULTS, "negative_prompt": "hiss"}).notes,
        planned({"negative_prompt": "hiss", "cfg_scale": 1.5}, {"cfg_scale": 1}).notes,
    ]
    told = ("negative_prompt does nothing where cfg_scale is 1",)
    assert notes == [told, told, ()]


def test_a_negative_prompt_that_is_not_attended_to_is_told() -> None:
    """It takes the prompt's place among what the network attends to, and nowhere else."""
    model = tiny_config()
    diffusion = model["model"]["diffusion"]
    diffusion["cross_attention_cond_ids"].remove("prompt")
    told = planned({"negative_prompt": "hiss"}, model=model).notes
    assert told == ("negative_prompt does nothing: this model does not attend to the prompt",)
    assert planned({"negative_prompt": ""}, cfg_scale=1).notes == ()


def test_guidance_without_anything_to_guide_by_is_told() -> None:
    """Where it is asked for."""
    model = tiny_config()
    model["model"]["diffusion"]["cross_attention_cond_ids"] = []
    note = "cfg_scale does nothing: this model has no conditioning to guide by"
    assert planned(cfg_scale=3, model=model).notes == (note,)
    assert planned(model=model).notes == ()


def test_numbers_of_samples_stay_as_written() -> None:
    """7 beside 7.0 are two settings: names and identities tell them apart."""
    alone = [jobs(planned({"cfg_scale": one}))[0] for one in (7, 7.0)]
    both = jobs(planned({"cfg_scale": 7}, {"cfg_scale": 7.0}))
    assert [repr(job.settings.generation.cfg_scale) for job in both] == ["7", "7.0"]
    assert [job.identity for job in both] == [job.identity for job in alone]


@pytest.mark.parametrize(
    ("objective", "sampler"),
    [("v", "dpmpp-3m-sde"), ("rectified_flow", "euler"), ("rf_denoiser", "pingpong")],
)
def test_each_objective_has_its_default_sampler(objective: str, sampler: str) -> None:
    """Where the config names none."""
    model = tiny_config()
    model["model"]["diffusion"]["diffusion_objective"] = objective
    (job,) = jobs(planned(model=model))
    named = job.settings.sampler.NAME
    assert named == sampler


def test_keys_of_the_models_own_are_known() -> None:
    """A conditioner's id is a conditioning key, and is needed."""
    model = tiny_config()
    model["model"]["conditioning"]["configs"].append(
        {"id": "bpm", "type": "int", "config": {"min_val": 0, "max_val": 200}}
    )
    assert jobs(planned({"bpm": 90}, model=model))[0].values["bpm"] == 90
    assert problems({}, {"bmp": 90}, {"bpm": 300}, model=model) == [
        "input.samples[0].bpm: this model needs a value; give one here or in conditioning_defaults",
        "input.samples[1].bmp: unknown conditioning key (did you mean 'bpm'?); known: 'prompt', "
        "'audio_prompt', 'seconds_start', 'seconds_total', 'negative_prompt', 'init_audio', "
        "'inpaint_audio', 'mask', 'bpm', 'seed', 'cfg_scale', 'steps', 'sampler_type', "
        "'init_noise_level'",
        "input.samples[2].bpm: must be a whole number from 0 to 200, not 300",
    ]


def test_default_keys() -> None:
    """A conditioner without a value of its own reads that of its default key."""
    model = tiny_config()
    conditioning = model["model"]["conditioning"]
    conditioning["configs"][1]["id"] = "start"
    conditioning["default_keys"] = {"start": "seconds_start"}
    for key in ("cross_attention_cond_ids", "global_cond_ids"):
        ids = model["model"]["diffusion"][key]
        ids[ids.index("seconds_start")] = "start"
    assert len(planned(model=model).jobs) == 1
    assert problems({"start": -1}, {"seconds_start": -2}, model=model) == [
        "input.samples[0].start: must be a number from 0 to 512, not -1",
        "input.samples[1].seconds_start: must be a number from 0 to 512, not -2",
    ]


@pytest.mark.parametrize(
    ("seconds", "notes"),
    [
        (2, ()),
        (98304 / 44100, ()),
        (
            180,
            (
                "seconds_total is up to 180, but this model makes 2.229 seconds at most: "
                "outputs end there",
            ),
        ),
    ],
)
def test_note_for_seconds_beyond_the_model(seconds: float, notes: tuple[str, ...]) -> None:
    """A seconds_total beyond the model's length is a note with the longest, and no error."""
    assert planned({"seconds_total": seconds}, {"seconds_total": 1}).notes == notes


@pytest.mark.parametrize("model", [tiny_config(), without_conditioners("seconds_total")])
@pytest.mark.parametrize("seconds", [1e308, -1e308, 10**400, float("inf"), float("nan"), "1", [1]])
def test_absurd_seconds(seconds: Any, model: Mapping[str, Any]) -> None:
    """No length in seconds is too absurd for a message."""
    (problem,) = problems({"seconds_total": seconds}, model=model, cut=False)
    assert problem.startswith("input.samples[0].seconds_total: must be a number")


def test_problems_of_a_long_input_are_limited() -> None:
    """A long input with the same mistake throughout is not listed to its end."""
    assert len(problems(*[{"prompt": 1}] * 1000)) == MAX_PROBLEMS


def test_naming_sees_only_checked_values() -> None:
    """Names are made of whole samples: one with a problem gets none, nor does any after it."""
    assert problems({"prompt": 5}, {"prompt": "a", "audio_prompt": 3}) == [
        "input.samples[0].prompt: must be a string, not a whole number",
        "input.samples[1].audio_prompt: must be a string, not a whole number",
    ]


def test_samples_of_other_settings_are_no_equals() -> None:
    """So their seeds do not depend on which others there are, or in which order."""
    plugins = installed_plugins()

    def seeds_of(*scales: float) -> dict[float, int]:
        config = parse_config(
            {
                "conditioning_defaults": DEFAULTS,
                "input": {"type": "grid", "values": {"prompt": ["rain"], "cfg_scale": [*scales]}},
            },
            plugins,
        )
        model = parse_model_config(tiny_config(), "model.json")
        plan = plan_jobs(config, model, plugins, seeds=seeds.Seeds("key"))
        return {one.settings.generation.cfg_scale: one.seed for one in plan.jobs}

    all_three = seeds_of(3, 5, 7)
    assert seeds_of(7, 3) == {key: all_three[key] for key in (3, 7)}
    assert len(set(all_three.values())) == 3


def test_a_file_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many samples name it."""
    path = tmp_path / "x.wav"
    Wav().encode(tones(0.5), 44100, path, Tags())
    looked = Mock(side_effect=audio_file.check_audio_file)
    monkeypatch.setattr(audio_file, "check_audio_file", looked)
    samples = [{"prompt": str(number), "init_audio": str(path)} for number in range(50)]
    assert len(planned(*samples).jobs) == 50
    assert looked.call_count == 1
    assert len(problems(*(sample | {"init_audio": "nowhere.wav"} for sample in samples))) == 50


def test_a_default_key_beside_what_it_stands_in_for(tmp_path: Path) -> None:
    """What nobody reads need not be there."""
    np.save(tmp_path / "x.npy", np.zeros((2, 16), np.float32))
    model = tiny_config()
    conditioning = model["model"]["conditioning"]
    conditioning["pre_encoded_keys"] = ["prompt"]
    conditioning["default_keys"] = {"prompt": "audio_prompt"}
    sample = {"prompt": str(tmp_path / "x.npy"), "audio_prompt": "nowhere.npy"}
    assert len(planned(sample, model=model).jobs) == 1


def test_a_mask_after_what_is_sampled(tmp_path: Path) -> None:
    """It is refused where less is sampled, and told where what it makes is cut off."""
    recording = tmp_path / "tone.wav"
    Wav().encode(tones(0.3, 44100, 2), 44100, recording, Tags())
    model = {**tiny_config(), "model_type": "diffusion_cond_inpaint"}
    sample = {"inpaint_audio": str(recording), "mask": [[2.1, None]], "seconds_total": 0.5}
    told = ("a mask begins at seconds_total or later, where the audio is cut off",)
    assert planned(sample, model=model).notes == told
    assert planned({**sample, "mask": [[0.4, 1], [2.1, None]]}, model=model).notes == ()
    assert planned(sample, model=model, cut=False).notes == ()
    (problem,) = problems(sample, model=model, sample_size="auto")
    assert problem.startswith("input.samples[0].mask: begins after what is sampled: 1.486 seconds")


def test_a_mask_of_numbers_beyond_all_measure() -> None:
    """Whole numbers may have any number of digits."""
    sample = {"inpaint_audio": "x.wav", "mask": [[10**400, 10**401]]}
    assert "mask: [0] begins at 1000" in "".join(problems(sample, model=None))


def test_a_prompt_that_a_model_does_not_take_is_told() -> None:
    """Of a sample, for it names the file; one among the defaults is silent, as an empty one is."""
    model = without_conditioners("prompt")
    note = "prompt does nothing: this model has no conditioner for it"
    assert note in planned({"prompt": "rain"}, model=model).notes
    assert note not in planned({"prompt": ""}, {}, model=model).notes
    assert note not in planned({}, defaults={**DEFAULTS, "prompt": "rain"}, model=model).notes


def test_good_embeddings_are_opened_once_in_long_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beyond those that are remembered, where the samples of a file follow each other."""
    monkeypatch.setattr("audiogen_core.sample_checks.MAX_MET", 2)
    paths = [tmp_path / f"{number}.wav" for number in range(4)]
    for path in paths:
        Wav().encode(tones(0.1), 44100, path, Tags())
    opened = Mock(wraps=audio_file.open_source)
    monkeypatch.setattr(audio_file, "open_source", opened)
    samples = [{"init_audio": str(path)} for path in paths for _ in range(3)]
    assert len(jobs(planned(*samples))) == 12
    assert opened.call_count <= len(paths)


def test_guided_predictions_of_one_channel_cannot_be_rescaled() -> None:
    """The spread over one channel is no number: a message before, and no failure of each output."""
    config = tiny_config()
    model = config["model"]
    parts = model["pretransform"]["config"]
    model["io_channels"] = model["diffusion"]["config"]["io_channels"] = parts["latent_dim"] = 1
    for part in ("encoder", "decoder"):
        # A VAE's encoder makes a mean and a spread.
        parts[part]["config"]["latent_dim"] = 2 if part == "encoder" else 1
    (problem,) = problems({}, model=config, scale_phi=0.5)
    assert problem.startswith("generation.scale_phi: must be 0")
    assert len(jobs(planned({}, model=config, scale_phi=0.0))) == 1
