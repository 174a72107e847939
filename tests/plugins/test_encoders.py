"""The built-in encoders write what their names promise, or refuse before anything is generated."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError
from audiogen_core.tags import Tags, tags_of
from audiogen_core.testing import encoders as contract
from audiogen_plugins import _ffmpeg, encoders
from audiogen_plugins.encoders import _av, _m4a, aac, he_aac, mp3, opus
from audiogen_plugins.encoders._resample import resampled
from audiogen_plugins.encoders.aac import Aac96, Aac128, Aac192, Aac256
from audiogen_plugins.encoders.flac import Flac, Flac24
from audiogen_plugins.encoders.he_aac import HeAacV2At32, HeAacV2At64
from audiogen_plugins.encoders.mp3 import Mp3Cbr128, Mp3Cbr320, Mp3V0
from audiogen_plugins.encoders.opus import Opus64, Opus96, Opus128, Opus192
from audiogen_plugins.encoders.wav import Wav, Wav24, WavFloat

DATA = Path(__file__).parent / "data"
"""One second of `probe_signal` at 44.1 kHz, encoded by fdkaac 1.0.0."""

LOSSLESS = [Wav, Flac]
FINER = [Wav24, WavFloat, Flac24]
OPUS = [Opus64, Opus96, Opus128, Opus192]
AAC = [Aac96, Aac128, Aac192, Aac256]
MP3 = [Mp3V0, Mp3Cbr320, Mp3Cbr128]
HE_AAC = [HeAacV2At32, HeAacV2At64]
EVERY = [*LOSSLESS, *MP3, *HE_AAC, *FINER, *OPUS, *AAC]
BUILT_IN = [one for one in EVERY if one not in HE_AAC]
"""Those that PyAV alone writes."""

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="the fake programs are sh scripts")
no_codec_in_pyav = pytest.mark.skipif(
    bool({"libfdk_aac", "aac_at"} & av.codecs_available), reason="this PyAV has its own HE-AAC"
)


@pytest.fixture(autouse=True)
def forget_proofs() -> Iterator[None]:
    """Every test proves anew what this machine can write."""
    proofs = (mp3._prove, opus._prove, aac._prove, he_aac._provider)
    for proof in proofs:
        proof.cache_clear()
    yield
    for proof in proofs:
        proof.cache_clear()


def by_name(encoder: type[Encoder]) -> str:
    """What a test of one encoder is called."""
    return encoder.NAME


def encode(
    encoder: type[Encoder],
    audio: FloatArray,
    path: Path,
    rate: int = 44100,
    tags: Tags = contract.TAGS,
) -> Path:
    """Writes a file without checking, and returns its path."""
    encoder().encode(audio, rate, path, tags)
    return path


def read_wav(path: Path) -> npt.NDArray[np.int16]:
    """The samples of a WAV file, ``[channels, samples]``, read without FFmpeg."""
    with wave.open(str(path)) as source:
        frames = source.readframes(source.getnframes())
        return np.frombuffer(frames, "<i2").reshape(-1, source.getnchannels()).T


# --- The whole set


def test_documented_names_are_registered_lazily() -> None:
    """Each documented name leads to the class that bears it."""
    found: dict[str, str] = {}
    encoders.audiogen_encoders(lambda name, plugin: found.update({name: str(plugin)}))
    assert found == {encoder.NAME: f"{encoder.__module__}:{encoder.__name__}" for encoder in EVERY}
    assert list(found) == [
        "wav",
        "flac",
        "mp3 v0",
        "mp3 320k",
        "mp3 128k",
        "m4a aac 256k",
        "m4a aac 192k",
        "m4a aac 128k",
        "m4a aac 96k",
        "m4a aac_he_v2 32k",
        "m4a aac_he_v2 64k",
        "wav 24",
        "wav float",
        "flac 24",
        "ogg opus 192k",
        "ogg opus 128k",
        "ogg opus 96k",
        "ogg opus 64k",
    ]


def test_importing_encoders_loads_neither_ffmpeg_nor_torch() -> None:
    """Listing the formats stays fast."""
    names = ", ".join({encoder.__module__ for encoder in EVERY} | {contract.__name__})
    code = f"import sys, {names}; sys.exit(bool({{'av', 'torch'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (48000, 1)])
@pytest.mark.parametrize("encoder", LOSSLESS, ids=by_name)
def test_lossless_formats_keep_the_contract(
    encoder: type[Encoder], rate: int, channels: int
) -> None:
    """What comes back is what went in, rounded to 16 bits."""
    contract.check_encoder(
        encoder, sample_rate=rate, channels=channels, min_snr_db=85, max_error=1.5 / 32768
    )


@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (48000, 1)])
@pytest.mark.parametrize(
    ("encoder", "min_snr_db", "level_tolerance_db"),
    [(Mp3V0, 65, 0.05), (Mp3Cbr320, 70, 0.05), (Mp3Cbr128, 25, 0.5)],
)
def test_mp3_keeps_the_contract(
    encoder: type[Encoder], min_snr_db: float, level_tolerance_db: float, rate: int, channels: int
) -> None:
    """The decoded audio is as long as what went in, to the sample, and starts where it did."""
    contract.check_encoder(
        encoder,
        sample_rate=rate,
        channels=channels,
        min_snr_db=min_snr_db,
        level_tolerance_db=level_tolerance_db,
    )


@pytest.mark.parametrize("encoder", HE_AAC, ids=by_name)
def test_he_aac_keeps_the_contract(encoder: type[Encoder]) -> None:
    """With a real HE-AAC encoder on the machine, its files sound as they should."""
    try:
        encoder().check(44100, 2)
    except EncoderUnavailableError as error:
        pytest.skip(f"no HE-AAC v2 encoder on this machine: {str(error).splitlines()[0]}")
    contract.check_encoder(
        encoder,
        min_snr_db=6,
        level_tolerance_db=2,
        max_lag=1024,
        duration_tolerance=he_aac.PADDING,
        shortest=1024,
    )


@pytest.mark.parametrize("encoder", BUILT_IN, ids=by_name)
def test_audio_of_many_blocks_is_seamless(
    encoder: type[Encoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much is converted at a time does not change the file."""
    audio = contract.tones(1.0)
    whole = encode(encoder, audio, tmp_path / "whole")
    monkeypatch.setattr(_ffmpeg, "BLOCK", 1000)
    pieces = encode(encoder, audio, tmp_path / "pieces")
    assert whole.read_bytes() == pieces.read_bytes()


