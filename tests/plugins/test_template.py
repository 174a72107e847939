"""The naming strategy ``template`` fills in fields, or says beforehand why it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiogen_core.errors import InputError
from audiogen_core.interfaces.naming import NamedJob
from audiogen_core.names import UniqueNames
from audiogen_core.options import validate
from audiogen_plugins.naming.template import Template

GENERATION = {"steps": 100, "cfg_scale": 7.5, "sampler_type": None, "seed": -1}
CONDITIONING = {
    "prompt": "A jazz piece: «Ünïcode»!",
    "audio_prompt": "/some/where/reference.npy",
    "seconds_total": 30,
    "negative_prompt": None,
    "mood": "calm",
}


def built(template: Any) -> Template:
    """The strategy, with its options checked as those of a config are."""
    return Template(validate(Template.Options, {"template": template}, "output.file_naming"))


def stem(template: str, **conditioning: Any) -> str:
    """The name of one output."""
    job = NamedJob(3, 1, {**CONDITIONING, **conditioning}, 42, GENERATION)
    return built(template).stem(job)


def refusal(template: Any) -> str:
    """The message about a template."""
    with pytest.raises(InputError) as caught:
        stem(template)
    return str(caught.value)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{index:05d}-{prompt:slug}-{seed}", "00003-a-jazz-piece-ünïcode-42"),
        ("{copy} of {steps}", "1 of 100"),
        ("{cfg_scale:.2f}x{seconds_total:>5}", "7.50x   30"),
        ("{prompt}", "A jazz piece- «Ünïcode»!"),
        ("{prompt:slug8}|{prompt:slug6}", "a-jazz-p|a-jazz"),
        ("{prompt:.6}", "A jazz"),
        ("{audio_prompt}_{mood:slug}", "reference_calm"),
        ("a{negative_prompt}b{negative_prompt:slug}c{sampler_type:>9}", "abc"),
        ("{{{seed}}}", "{42}"),
        ("always the same", "always the same"),
    ],
)
def test_fields_are_filled_in(template: str, name: str) -> None:
    """Numbers take Python's formats, texts can be slugs, and what has no value is nothing."""
    assert stem(template) == name


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("", ""),
        ("...", ""),
        ("  A -- b_c  ", "a-b-c"),
        ("Café\u0301 №5", "café\u0301-5"),
        ("हिन्दी गीत", "हिन्दी-गीत"),
        ("爵士樂 🎷 1/2", "爵士樂-1-2"),
        ("../../etc/passwd", "etc-passwd"),
    ],
)
def test_slugs_keep_letters_and_digits_of_any_script(text: str, slug: str) -> None:
    """Everything between words becomes one dash."""
    assert stem("{prompt:slug}", prompt=text) == slug


KNOWN = (
    "known: 'prompt', 'audio_prompt', 'seconds_start', 'seconds_total', 'negative_prompt', "
    "'init_audio', 'inpaint_audio', 'mask', 'steps', 'cfg_scale', 'batch_size', 'sampler_type', "
    "'sigma_min', 'sigma_max', 'rho', 'seed', 'cfg_interval', 'scale_phi', 'init_noise_level', "
    "'sample_size', 'mood', 'index', 'copy'"
)
WHERE = "output.file_naming.template: "


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{promt}", f"unknown field 'promt' (did you mean 'prompt'?); {KNOWN}"),
        ("{bpm}", f"unknown field 'bpm'; {KNOWN}"),
        ("{prompt.__class__}", f"unknown field 'prompt.__class__'; {KNOWN}"),
        ("{prompt[0]}", f"unknown field 'prompt[0]' (did you mean 'prompt'?); {KNOWN}"),
        ("{0}", f"unknown field '0'; {KNOWN}"),
        ("{prompt:05d}", "'05d' is no format for 'prompt', which is a string here"),
        ("{cfg_scale:d}", "'d' is no format for 'cfg_scale', which is a number here"),
    ],
)
def test_fields_that_a_job_lacks_are_refused(template: str, message: str) -> None:
    """The message lists every field; no attribute and no index is ever looked up."""
    assert refusal(template) == WHERE + message


FORMATS = (
    "; allowed: formats of Python such as '05d' or '.1f', 'slug', and 'slug40' for at most 40 "
    "characters"
)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("", "must not be empty"),
        (5, "must be a string, not a whole number"),
        ("{}", "has a field without a name: '{}'; write '{{' for a brace"),
        ("{seed!r}", "field 'seed' has a conversion, '!r', which is refused"),
        ("{seed", "expected '}' before end of string"),
        ("seed}", "Single '}' encountered in format string"),
        ("{seed:slug0}", f"'slug0' is no format for 'seed'{FORMATS}"),
        ("{seed:slugs}", f"'slugs' is no format for 'seed'{FORMATS}"),
        ("{seed:999999999d}", f"'999999999d' is no format for 'seed'{FORMATS}"),
        ("{seed:{copy}}", f"'{{copy}}' is no format for 'seed'{FORMATS}"),
        ("{seed:c}", f"'c' is no format for 'seed'{FORMATS}"),
        ("{seed:%Y}", f"'%Y' is no format for 'seed'{FORMATS}"),
    ],
)
def test_templates_that_nothing_could_fill_are_refused_with_the_config(
    template: Any, message: str
) -> None:
    """Broken braces, conversions, and formats that no value takes."""
    with pytest.raises(InputError) as caught:
        built(template)
    assert str(caught.value) == WHERE + message


def test_no_key_of_a_config_hides_the_output_s_own_seed() -> None:
    """The seed is the output's, not the config's -1 nor a conditioning value."""
    assert stem("{seed}-{index}", seed=9, index=9) == "42-3"


pieces = st.sampled_from(
    ["{prompt}", "{prompt:slug}", "{prompt:slug9}", "{mood:>20}", "{seed:+d}", "{{", "/", "..", "a"]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(pieces, min_size=1, max_size=6), st.text(max_size=300))
def test_names_are_safe_whatever_the_prompt(template: list[str], prompt: str) -> None:
    """Every template gives a name that stays in its folder and is short enough."""
    name = UniqueNames().claim(stem("".join(template), prompt=prompt, mood=prompt))
    assert name.strip()
    assert not set(name) & set('\\/:*?"<>|\0')
    assert not name.startswith(".")
    assert len(name.encode()) <= 240


def test_the_command_names_files_by_a_template(
    audiogen: Callable[..., Any], tiny_model: Path, write_config: Callable[..., Path]
) -> None:
    """A good template names the file; a wrong field ends the command before it makes one."""
    model = [
        "--device", "cpu", "--model-config", tiny_model / "model_config.json",
        "--ckpt-path", tiny_model / "model.safetensors",
    ]  # fmt: skip
    for template, code in [("{index:03d}-{prompt:slug}-{seed}", 0), ("{sed}", 2)]:
        naming = {"name": "template", "template": template}
        config = write_config(output={"file_naming": naming})
        result = audiogen("generate", "--generation-config", config, *model)
        assert result.code == code, result.err
        if code:
            assert "template: unknown field 'sed' (did you mean 'seed'?); known: " in result.err
            assert not result.out
        else:
            assert Path(result.out.strip()).name == "000-a-jazz-piece-1.wav"
