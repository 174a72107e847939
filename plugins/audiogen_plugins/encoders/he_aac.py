"""M4A with HE-AAC v2, through whichever encoder of this machine proves that it writes it.

HE-AAC v2 (ISO/IEC 14496-3) is AAC at half the sample rate with spectral band replication for the
upper octave and parametric stereo. The encoders that write it may not be distributed with PyAV's
wheels, and some that claim the profile write something else. So each candidate encodes a second
at the very rate and bit rate, and what it wrote is decoded: the first that passes is used. No
other codec ever takes its place.

Players that follow FFmpeg find the first sample within 1,024 samples of its place (exactly there
with libfdk_aac inside PyAV or ffmpeg) and up to 2,048 samples of padding behind the last.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import IO, Any, ClassVar, TypeAlias

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError
from audiogen_core.tags import Tags
from audiogen_plugins.encoders import _av, _m4a

PATIENCE = 20.0
"""Seconds that a program gets to write a file, plus the duration of the audio."""

LOWEST_SAMPLE_RATES = {32_000: 16_000, 64_000: 22_050}
"""For each bit rate, the lowest sample rate in hertz at which Fraunhofer's encoder reaches it."""

PADDING = 4096
"""How many samples more than were encoded may come out of the decoder: two frames."""

INSTALL = """\
Install one of them, or choose another format, such as 'mp3 128k':
  Debian, Ubuntu: sudo apt install fdkaac (enable contrib and non-free on Debian, multiverse on \
Ubuntu)
  Fedora: sudo dnf install fdkaac (enable RPM Fusion, free and nonfree)
  macOS: brew install fdk-aac-encoder
  Windows, conda: build fdkaac (https://github.com/nu774/fdkaac) and put it on PATH; conda-forge \
and the common Windows builds of ffmpeg come without libfdk_aac"""


_CONTRACT = {
    "min_snr_db": 6,
    "level_tolerance_db": 2,
    "max_lag": 1024,
    "duration_tolerance": PADDING,
    "shortest": 1024,
}
"""What the contract checks may ask of parametric stereo."""


class HeAacV2At32(Encoder):
    """M4A, HE-AAC v2, constant 32 kb/s."""

    NAME = "m4a aac_he_v2 32k"
    EXTENSION = ".m4a"
    BIT_RATE: ClassVar[int] = 32_000

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """As close as parametric stereo at a low bit rate comes."""
        return dict(_CONTRACT)

    def check(self, sample_rate: int, channels: int) -> None:
        """Finds an encoder on this machine that writes HE-AAC v2."""
        _check(self.NAME, self.BIT_RATE, sample_rate, channels)

    def expected_bytes(self, samples: int, sample_rate: int, channels: int) -> int:
        """By the bit rate."""
        del channels
        return round(samples / sample_rate * self.BIT_RATE / 8)

    def encode(self, audio: FloatArray, sample_rate: int, path: Path, tags: Tags) -> None:
        """Writes ``audio``, ``[2, samples]``."""
        _encode(self.NAME, self.BIT_RATE, audio, sample_rate, path, tags)


class HeAacV2At64(HeAacV2At32):
    """M4A, HE-AAC v2, constant 64 kb/s."""

    NAME = "m4a aac_he_v2 64k"
    BIT_RATE = 64_000


Provider: TypeAlias = Callable[[FloatArray, int, int, Path], None]
"""Writes ``(audio, sample_rate, bit_rate, path)``; raises `ProviderError` or what FFmpeg raises."""


class ProviderError(Exception):
    """Why an encoder did not write a file of HE-AAC v2."""


def libfdk_aac(audio: FloatArray, sample_rate: int, bit_rate: int, path: Path) -> None:
    """Fraunhofer's encoder inside PyAV: only in one that was built for it."""
    _av.write(
        audio,
        sample_rate,
        path,
        container="ipod",
        codec="libfdk_aac",
        sample_format="s16",
        bit_rate=bit_rate,
        profile="HE-AACv2",
        container_options={_m4a.TIMESCALE: str(sample_rate)},
    )