@pytest.mark.parametrize("encoder", BUILT_IN, ids=by_name)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_raise(
    encoder: type[Encoder], bad: float, tmp_path: Path
) -> None:
    """FFmpeg would abort the whole process on them."""
    audio = contract.tones(0.1)
    audio[1, 7] = bad
    with pytest.raises(ValueError, match=r"^audio holds samples that are NaN or infinite$"):
        encode(encoder, audio, tmp_path / "x")


@pytest.mark.parametrize("encoder", BUILT_IN, ids=by_name)
def test_empty_audio_raises(encoder: type[Encoder], tmp_path: Path) -> None:
    """FFmpeg would write no file and say nothing."""
    with pytest.raises(ValueError, match=r"^audio holds no samples$"):
        encode(encoder, np.zeros((2, 0), np.float32), tmp_path / "x")


def test_an_option_that_an_encoder_ignores_raises(tmp_path: Path) -> None:
    """The usual way to ask for V0 is ignored in silence and gives 128 kb/s."""
    with pytest.raises(RuntimeError, match=r"^the encoder libmp3lame ignored the options \{'q'"):
        _av.write(
            contract.tones(0.1),
            44100,
            tmp_path / "x",
            container="mp3",
            codec="libmp3lame",
            sample_format="fltp",
            options={"q": "0"},
        )


# --- WAV and FLAC


def test_wav_rounds_to_nearest_and_clips(tmp_path: Path) -> None:
    """Full scale is 32767 either way, halves go to the even neighbour, excess is clipped."""
    values = [1.0, -1.0, 0.0, 0.4 / 32767, 0.6 / 32767, -0.6 / 32767, 1.5, -1.5]
    path = encode(Wav, np.array([values], np.float32), tmp_path / "x.wav")
    assert read_wav(path).tolist() == [[32767, -32767, 0, 0, 1, -1, 32767, -32768]]


def test_wav_and_flac_hold_the_same_samples(tmp_path: Path) -> None:
    """All 65,535 levels survive in both, and in the right channel."""
    levels = np.arange(-32767, 32768)
    audio = (np.stack([levels, levels[::-1]]) / 32767).astype(np.float32)
    wav = encode(Wav, audio, tmp_path / "x.wav")
    assert np.array_equal(read_wav(wav), np.stack([levels, levels[::-1]]))
    flac, _ = contract.decode(encode(Flac, audio, tmp_path / "x.flac"))
    assert np.array_equal(flac, contract.decode(wav)[0])


@pytest.mark.parametrize("encoder", LOSSLESS, ids=by_name)
@pytest.mark.parametrize(("rate", "channels"), [(44101, 1), (192_000, 2), (44100, 3), (8000, 8)])
def test_lossless_formats_hold_unusual_rates_and_channels(
    encoder: type[Encoder], rate: int, channels: int, tmp_path: Path
) -> None:
    """Every channel comes back in its place."""
    encoder().check(rate, channels)
    audio = contract.tones(0.1, rate, channels)
    decoded, found_rate = contract.decode(encode(encoder, audio, tmp_path / "x", rate))
    assert found_rate == rate
    assert decoded.shape == audio.shape
    assert np.max(np.abs(decoded - audio)) < 1.5 / 32768


@pytest.mark.parametrize(
    ("encoder", "rate", "channels", "message"),
    [
        (Wav, 44100, 9, "'wav' cannot be written with 9 channels: from 1 to 8 are possible."),
        (
            Wav,
            0,
            2,
            "'wav' cannot be written at 0 Hz with 2 channels: from 1 to 1073741823 Hz are "
            "possible.",
        ),
        (
            Flac,
            44100,
            9,
            "'flac' cannot be written with 9 channels: FLAC holds from 1 to 8 channels.",
        ),
        (
            Flac,
            1_048_576,
            2,
            "'flac' cannot be written at 1048576 Hz: FLAC reaches from 1 to 1048575 Hz; use 'wav'.",
        ),
        (
            Mp3V0,
            44100,
            6,
            "'mp3 v0' cannot be written with 6 channels: MP3 is mono or stereo; use 'wav' or "
            "'flac'.",
        ),
        (
            Mp3V0,
            96000,
            2,
            "'mp3 v0' cannot be written at 96000 Hz: MP3 has only 8000, 11025, 12000, 16000, "
            "22050, 24000, 32000, 44100 and 48000 Hz; use 'wav' or 'flac'.",
        ),
        (
            Mp3Cbr320,
            24000,
            2,
            "'mp3 320k' cannot be written at 24000 Hz: MP3 reaches 320 kb/s only at 32000, "
            "44100 and 48000 Hz; use 'mp3 v0', 'wav' or 'flac'.",
        ),
        (
            Mp3Cbr128,
            12000,
            1,
            "'mp3 128k' cannot be written at 12000 Hz: MP3 reaches 128 kb/s only at 16000, "
            "22050, 24000, 32000, 44100 and 48000 Hz; use 'mp3 v0', 'wav' or 'flac'.",
        ),
        (
            HeAacV2At32,
            44100,
            1,
            "'m4a aac_he_v2 32k' cannot be written with 1 channel: HE-AAC v2 is stereo; use "
            "'mp3 v0', 'wav' or 'flac'.",
        ),
        (
            HeAacV2At64,
            16000,
            2,
            "'m4a aac_he_v2 64k' cannot be written at 16000 Hz: HE-AAC v2 reaches 64 kb/s only "
            "from 22050 Hz; use 'mp3 v0', 'wav' or 'flac'.",
        ),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    encoder: type[Encoder], rate: int, channels: int, message: str
) -> None:
    """The message says what, why, and what works instead."""
    with pytest.raises(EncoderUnavailableError) as caught:
        encoder().check(rate, channels)
    assert str(caught.value) == message


# --- The formats beyond the documented ones


@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (48000, 1)])
@pytest.mark.parametrize(
    ("encoder", "min_snr_db", "max_error"),
    [(Wav24, 130, 1.5 / 2**23), (Flac24, 130, 1.5 / 2**23), (WavFloat, 300, 0.0)],
)
def test_finer_lossless_formats_keep_the_contract(
    encoder: type[Encoder], min_snr_db: float, max_error: float, rate: int, channels: int
) -> None:
    """24 bits come back to the last one, and floats exactly."""
    contract.check_encoder(
        encoder, sample_rate=rate, channels=channels, min_snr_db=min_snr_db, max_error=max_error
    )


