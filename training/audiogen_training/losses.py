"""What the autoencoder is trained on: spectra at several resolutions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

FFT_SIZES = (2048, 1024, 512, 256, 128)
LEVEL_SIZE = 1024
FLOOR = 1e-4
"""The smallest magnitude that is told from silence: 80 dB below a sine at full scale."""


def spectrum(audio: Tensor, size: int) -> Tensor:
    """The complex spectrogram of ``[batch, channels, samples]``, a quarter of a window a hop.

    A sine at full scale has magnitude 1.
    """
    window = torch.hann_window(size, device=audio.device)
    flat = audio.flatten(0, 1)
    return torch.stft(flat, size, size // 4, window=window * (4 / size), return_complex=True)


def lowest(audio: Tensor) -> Tensor:
    """What lies below about 1.5 kHz of ``[batch, 1, samples]`` at 44.1 kHz.

    Above, only spectra are compared: a waveform of noise cannot be met, and the nearest to all it
    might be is silence.
    """
    window = torch.hann_window(33, periodic=False, device=audio.device)
    return functional.conv1d(audio, (window / window.sum())[None, None], padding=16)


def spectral_distance(made: Tensor, wanted: Tensor) -> Tensor:
    """The multi-resolution spectral distance (Yamamoto et al. 2020, arXiv:1910.11480).

    Spectral convergence plus the mean absolute difference of log magnitudes, averaged over
    `FFT_SIZES`.

    Args:
        made: ``[batch, channels, samples]``.
        wanted: The same.
    """
    total = made.new_zeros(())
    for size in FFT_SIZES:
        # The root of a square plus a little: its gradient is finite at zero, where abs's is not.
        a = torch.view_as_real(spectrum(made, size)).square().sum(-1).add(FLOOR**2).sqrt()
        b = torch.view_as_real(spectrum(wanted, size)).square().sum(-1).add(FLOOR**2).sqrt()
        apart, whole = (one.flatten(1).square().mean(1).sqrt() for one in (a - b, b))
        # For each sound: quiet ones count as much as loud ones, down to nearly silent ones.
        convergence = (apart / whole.clamp_min(10 * FLOOR)).mean()
        total = total + convergence + functional.l1_loss(a.log(), b.log())
    return total / len(FFT_SIZES)


def level_distance(made: Tensor, wanted: Tensor) -> Tensor:
    """How far the amplitudes of bands are apart, relative to those of each sound.

    Of noise, magnitudes at single points say little, and where they differ by chance, less of it
    comes nearer to them. Powers over a third of an octave and 23 ms say how loud it is; of these
    the loudest count most.

    Args:
        made: ``[batch, 1, samples]`` at 44.1 kHz.
        wanted: The same.
    """
    edges = torch.logspace(0.6, 2.7, 22, device=made.device)
    number = torch.arange(LEVEL_SIZE // 2 + 1, device=made.device)
    bands = ((number >= edges[:-1, None]) & (number < edges[1:, None])).float()

    def levels(audio: Tensor) -> Tensor:
        power = torch.view_as_real(spectrum(audio, LEVEL_SIZE)).square().sum(-1)
        return (functional.avg_pool1d(bands @ power, 4) + FLOOR**2).sqrt()

    apart, whole = (levels(made) - levels(wanted)).abs(), levels(wanted)
    return (apart.mean((1, 2)) / whole.mean((1, 2)).clamp_min(10 * FLOOR)).mean()
