"""How large each output format is, and how near it stays: ``python benchmarks/formats.py FOLDER``.

Sounds of the default model are written in every format, read again and compared. A minute on one
core; the table of docs/guides/formats.md is what it prints.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from audiogen_core.arrays import FloatArray
from audiogen_core.interfaces.encoder import EncoderUnavailableError
from audiogen_core.plugin_manager import PluginManager, installed_plugins
from audiogen_core.tags import Tags
from audiogen_core.testing.encoders import decode

PROMPTS = ("house beat at 120 bpm", "long saw major chord", "rising sweep", "open hi-hat")
SECONDS = 4
ORIGINAL = "wav float"
FLOOR = 1e-4
"""What counts as silence in a spectrum: 80 dB below its highest value."""


def originals(folder: Path) -> list[tuple[FloatArray, int]]:
    """What the default model makes of the prompts, as it is: ``[1, samples]`` and a rate each."""
    command = [sys.executable, "-m", "audiogen_cli", "generate", "--quiet"]
    for prompt in PROMPTS:
        command += ["--prompt", prompt]
    command += ["--format", ORIGINAL, "--seconds", str(SECONDS), "--out", str(folder)]
    command += ["--set", "generation.seed=1", "--set", "output.file_naming=prompt"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [decode(folder / f"{prompt}.wav") for prompt in PROMPTS]


def rows(
    sounds: list[tuple[FloatArray, int]], plugins: PluginManager, folder: Path
) -> Iterator[tuple[str, str, str, str]]:
    """A line for each format: its name, KB a second, and two distances."""
    for name in plugins.encoders.names():
        plugin = plugins.encoders.load(name)
        encoder = plugin(None)
        path = folder / f"sound{encoder.EXTENSION}"
        size, ratios, distances, stereo = 0, [], [], False
        try:
            for audio, rate in sounds:
                try:
                    encoder.check(rate, 1)
                    given = audio
                except EncoderUnavailableError:
                    encoder.check(rate, 2)  # HE-AAC v2 takes no mono
                    given, stereo = np.repeat(audio, 2, axis=0), True
                encoder.encode(given, rate, path, Tags())
                size += path.stat().st_size
                again = _resampled(*decode(path), rate)[:1, : audio.shape[1]]
                ratios.append(signal_to_noise(audio, again))
                distances.append(spectral_distance(audio, again))
        except EncoderUnavailableError:
            yield name, "no encoder here", "", ""
            continue
        kilobytes = size / sum(audio.shape[1] / rate for audio, rate in sounds) / 1000
        yield (
            f"{name}{' (in stereo)' * stereo}",
            f"{kilobytes:.1f}",
            f"{np.mean(ratios):.0f}",
            f"{np.mean(distances):.2f}",
        )


def signal_to_noise(audio: FloatArray, again: FloatArray) -> float:
    """How far below the signal what was changed lies, in dB; at most 150."""
    length = min(audio.shape[1], again.shape[1])
    signal, noise = audio[:, :length], again[:, :length] - audio[:, :length]
    ratio = np.sum(signal**2) / max(float(np.sum(noise**2)), 1e-30)
    return min(150.0, 10 * float(np.log10(ratio)))


def spectral_distance(audio: FloatArray, again: FloatArray) -> float:
    """The mean difference of two spectrograms in dB, where one of them is above the floor."""
    length = min(audio.shape[1], again.shape[1])
    first, second = (_spectrum(one[:, :length]) for one in (audio, again))
    peak = first.max()
    heard = (first > peak * FLOOR) | (second > peak * FLOOR)
    decibels = [20 * (one / peak).clamp(min=FLOOR).log10()[heard] for one in (first, second)]
    return float((decibels[0] - decibels[1]).abs().mean())


def _spectrum(audio: FloatArray) -> torch.Tensor:
    window = torch.hann_window(2048)
    return torch.stft(torch.from_numpy(audio), 2048, 512, window=window, return_complex=True).abs()


def _resampled(audio: FloatArray, rate: int, wanted: int) -> FloatArray:
    """The audio at another rate: its spectrum cut off, or with silence above it."""
    if rate == wanted:
        return audio
    length = round(audio.shape[1] * wanted / rate)
    spectrum = torch.fft.rfft(torch.from_numpy(audio))[:, : length // 2 + 1]
    again = torch.fft.irfft(spectrum, n=length) * (length / audio.shape[1])
    return np.asarray(again.numpy(), dtype=np.float32)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    plugins = installed_plugins()
    print("| Format | KB a second | SNR in dB | Spectral distance in dB |")
    print("| --- | --- | --- | --- |")
    sounds = originals(folder)
    for name, *figures in rows(sounds, plugins, folder):
        print(f"| `{name}` | {' | '.join(figures)} |", flush=True)


if __name__ == "__main__":
    main()