@pytest.mark.parametrize("encoder", [Wav24, Flac24], ids=by_name)
def test_24_bits_are_rounded_to_nearest_and_clipped(encoder: type[Encoder], tmp_path: Path) -> None:
    """Full scale is 8388607 either way, and what is beyond it does not wrap around."""
    values = [1.0, -1.0, 0.0, 0.4 / 8388607, 0.6 / 8388607, 1.5, -1.5]
    path = encode(encoder, np.array([values], np.float32), tmp_path / "x")
    with av.open(str(path)) as source:
        (frame,) = source.decode(audio=0)
        assert frame.format.name.startswith("s32")
        samples = frame.to_ndarray().ravel() >> 8
    assert samples.tolist() == [8388607, -8388607, 0, 0, 1, 8388607, -8388608]


def test_wav_float_keeps_what_is_beyond_full_scale(tmp_path: Path) -> None:
    """Floats have no full scale: nothing is rounded or clipped."""
    audio = np.array([[1e-30, 1.5, -2.0, 0.1]], np.float32)
    decoded, _ = contract.decode(encode(WavFloat, audio, tmp_path / "x"))
    assert np.array_equal(decoded, audio)


@pytest.mark.parametrize(("width", "samples"), [(1, "|u1"), (2, "<i2"), (4, "<i4")])
def test_whole_numbers_are_read_with_full_scale_at_one(
    width: int, samples: str, tmp_path: Path
) -> None:
    """Those of 8 bits have no sign, and silence in their middle."""
    lowest, highest = np.iinfo(samples).min, np.iinfo(samples).max
    silence = (lowest + highest + 1) // 2
    path = tmp_path / "x.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(np.array([lowest, silence, highest], samples).tobytes())
    decoded, _ = contract.decode(path)
    assert decoded == pytest.approx(np.array([[-1, 0, 1 - 2 / 2 ** (8 * width)]]))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("encoder", "min_snr_db"), [(Opus64, 32), (Opus96, 35), (Opus128, 37), (Opus192, 38)]
)
def test_opus_keeps_the_contract(encoder: type[Encoder], min_snr_db: float, channels: int) -> None:
    """At its own rate what is decoded starts and ends where the audio did, to the sample."""
    contract.check_encoder(
        encoder,
        sample_rate=48000,
        channels=channels,
        min_snr_db=min_snr_db,
        level_tolerance_db=0.1,
    )


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 96000, 192_000])
def test_opus_resamples_other_rates(rate: int, tmp_path: Path) -> None:
    """What comes back at 48 kHz is as long as the audio, in its place, at its level."""
    Opus192().check(rate, 2)

    def chirp(rate: int) -> FloatArray:
        time = np.arange(2 * rate) / rate
        wave = 0.5 * np.sin(2 * np.pi * (220 + 110 * time) * time)
        return np.tile(wave, (2, 1)).astype(np.float32)

    decoded, found_rate = contract.decode(encode(Opus192, chirp(rate), tmp_path / "x", rate))
    wanted = chirp(48000)
    assert (found_rate, decoded.shape) == (48000, wanted.shape)
    assert contract.find_lag(decoded, wanted) == 0
    assert np.std(decoded) == pytest.approx(np.std(wanted), rel=0.005)
    assert contract.snr_db(decoded[:, 4800:-4800], wanted[:, 4800:-4800]) > 35


@pytest.mark.parametrize("samples", [1, 2, 100, 441, 44101, 66000])
def test_opus_is_as_long_as_the_audio(samples: int, tmp_path: Path) -> None:
    """Not a sample is added or lost, but for the change of the rate."""
    audio = contract.tones(samples / 44100)
    decoded, _ = contract.decode(encode(Opus128, audio, tmp_path / "x"))
    assert decoded.shape == (2, max(1, round(samples * 48000 / 44100)))


def test_resampling_is_flat_and_without_aliases(tmp_path: Path) -> None:
    """A tone of 19 kHz keeps its level, and one that 48 kHz cannot hold is gone."""
    for rate, frequency, level in [(44100, 19000, 1.0), (96000, 30000, 0.0)]:
        tone = np.sin(2 * np.pi * frequency * np.arange(rate) / rate)[None].astype(np.float32)
        middle = resampled(tone, rate, 48000)[:, 4800:-4800]
        assert np.std(middle) * np.sqrt(2) == pytest.approx(level, abs=1e-3)


