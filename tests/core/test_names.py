"""File names: safe on every system, unique in a run, and as documented."""

from __future__ import annotations

import tempfile
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audiogen_core.interfaces.naming import NamedJob
from audiogen_core.names import MAX_STEM_BYTES, UniqueNames, safe_stem, shorten
from audiogen_core.plugin_manager import installed_plugins

ENDINGS = (".wav", ".flac", ".m4a", ".json")
WINDOWS = set('\\/:*?"<>|')
DEVICES = ("CON", "PRN", "AUX", "NUL", "COM1", "LPT9", "COM¹", "CONIN$")

# Surrogates are no text, but may come from a third party's input source.
any_text = st.text(st.characters(exclude_categories=[]), max_size=300) | st.sampled_from(
    [
        *DEVICES,
        ".",
        "..",
        "...",
        " ",
        "-",
        "~",
        "con.txt",
        ".hidden",
        "a" * 400,
        "é" * 200,
        "🎷" * 99,
    ]
)


def stem(strategy: str, cfg_scale: float = 7.0, seed: int = 12345, **conditioning: Any) -> str:
    """The name that a strategy gives a job."""
    job = NamedJob(0, 0, conditioning, seed, {"cfg_scale": cfg_scale})
    return installed_plugins().naming.load(strategy)().stem(job)


def written(name: str, **job: Any) -> str:
    """The name of the file in the end."""
    return UniqueNames().claim(stem(name, **job))