def aac_at(audio: FloatArray, sample_rate: int, bit_rate: int, path: Path) -> None:
    """Apple's encoder inside PyAV: in the wheels for macOS."""
    _av.write(
        audio,
        sample_rate,
        path,
        container="ipod",
        codec="aac_at",
        sample_format="s16",
        bit_rate=bit_rate,
        profile="HE-AACv2",
        options={"aac_at_mode": "cbr"},
        container_options={_m4a.TIMESCALE: str(sample_rate)},
    )


def ffmpeg(audio: FloatArray, sample_rate: int, bit_rate: int, path: Path) -> None:
    """Fraunhofer's encoder inside the program ffmpeg: only in one that was built for it."""
    source = ["-f", "s16le", "-ar", str(sample_rate), "-ac", str(len(audio)), "-i", "pipe:0"]
    codec = ["-c:a", "libfdk_aac", "-profile:a", "aac_he_v2", "-b:a", str(bit_rate)]
    target = [f"-{_m4a.TIMESCALE}", str(sample_rate), "-f", "ipod", str(path.absolute())]
    _run(["ffmpeg", "-nostdin", "-v", "error", "-y", *source, *codec, *target], audio, sample_rate)


def fdkaac(audio: FloatArray, sample_rate: int, bit_rate: int, path: Path) -> None:
    """The command line of Fraunhofer's encoder, found in most systems' packages."""
    source = ["--raw", "--raw-format", "S16L", "--raw-rate", str(sample_rate)]
    source += ["--raw-channels", str(len(audio)), "-"]
    # Both ways to say where the audio begins: a player may know only the one or the other.
    codec = ["--profile", "29", "--bitrate", str(bit_rate), "--gapless-mode", "2"]
    _run(["fdkaac", "--silent", *codec, "-o", str(path.absolute()), *source], audio, sample_rate)


PROVIDERS: dict[str, Provider] = {
    "libfdk_aac in PyAV": libfdk_aac,
    "aac_at in PyAV": aac_at,
    "ffmpeg with libfdk_aac": ffmpeg,
    "fdkaac": fdkaac,
}
"""The encoders by the name that messages give them, the preferred one first."""


def _check(name: str, bit_rate: int, sample_rate: int, channels: int) -> None:
    if channels != 2:
        raise EncoderUnavailableError(
            f"'{name}' cannot be written with {channels} channel{'s' * (channels != 1)}: "
            f"HE-AAC v2 is stereo; use 'mp3 v0', 'wav' or 'flac'."
        )
    if sample_rate < (lowest := LOWEST_SAMPLE_RATES[bit_rate]):
        raise EncoderUnavailableError(
            f"'{name}' cannot be written at {sample_rate} Hz: HE-AAC v2 reaches "
            f"{bit_rate // 1000} kb/s only from {lowest} Hz; use 'mp3 v0', 'wav' or 'flac'."
        )
    _provider(name, bit_rate, sample_rate)


def _encode(
    name: str, bit_rate: int, audio: FloatArray, sample_rate: int, path: Path, tags: Tags
) -> None:
    title = _provider(name, bit_rate, sample_rate)
    try:
        _write(PROVIDERS[title], audio, sample_rate, bit_rate, path, tags)
    except ProviderError as reason:
        raise ProviderError(f"{title} {reason}") from reason


@cache
def _provider(name: str, bit_rate: int, sample_rate: int) -> str:
    """The first encoder that proves itself; a failure is not remembered, so one can be installed.

    Raises:
        EncoderUnavailableError: None does, with the reason for each.
    """
    tried = []
    for title, provider in PROVIDERS.items():
        try:
            _prove(provider, bit_rate, sample_rate)
        except ProviderError as reason:
            tried.append(f"  {title}: {reason}")
        else:
            return title
    raise EncoderUnavailableError(
        f"'{name}' cannot be written at {sample_rate} Hz: no encoder on this machine "
        f"writes HE-AAC v2 at {bit_rate // 1000} kb/s. Tried:\n" + "\n".join([*tried, INSTALL])
    )