@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (48000, 1), (24000, 2)])
@pytest.mark.parametrize(
    ("encoder", "min_snr_db"), [(Aac96, 12), (Aac128, 17), (Aac192, 25), (Aac256, 28)]
)
def test_aac_keeps_the_contract(
    encoder: type[Encoder], min_snr_db: float, rate: int, channels: int
) -> None:
    """What is decoded starts where the audio did; FFmpeg leaves less than a frame behind it."""
    try:
        encoder().check(rate, channels)
    except EncoderUnavailableError as error:
        assert (encoder, rate) == (Aac256, 48000) or "reaches" in str(error)  # noqa: PT017
        return
    contract.check_encoder(
        encoder,
        sample_rate=rate,
        channels=channels,
        min_snr_db=min_snr_db,
        level_tolerance_db=0.2,
        duration_tolerance=aac.FRAME - 1,
    )


@pytest.mark.parametrize("samples", [1, 1023, 1024, 1025, 44100])
def test_aac_files_state_the_duration_of_the_audio(samples: int, tmp_path: Path) -> None:
    """Players that go by what the file says play not a sample more or less."""
    path = encode(Aac192, contract.tones(samples / 44100), tmp_path / "x.m4a")
    with av.open(str(path)) as source:
        stream = source.streams.audio[0]
        assert (stream.start_time, stream.duration) == (0, samples)
        assert stream.time_base == Fraction(1, 44100)


@pytest.mark.parametrize(
    ("encoder", "bit_rate"),
    [
        (Opus64, 64_000), (Opus96, 96_000), (Opus128, 128_000), (Opus192, 192_000),
        (Aac96, 96_000), (Aac128, 128_000), (Aac192, 192_000), (Aac256, 256_000),
    ],
)  # fmt: skip
def test_bit_rates_are_what_the_names_say(
    encoder: type[Encoder], bit_rate: int, tmp_path: Path
) -> None:
    """With noise, which needs every bit, the codec and its rate are what was asked for."""
    noise = np.random.default_rng(0).standard_normal((2, 3 * 48000)) * 0.2
    written = _av.read_back(
        encode(encoder, noise.clip(-1, 1).astype(np.float32), tmp_path / "x", 48000)
    )
    assert written.codec == encoder.NAME.split()[1]
    assert written.profile == ("LC" if written.codec == "aac" else None)
    assert (written.sample_rate, written.channels) == (48000, 2)
    assert written.bit_rate == pytest.approx(bit_rate, rel=0.15)


# --- Tags


@pytest.mark.parametrize("encoder", BUILT_IN, ids=by_name)
def test_a_file_alone_tells_how_it_was_made(encoder: type[Encoder], tmp_path: Path) -> None:
    """The settings are JSON again when they are read, under a key of their own but for WAV."""
    found = contract.read_tags(encode(encoder, contract.tones(0.1), tmp_path / "x"))
    tags = contract.TAGS
    assert found["title"] == tags.title
    assert found.get("encoder", found.get("software")) == tags.software
    if encoder.EXTENSION == ".wav":
        assert found["comment"] == f"{tags.comment}\n{tags.settings}"
        assert json.loads(found["comment"].splitlines()[1])["seed"] == 42
    else:
        assert found["comment"] == tags.comment
        assert json.loads(found["audiogen"])["seed"] == 42


@pytest.mark.parametrize("encoder", BUILT_IN, ids=by_name)
def test_empty_tags_are_left_out(encoder: type[Encoder], tmp_path: Path) -> None:
    """Without tags a file says nothing, not even which library wrote it and when."""
    found = contract.read_tags(encode(encoder, contract.tones(0.1), tmp_path / "x", tags=Tags()))
    expected = {"major_brand", "minor_version", "compatible_brands", "language", "handler_name"}
    assert set(found) - expected <= {"encoder"}
    assert found.get("encoder", "Lavf") == "Lavf"  # LAME's header, which also tells the delay


@pytest.mark.parametrize("encoder", BUILT_IN, ids=by_name)
def test_tags_do_not_change_the_audio(encoder: type[Encoder], tmp_path: Path) -> None:
    """The samples are the same with long tags and without."""
    audio = contract.tones(0.3)
    plain = encode(encoder, audio, tmp_path / "a", tags=Tags())
    tagged = encode(encoder, audio, tmp_path / "b", tags=Tags(title="x" * 300_000))
    assert np.array_equal(contract.decode(plain)[0], contract.decode(tagged)[0])


def test_tags_in_an_m4a_of_another_program_keep_the_rest(tmp_path: Path) -> None:
    """What says where the audio begins and ends stays; the time of writing goes."""
    for name in ("he_aac_v2_32k.m4a", "he_aac_v1_32k.m4a"):
        path = Path(shutil.copy(DATA / name, tmp_path))
        before, (audio, _) = contract.read_tags(path), contract.decode(path)
        assert "creation_time" in before
        for _ in range(2):  # the second time, tags replace tags
            _m4a.tag(path, contract.TAGS)
        after = contract.read_tags(path)
        assert after["itunsmpb"] == before["itunsmpb"]
        assert after["title"] == contract.TAGS.title
        assert after["encoder"] == contract.TAGS.software
        assert "creation_time" not in after
        assert np.array_equal(contract.decode(path)[0], audio)
        assert path.read_bytes().count(b"com.apple.iTunes") == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        b"\0\0\0\x08free",
        b"\0\0\0\0moov",
        b"\0\0\0\x08moov\0\0\0\x08mdat",
        b"\0\0\0\x10moov\0\0\0\xfftrak",
    ],
)
def test_tags_are_put_into_nothing_but_an_m4a(content: bytes, tmp_path: Path) -> None:
    """A file whose boxes are wrong, or whose audio would move, is left alone."""
    path = tmp_path / "x.m4a"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^(it is no M4A file that ends with|its box .* wrong)"):
        _m4a.tag(path, contract.TAGS)
    assert path.read_bytes() == content