def same_file(name: str) -> str:
    """Equal for names that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


@given(any_text)
@example("CON." + "a" * 400)
@example("nul  .x")
def test_safe_stem_is_safe(text: str) -> None:
    """A stem is never empty, hidden, reserved or too long; once safe, it stays as it is."""
    safe = safe_stem(text)
    assert safe_stem(safe) == safe
    assert safe.strip()
    assert not safe.startswith(".")
    assert not WINDOWS & set(safe)
    assert all(unicodedata.category(char)[0] != "C" for char in safe)
    assert safe.partition(".")[0].strip().upper() not in DEVICES
    assert len(f"{safe}-10000.flac".encode()) <= 255


@given(any_text)
def test_safe_stem_is_a_file(text: str) -> None:
    """A file of that name can be written, and the folder lists it by that very name."""
    with tempfile.TemporaryDirectory() as folder:
        for ending in ENDINGS:
            Path(folder, safe_stem(text) + ending).touch(exist_ok=False)
        assert sorted(path.name for path in Path(folder).iterdir()) == sorted(
            safe_stem(text) + ending for ending in ENDINGS
        )


@given(st.lists(st.sampled_from("aA") | any_text, max_size=12))
@example(["é", "e\u0301", "É", "É"])
@example(["ß", "ss", "SS", "ẞ"])
@example(["a", "a", "a-2", "A", "a-2-2"])
@example(["x" * 400, "X" * 300, "x" * 236])
def test_unique_names_are_files_of_their_own(texts: list[str]) -> None:
    """No two names are one file, not even where case and Unicode form are ignored."""
    names = UniqueNames()
    claimed = [names.claim(text) for text in texts]
    assert len({same_file(name) for name in claimed}) == len(texts)
    with tempfile.TemporaryDirectory() as folder:
        for name in claimed:
            Path(folder, f"{name}.wav").touch(exist_ok=False)


def test_unique_names_count() -> None:
    """Names that are taken get the next free number."""
    names = UniqueNames()
    claimed = [names.claim(name) for name in ("a", "a", "A", "a-2", "a", "b")]
    assert claimed == ["a", "a-2", "A-3", "a-2-2", "a-4", "b"]


def test_many_equal_names_take_no_time() -> None:
    """Twenty thousand outputs of one prompt are named in linear time."""
    names = UniqueNames()
    claimed = [names.claim("jazz") for _ in range(20_000)]
    assert claimed[-1] == "jazz-20000"
    assert len(set(claimed)) == 20_000


@given(st.text(), st.integers(0, 400))
def test_shorten(text: str, limit: int) -> None:
    """What is left is the longest beginning that fits."""
    short = shorten(text, limit)
    assert text.startswith(short)
    assert len(short.encode()) <= limit
    assert short == text or len(text[: len(short) + 1].encode()) > limit


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A relaxing jazz piece", "A relaxing jazz piece"),
        (r'a\b/c:d*e?f"g<h>i|j', "a-b-c-d-e-f-g-h-i-j"),
        ("", "_"),
        (None, "_"),
        ("x" * 151, "x" * 150),
        ("é" * 200, "é" * 118),
        ("../../etc/passwd", "_.-..-etc-passwd"),
        ("line\nbreak\ttab", "line-break-tab"),
        ("aux", "_aux"),
        ("Ambient — 90 BPM, 2nd take.", "Ambient — 90 BPM, 2nd take."),
    ],
)
def test_prompt_names(prompt: str | None, name: str) -> None:
    """``prompt`` takes 150 characters of the prompt, with dashes for what files cannot hold."""
    assert written("prompt", prompt=prompt) == name


@pytest.mark.parametrize(
    ("job", "name"),
    [
        ({"prompt": "jazz"}, "jazz.cfg7.0.12345"),
        ({"prompt": "jazz", "cfg_scale": 7}, "jazz.cfg7.12345"),
        ({"prompt": "jazz", "cfg_scale": 6.5, "seed": 0}, "jazz.cfg6.5.0"),
        ({"prompt": ""}, "_.cfg7.0.12345"),
        ({"prompt": "", "audio_prompt": "/data/ref.v2.npy"}, "_.ap-ref.v2.cfg7.0.12345"),
        ({"prompt": "jazz", "negative_prompt": "low quality"}, "jazz.neg-low quality.cfg7.0.12345"),
        ({"prompt": "jazz", "negative_prompt": ""}, "jazz.cfg7.0.12345"),
        ({"prompt": "jazz", "negative_prompt": None, "audio_prompt": None}, "jazz.cfg7.0.12345"),
        (
            {"prompt": "a/b", "audio_prompt": "ref.npy", "negative_prompt": "bad?"},
            "a-b.ap-ref.neg-bad-.cfg7.0.12345",
        ),
        ({"prompt": "x" * 200}, f"{'x' * 150}.cfg7.0.12345"),
        (
            {"prompt": "jazz", "negative_prompt": "n" * 400},
            f"jazz.neg-{'n' * (MAX_STEM_BYTES - 9 - 13)}.cfg7.0.12345",
        ),
    ],
)
def test_verbose_names(job: dict[str, Any], name: str) -> None:
    """``verbose`` names an output by its prompts, its guidance scale as written, and its seed."""
    assert written("verbose", **job) == name


@pytest.mark.parametrize(
    ("audio_prompt", "name"),
    [
        ("/path/to/reference_audio.npy", "reference_audio"),
        ("ref.tar.npy", "ref.tar"),
        (None, "output"),
        (".npy", "_npy"),
    ],
)
def test_audio_prompt_names(audio_prompt: str | None, name: str) -> None:
    """``audio_prompt`` names an output by its embedding's file, without one ``output``."""
    assert written("audio_prompt", audio_prompt=audio_prompt, prompt="jazz") == name


@given(
    any_text,
    any_text,
    st.none() | st.text(max_size=300),
    st.integers(-100, 100) | st.floats(allow_nan=False, allow_infinity=False),
    st.integers(0, 2**63 - 1),
)
@example("CON.x", "n" * 400, None, 7, 12345)
@example("🎷" * 150, "é" * 400, "a" * 300, 1e-300, 2**63 - 1)
def test_verbose_keeps_scale_and_seed(
    prompt: str, negative_prompt: str, audio_prompt: str | None, cfg_scale: float, seed: int
) -> None:
    """However long the prompts are, the name ends with the scale and the seed."""
    prompts = {
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "audio_prompt": audio_prompt,
    }
    name = written("verbose", cfg_scale=cfg_scale, seed=seed, **prompts)
    assert name.endswith(f".cfg{cfg_scale}.{seed}")