def _prove(provider: Provider, bit_rate: int, sample_rate: int) -> None:
    """Encodes a second and raises `ProviderError` unless it is HE-AAC v2 as ordered."""
    from av.codec.codec import UnknownCodecError
    from av.error import FFmpegError

    with tempfile.TemporaryDirectory(prefix="audiogen-") as folder:
        path = Path(folder, "probe.m4a")
        try:
            _write(provider, _av.probe_signal(sample_rate, 2), sample_rate, bit_rate, path, Tags())
        except UnknownCodecError:
            raise ProviderError("this PyAV was built without it") from None
        except (FFmpegError, OSError, RuntimeError, ValueError) as error:
            raise ProviderError(f"failed ({_av.reason(error)})") from error
        try:
            written = _av.read_back(path)
        except (FFmpegError, ValueError) as error:
            raise ProviderError(
                f"wrote a file that cannot be decoded ({_av.reason(error)})"
            ) from error
    if (written.codec, written.profile) != ("aac", "HE-AACv2"):
        raise ProviderError(f"wrote {written.codec} {written.profile or ''}".rstrip())
    if (written.sample_rate, written.channels) != (sample_rate, 2):
        raise ProviderError(f"wrote {written.sample_rate} Hz with {written.channels} channels")
    if not sample_rate <= written.samples <= sample_rate + PADDING:
        raise ProviderError(f"wrote {written.samples} samples instead of {sample_rate}")
    # The first frames may be larger until the bit reservoir is used up: 7 % over one second, and
    # 0.2 % over thirty. An encoder that stops at 48 or 56 kb/s is 25 or 13 % off.
    if abs(written.bit_rate / bit_rate - 1) > 0.1:
        raise ProviderError(f"wrote {written.bit_rate / 1000:.0f} kb/s")


def _write(
    provider: Provider, audio: FloatArray, sample_rate: int, bit_rate: int, path: Path, tags: Tags
) -> None:
    provider(audio, sample_rate, bit_rate, path)
    if not path.exists() or not path.stat().st_size:
        raise ProviderError("wrote no file")
    _m4a.tag(path, tags)


def _run(command: list[str], audio: FloatArray, sample_rate: int) -> None:
    """Runs a program that reads 16-bit samples from its standard input and writes a file.

    Input and messages go through files: with pipes, a child of a program that was stopped could
    hold them open and keep this process waiting.
    """
    program = shutil.which(command[0])
    if program is None:
        raise ProviderError(f"there is no '{command[0]}' on PATH")
    seconds = PATIENCE + audio.shape[1] / sample_rate
    with tempfile.TemporaryFile() as samples, tempfile.TemporaryFile() as messages:
        samples.writelines(_av.pcm_blocks(audio))
        samples.seek(0)
        try:
            done = subprocess.run(  # noqa: S603 (a list of arguments, no shell, no text of a user)
                [program, *command[1:]],
                stdin=samples,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                timeout=seconds,
                check=False,
                start_new_session=True,  # Ctrl-C lets the file that is being written be finished
            )
        except subprocess.TimeoutExpired:
            raise ProviderError(f"did not finish within {seconds:g} seconds") from None
        if done.returncode:
            raise ProviderError(f"ended with exit code {done.returncode}{_first_line(messages)}")


def _first_line(messages: IO[bytes]) -> str:
    """The first line, where programs say what went wrong, without FFmpeg's addresses."""
    messages.seek(0)
    text = messages.read(4096).decode(errors="replace")
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    return ": " + re.sub(r"^(\[[^\]]* @ \w+\] *)+", "", lines[0])[:200] if lines else ""