METADATA = {
    "generation_config": {"sampler_type": "euler", "steps": 8, "cfg_scale": 7.0, "seed": 5},
    "conditioning": {"prompt": "A 🎷\0 \ud83c", "init_audio": "/home/me/loop.wav"},
    "model": {
        "model_config": "/home/me/private/config.json",
        "ckpt_path": "/home/me/private/model.safetensors",
        "conditioners": {"prompt": {"t5": "/home/me/t5"}},
    },
    "software": {"audiogen": "1.2.3"},
}


def test_tags_are_the_metadata_without_the_model_s_folders() -> None:
    """The title is the prompt and the comment short; the paths of recordings are needed again."""
    tags = tags_of(METADATA)
    assert tags.title == "A 🎷 ?"
    assert tags.comment == "euler, 8 steps, cfg 7.0, seed 5, model.safetensors"
    assert tags.software == "audiogen 1.2.3"
    assert "\n" not in tags.settings
    settings = json.loads(tags.settings)
    assert settings["generation_config"] == METADATA["generation_config"]
    assert settings["conditioning"]["init_audio"] == "/home/me/loop.wav"
    assert settings["model"] == {
        "model_config": "config.json",
        "ckpt_path": "model.safetensors",
        "conditioners": {"prompt": {"t5": "t5"}},
    }


# --- MP3


@dataclass(frozen=True)
class Frame:
    """The header of one MP3 frame: bits a second, hertz, channels."""

    bit_rate: int
    sample_rate: int
    channels: int


MPEG_1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
MPEG_2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]


def mp3_frames(path: Path) -> list[Frame]:
    """Every frame of an MP3 file (ISO/IEC 11172-3 and 13818-3), without the one of tags.

    The frames have to follow each other to the very end of the file.
    """
    data = path.read_bytes()
    at = 0
    if data[:3] == b"ID3":
        at = 10 + sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    frames: list[Frame] = []
    tagged = 0
    while at < len(data):
        header = int.from_bytes(data[at : at + 4], "big")
        assert header >> 21 == 0x7FF, f"no frame at byte {at}"
        version, layer = header >> 19 & 3, header >> 17 & 3
        assert layer == 1, "not layer III"
        kbps = (MPEG_1 if version == 3 else MPEG_2)[header >> 12 & 15]
        rate = [44100, 48000, 32000][header >> 10 & 3] >> {3: 0, 2: 1, 0: 2}[version]
        size = (144 if version == 3 else 72) * kbps * 1000 // rate + (header >> 9 & 1)
        if b"Xing" in data[at : at + 48] or b"Info" in data[at : at + 48]:
            tagged += 1
        else:
            frames.append(Frame(kbps * 1000, rate, 1 if header >> 6 & 3 == 3 else 2))
        at += size
    assert at == len(data)
    assert tagged == 1
    return frames


