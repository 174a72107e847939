"""The audio formats: each is really written, and read again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from audiogen_core.config import OutputSection
from audiogen_core.doctor.findings import Finding, Mark, ok, problem, warning
from audiogen_core.interfaces.encoder import Encoder, EncoderUnavailableError
from audiogen_core.options import validate
from audiogen_core.plugin_help import example_options
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.registry import describe
from audiogen_core.sizes import size
from audiogen_core.tags import Tags
from audiogen_core.testing.encoders import decode, tones

SAMPLE_RATE = 44100
SECONDS = 1.0
LENGTH_TOLERANCE = 0.2
"""In seconds: what codecs may add or cut."""

LEVEL_TOLERANCE = 6.0
"""In decibels: what comes back is the sound, and not silence or noise."""


def formats() -> Iterator[Finding]:
    """Writes a chord in every format, and decodes the file."""
    registry = installed_plugins().encoders
    default = OutputSection().file_format
    for name in registry.names():
        try:
            finding = _tried(name, registry.load(name))
        except KeyboardInterrupt:
            raise
        except EncoderUnavailableError as error:
            text, _, hint = str(error).partition("\n")
            finding = warning(name, text, hint)
        # Whatever a plugin raises where it is tried is what there is to report.
        except BaseException as error:
            finding = warning(name, f"failed: {describe(error)}")
        if finding.mark is not Mark.OK and name == default:
            finding = problem(name, finding.text, finding.hint)
        yield finding
    if default not in registry:
        yield problem(str(default), "is the default format, but no plugin registered it")


def _tried(name: str, plugin: type[Encoder]) -> Finding:
    audio = tones(SECONDS, SAMPLE_RATE)
    encoder = plugin(validate(plugin.Options, example_options(plugin.Options)))
    encoder.check(SAMPLE_RATE, len(audio))
    with tempfile.TemporaryDirectory(prefix="audiogen-") as folder:
        path = Path(folder, f"chord{plugin.EXTENSION}")
        encoder.encode(audio, SAMPLE_RATE, path, Tags(title="chord"))
        written = path.stat().st_size
        decoded, rate = _decoder(plugin, Path(folder))(path)
    seconds = decoded.shape[1] / rate
    if len(decoded) != len(audio) or abs(seconds - SECONDS) > LENGTH_TOLERANCE:
        wanted = f"{SECONDS:g} seconds in {len(audio)} channels"
        return warning(
            name, f"{wanted} came back as {seconds:g} seconds in {len(decoded)} channels"
        )
    level = 20 * float(np.log10((np.std(decoded) + 1e-9) / np.std(audio)))
    if abs(level) > LEVEL_TOLERANCE:
        return warning(name, f"the sound came back {level:+.0f} dB louder or softer")
    return ok(name, f"written and read again, {size(written)} for a second", written)


def _decoder(plugin: type[Encoder], folder: Path) -> Any:
    """What reads its files: FFmpeg, or what the class itself tells the contract checks."""
    example = getattr(plugin, "contract_example", None)
    return (example(folder) if example is not None else {}).get("decoder", decode)