@pytest.mark.parametrize("rate", [32000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("encoder", "bit_rate"), [(Mp3Cbr320, 320_000), (Mp3Cbr128, 128_000)])
def test_constant_bit_rates_hold_in_every_frame(
    encoder: type[Encoder], bit_rate: int, rate: int, channels: int, tmp_path: Path
) -> None:
    """No frame has another bit rate, sample rate or number of channels than was asked for."""
    encoder().check(rate, channels)
    audio = contract.tones(1.0, rate, channels)
    frames = mp3_frames(encode(encoder, audio, tmp_path / "x.mp3", rate))
    assert set(frames) == {Frame(bit_rate, rate, channels)}
    assert len(frames) >= rate / 1152


def test_v0_varies_with_the_music(tmp_path: Path) -> None:
    """V0 spends few bits on silence, the most on noise, and about 245 kb/s on the average."""
    noise = np.random.default_rng(0).standard_normal((2, 44100)) * 0.2
    audio = np.concatenate([np.zeros((2, 44100)), contract.tones(1.0), noise.clip(-1, 1)], axis=1)
    path = encode(Mp3V0, audio.astype(np.float32), tmp_path / "x.mp3")
    rates = [frame.bit_rate for frame in mp3_frames(path)]
    assert len(set(rates)) >= 5
    assert min(rates) <= 64_000
    assert max(rates) == 320_000
    assert np.mean(rates[-30:-5]) > 220_000


@pytest.mark.parametrize("rate", sorted(mp3.HIGHEST_BIT_RATES))
@pytest.mark.parametrize("channels", [1, 2])
def test_v0_is_proved_at_every_rate_of_mp3(rate: int, channels: int) -> None:
    """The table of sample rates is what LAME takes."""
    Mp3V0().check(rate, channels)


@pytest.mark.parametrize(("rate", "highest"), sorted(mp3.HIGHEST_BIT_RATES.items()))
def test_the_table_of_highest_bit_rates_is_what_lame_does(
    rate: int, highest: int, tmp_path: Path
) -> None:
    """Asked for 320 kb/s, LAME writes what the table says and does not complain."""
    path = tmp_path / "x.mp3"
    mp3._write(contract.tones(0.3, rate), rate, path, 320_000, Tags())
    assert {frame.bit_rate for frame in mp3_frames(path)} == {highest}


@pytest.mark.parametrize("rate", [22050, 44100])
@pytest.mark.parametrize("block", [1000, 1152, _ffmpeg.BLOCK])
@pytest.mark.parametrize("samples", [1, 46, 47, 48, 1152, 1153, 1198, 1199, 1200, 1729, 44101])
def test_mp3_is_gapless(
    samples: int, block: int, rate: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a sample is added or lost, from 47 samples on: FFmpeg's decoder gives no fewer."""
    monkeypatch.setattr(_ffmpeg, "BLOCK", block)
    audio = contract.tones(samples / rate, rate)
    for encoder in (Mp3V0, Mp3Cbr128):
        path = encode(encoder, audio, tmp_path / "x.mp3", rate)
        assert contract.decode(path, "mp3")[0].shape == (2, max(samples, 47))


def test_mp3_128k_is_half_a_decibel_quieter(tmp_path: Path) -> None:
    """LAME scales by 0.95 at 128 kb/s, against clipping, and not at the better settings."""
    audio = contract.tones(1.0)
    changes = []
    for encoder in MP3:
        decoded, _ = contract.decode(encode(encoder, audio, tmp_path / "x.mp3"))
        changes.append(20 * np.log10(np.std(decoded) / np.std(audio)))
    assert changes == pytest.approx([0.0, 0.0, 20 * np.log10(0.95)], abs=0.01)


def test_a_proof_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second check of the same rate and channels encodes nothing."""
    Mp3V0().check(44100, 2)
    monkeypatch.setattr(mp3, "_write", None)
    Mp3V0().check(44100, 2)


@pytest.mark.parametrize(
    ("encoder", "real_rate"), [(Mp3Cbr320, 160_000), (Mp3Cbr128, 112_000), (Mp3Cbr128, 160_000)]
)
def test_a_proof_with_another_bit_rate_is_refused(
    encoder: type[Encoder], real_rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encoder that writes another bit rate than it was asked for is caught."""
    write = mp3._write
    monkeypatch.setattr(
        mp3, "_write", lambda audio, rate, path, _, tags: write(audio, rate, path, real_rate, tags)
    )
    with pytest.raises(EncoderUnavailableError, match="a second encoded to try it came back as"):
        encoder().check(44100, 2)


# --- HE-AAC v2, with programs that really run, put on an otherwise empty PATH


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts ``(name, sh script)`` on a PATH where nothing else is; ``$out`` is the file to write."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(he_aac, "PATIENCE", 1.0)

    def put(name: str, script: str) -> None:
        where = (
            "for out; do :; done"
            if name == "ffmpeg"
            else 'while [ "$1" != -o ]; do shift; done; out=$2'
        )
        file = folder / name
        file.write_text(f"#!/bin/sh\n{where}\n{script}\n", encoding="utf-8")
        file.chmod(0o755)

    return put


def copy(file: Path) -> str:
    """A script that reads its input and passes ``file`` off as its own work."""
    return f"/bin/cat > /dev/null; /bin/cp '{file}' \"$out\""


@pytest.fixture
def lc_file(tmp_path: Path) -> Path:
    """One second of plain AAC, as an encoder writes it that ignores the profile."""
    path = tmp_path / "lc.m4a"
    _av.write(
        _av.probe_signal(44100, 2),
        44100,
        path,
        container="ipod",
        codec="aac",
        sample_format="fltp",
        bit_rate=32_000,
    )
    return path


def refusal(encoder: type[Encoder] = HeAacV2At32) -> str:
    """The message with which an encoder refuses this machine."""
    with pytest.raises(EncoderUnavailableError) as caught:
        encoder().check(44100, 2)
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "profile", "bit_rate"),
    [
        ("he_aac_v2_32k.m4a", "HE-AACv2", 32_000),
        ("he_aac_v2_64k.m4a", "HE-AACv2", 64_000),
        ("he_aac_v1_32k.m4a", "HE-AAC", None),
    ],
)
def test_profiles_are_told_apart(file: str, profile: str, bit_rate: int | None) -> None:
    """Reading back tells HE-AAC v2 from v1, at the full sample rate and the real bit rate."""
    written = _av.read_back(DATA / file)
    assert (written.codec, written.profile) == ("aac", profile)
    assert (written.sample_rate, written.channels) == (44100, 2)
    assert 44100 <= written.samples <= 44100 + he_aac.PADDING
    if bit_rate is not None:
        assert written.bit_rate == pytest.approx(bit_rate, rel=0.1)


def test_plain_aac_is_told_apart(lc_file: Path) -> None:
    """Reading back calls plain AAC by its name."""
    assert _av.read_back(lc_file).profile == "LC"


@no_codec_in_pyav
def test_without_any_provider_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that was tried is listed, each with its reason, then the way out."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal(HeAacV2At64).splitlines() == [
        "'m4a aac_he_v2 64k' cannot be written at 44100 Hz: no encoder on this machine writes "
        "HE-AAC v2 at 64 kb/s. Tried:",
        "  libfdk_aac in PyAV: this PyAV was built without it",
        "  aac_at in PyAV: this PyAV was built without it",
        "  ffmpeg with libfdk_aac: there is no 'ffmpeg' on PATH",
        "  fdkaac: there is no 'fdkaac' on PATH",
        "Install one of them, or choose another format, such as 'mp3 128k':",
        "  Debian, Ubuntu: sudo apt install fdkaac (enable contrib and non-free on Debian, "
        "multiverse on Ubuntu)",
        "  Fedora: sudo dnf install fdkaac (enable RPM Fusion, free and nonfree)",
        "  macOS: brew install fdk-aac-encoder",
        "  Windows, conda: build fdkaac (https://github.com/nu774/fdkaac) and put it on PATH; "
        "conda-forge and the common Windows builds of ffmpeg come without libfdk_aac",
    ]


@posix_only
@no_codec_in_pyav
@pytest.mark.parametrize("name", ["ffmpeg", "fdkaac"])
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("/bin/cat > /dev/null", "wrote no file"),
        (': > "$out"', "wrote no file"),
        ("echo '[aost#0:0 @ 0x55d4] Unknown encoder' >&2; exit 8", "exit code 8: Unknown encoder"),
        ("exit 1", "ended with exit code 1"),
        ("/bin/sleep 20", "did not finish within 2 seconds"),
        ('echo garbage > "$out"', "failed (it is no M4A file that ends with its 'moov' box)"),
        (copy(DATA / "he_aac_v1_32k.m4a"), "wrote aac HE-AAC"),
        (copy(DATA / "he_aac_v2_64k.m4a"), "wrote 65 kb/s"),
    ],
)
def test_programs_that_fail_or_lie_are_refused(
    name: str, script: str, reason: str, program: Callable[[str, str], None]
) -> None:
    """Neither an exit code of 0 nor a file is believed; the reason is told."""
    program(name, script)
    title = "fdkaac" if name == "fdkaac" else "ffmpeg with libfdk_aac"
    (line,) = [line for line in refusal().splitlines() if line.startswith(f"  {title}: ")]
    assert reason in line


@posix_only
@no_codec_in_pyav
def test_plain_aac_is_never_taken_instead(
    program: Callable[[str, str], None], lc_file: Path
) -> None:
    """A program that writes plain AAC under the right name is refused."""
    program("ffmpeg", copy(lc_file))
    assert "  ffmpeg with libfdk_aac: wrote aac LC\n" in refusal()


@posix_only
@no_codec_in_pyav
def test_another_rate_or_duration_is_refused(
    program: Callable[[str, str], None], tmp_path: Path
) -> None:
    """A file of another sample rate than was asked for is refused."""
    program("fdkaac", copy(DATA / "he_aac_v2_32k.m4a"))
    with pytest.raises(EncoderUnavailableError, match="fdkaac: wrote 44100 Hz with 2 channels\n"):
        HeAacV2At32().check(48000, 2)


@posix_only
@no_codec_in_pyav
@pytest.mark.parametrize("encoder", HE_AAC, ids=by_name)
def test_the_first_program_that_proves_itself_is_used(
    encoder: type[Encoder], program: Callable[[str, str], None], tmp_path: Path, lc_file: Path
) -> None:
    """Behind an ffmpeg that lies, a true fdkaac is found, called as it should be, and kept."""
    real = DATA / f"he_aac_v2_{encoder.NAME[-3:]}.m4a"
    log = tmp_path / "log"
    program("ffmpeg", copy(lc_file))
    program("fdkaac", f"{copy(real)}; echo called >> '{log}'")
    encoder().check(44100, 2)
    encoder().check(44100, 2)
    assert log.read_text(encoding="utf-8").count("called") == 1
    path = encode(encoder, contract.tones(1.0), tmp_path / "a; rm -rf $HOME 'b'.part")
    assert np.array_equal(contract.decode(path)[0], contract.decode(real)[0])
    assert contract.read_tags(path)["audiogen"] == contract.TAGS.settings
    assert log.read_text(encoding="utf-8").count("called") == 2


@posix_only
@no_codec_in_pyav
def test_programs_get_the_samples_and_the_settings(
    program: Callable[[str, str], None], tmp_path: Path
) -> None:
    """What a program reads is the 16-bit audio, and its arguments say what that is."""
    heard = tmp_path / "heard"
    audio = contract.tones(0.1)
    for name in ("ffmpeg", "fdkaac"):
        program(name, f"/bin/cat > '{heard}'; echo x > \"$out\"")
        he_aac.PROVIDERS["fdkaac" if name == "fdkaac" else "ffmpeg with libfdk_aac"](
            audio, 44100, 32_000, tmp_path / "out"
        )
        samples = np.frombuffer(heard.read_bytes(), "<i2").reshape(-1, 2).T
        assert np.array_equal(samples, np.rint(audio.astype(np.float64) * 32767))


@posix_only
@no_codec_in_pyav
def test_a_program_that_fails_later_is_named(
    program: Callable[[str, str], None], tmp_path: Path
) -> None:
    """When a proved program fails on the real audio, the error says which one and why."""
    program("fdkaac", copy(DATA / "he_aac_v2_32k.m4a"))
    HeAacV2At32().check(44100, 2)
    program("fdkaac", "echo 'disk full' >&2; exit 3")
    with pytest.raises(he_aac.ProviderError, match=r"^fdkaac ended with exit code 3: disk full$"):
        encode(HeAacV2At32, contract.tones(0.1), tmp_path / "x.part")


@posix_only
@no_codec_in_pyav
def test_a_failure_is_not_remembered(program: Callable[[str, str], None]) -> None:
    """Once an encoder is installed, the next check in the same process finds it."""
    assert "there is no 'fdkaac' on PATH" in refusal()
    program("fdkaac", copy(DATA / "he_aac_v2_32k.m4a"))
    HeAacV2At32().check(44100, 2)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg on this machine")
def test_a_real_ffmpeg_is_believed_only_with_proof() -> None:
    """The machine's own ffmpeg either writes HE-AAC v2, or is refused with its own words."""
    listed = subprocess.run(["ffmpeg", "-encoders"], capture_output=True, text=True).stdout
    if "libfdk_aac" in listed:
        he_aac._prove(he_aac.ffmpeg, 32_000, 44100)
    else:
        with pytest.raises(he_aac.ProviderError, match=r"exit code \d+: Unknown encoder"):
            he_aac._prove(he_aac.ffmpeg, 32_000, 44100)


# --- The contract checks themselves


class Bent(Wav):
    """WAV, after something was done to the audio."""

    bend: Callable[[FloatArray], FloatArray] = staticmethod(lambda audio: audio)
    told: Callable[[Tags], Tags] = staticmethod(lambda tags: tags)
    rate_factor = 1
    litter = False

    def encode(self, audio: FloatArray, sample_rate: int, path: Path, tags: Tags) -> None:
        """Writes what was bent."""
        super().encode(self.bend(audio), sample_rate * self.rate_factor, path, self.told(tags))
        if self.litter:
            path.with_suffix(".log").touch()


def in_place(audio: FloatArray) -> FloatArray:
    """Changes the caller's audio."""
    audio *= 1
    return audio


@pytest.mark.parametrize(
    ("bend", "message"),
    [
        (
            lambda audio: np.pad(audio, ((0, 0), (1, 0)))[:, : audio.shape[1]],
            r"^the audio starts 1 samples late, over 0$",
        ),
        (
            lambda audio: np.pad(audio, ((0, 0), (0, 100))),
            r"^88200 samples became 88300, which is more than 0 off$",
        ),
        (
            lambda audio: audio * np.float32(0.89),
            r"^the level of channel 0 changed by -1.01 dB, over 0.5 dB$",
        ),
        (
            lambda audio: audio + np.float32(0.1) * (audio > 0),
            r"^the signal-to-noise ratio is 1\d.\d dB, below 20.0 dB$",
        ),
        (lambda audio: audio[::-1], r"^the audio starts -?\d+ samples late, over 0$"),
        (lambda audio: audio[:1], r"^2 channels became 1$"),
        (
            lambda audio: np.where(audio >= 1, np.float32(-1), audio),
            r"^only 50% of a square wave at full scale kept their sign and level$",
        ),
        (
            lambda audio: audio if audio.any() else audio + np.float32(0.01),
            r"^silence came back with a peak of 0.01$",
        ),
        (in_place, r"read-only"),
    ],
)
def test_contract_checks_catch_changed_audio(
    bend: Callable[[FloatArray], FloatArray], message: str
) -> None:
    """Each way to bend audio is found, with a message that says which."""

    class Bad(Bent):
        pass

    Bad.bend = staticmethod(bend)
    with pytest.raises((AssertionError, ValueError), match=message):
        contract.check_encoder(Bad, level_tolerance_db=1.0 if "ratio" in message else 0.5)


def test_contract_checks_catch_another_rate_and_a_second_file() -> None:
    """The file has to be the only one, and of the rate that was given."""

    class OtherRate(Bent):
        rate_factor = 2

    class Littering(Bent):
        litter = True

    with pytest.raises(AssertionError, match=r"^44100 Hz became 88200 Hz$"):
        contract.check_encoder(OtherRate)
    with pytest.raises(AssertionError, match=r"^encode was to write 'a b: ü.part' alone, but"):
        contract.check_encoder(Littering)


def test_contract_checks_bound_the_error_of_lossless_formats() -> None:
    """A format that loses a bit is not lossless."""
    contract.check_encoder(Bent, max_error=1.5 / 32768)
    with pytest.raises(AssertionError, match=r"^a sample is .* off, over 4.6e-05$"):
        contract.check_encoder(Mp3V0, max_error=1.5 / 32768)


def test_contract_checks_catch_encoders_that_share_state() -> None:
    """An encoder that keeps the audio in itself mixes up two threads."""

    class Sharing(Wav):
        def encode(self, audio: FloatArray, sample_rate: int, path: Path, tags: Tags) -> None:
            """Writes whatever came last."""
            self.audio = audio
            time.sleep(0.02)
            super().encode(self.audio, sample_rate, path, tags)

    with pytest.raises(AssertionError):
        contract.check_encoder(Sharing)


def test_contract_checks_catch_tags_that_are_lost_or_changed() -> None:
    """A title, a comment, the software and the settings are each missed by name."""
    lost = {
        "title": r"^the title is '' instead of",
        "comment": r"^the comment is '\{",
        "software": r"^no tag holds the software: audiogen 0.0.0$",
        "settings": r"^no tag holds the settings: \{",
    }
    for field, message in lost.items():

        class Forgetful(Bent):
            told = staticmethod(lambda tags, field=field: replace(tags, **{field: ""}))

        with pytest.raises(AssertionError, match=message):
            contract.check_encoder(Forgetful)
        contract.check_encoder(Forgetful, tag_reader=None)


def test_contract_checks_catch_files_that_differ() -> None:
    """An encoder that writes something random into its files is found."""

    class Random(Bent):
        told = staticmethod(lambda tags: replace(tags, comment=tags.comment + str(time.time_ns())))

    with pytest.raises(AssertionError, match=r"^the same audio, encoded twice, made different"):
        contract.check_encoder(Random)


@pytest.mark.parametrize("encoder", BUILT_IN, ids=by_name)
def test_the_size_of_a_file_is_foretold(encoder: type[Encoder], tmp_path: Path) -> None:
    """Of five seconds of noise and a tone, as near as a plan of disk space has to be."""
    rate, samples = 44100, 5 * 44100
    noise = np.random.default_rng(1).normal(size=(2, samples)).cumsum(axis=1)
    noise -= noise.mean(axis=1, keepdims=True)
    tone = np.sin(np.arange(samples) * 0.05)
    audio = (0.2 * noise / np.abs(noise).max() + 0.5 * tone).astype(np.float32)
    path = encode(encoder, audio, tmp_path / "file")
    expected = encoder().expected_bytes(samples, rate, 2)
    assert expected is not None
    assert 0.5 < path.stat().st_size / expected < 1.5


@no_codec_in_pyav
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_ctrl_c_does_not_reach_the_program(
    program: Callable[[str, str], None], tmp_path: Path
) -> None:
    """A terminal signals all processes in front: what is being written is finished all the same."""
    session = tmp_path / "session"
    told = f"/bin/cat /proc/$$/stat > '{session}'"
    program("fdkaac", f'/bin/cat > /dev/null; {told}; echo x > "$out"')
    he_aac.PROVIDERS["fdkaac"](contract.tones(0.1), 44100, 32_000, tmp_path / "out")
    assert int(session.read_text().rpartition(")")[2].split()[3]) != os.getsid(0)
