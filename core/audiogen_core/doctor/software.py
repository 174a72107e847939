"""The packages that audiogen is made of: their versions, and whether they can be imported."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import audiogen_core
from audiogen_core.doctor.findings import Finding, ok, problem, warning
from audiogen_core.registry import describe
from audiogen_core.torchaudio_shim import import_torchaudio, torchaudio_problem

PACKAGES = {
    "numpy": "numpy",
    "torch": "torch",
    "transformers": "transformers",
    "tokenizers": "tokenizers",
    "safetensors": "safetensors",
    "huggingface_hub": "huggingface_hub",
    "av": "av",
    "pydantic": "pydantic",
    "pluggy": "pluggy",
    "PyYAML": "yaml",
    "rich": "rich",
    "typer": "typer",
}
"""What generating needs: distributions, and the modules that they are imported as."""


def software() -> Iterator[Finding]:
    """Imports each package."""
    yield ok("system", f"{platform.system()} {platform.release()}, {platform.machine()}")
    yield ok("python", f"{platform.python_version()}, {sys.executable}", platform.python_version())
    folder = Path(audiogen_core.__file__).parent
    yield ok("audiogen", f"{audiogen_core.__version__}, {folder}", audiogen_core.__version__)
    import_torchaudio()  # has to come before transformers
    for distribution, module in PACKAGES.items():
        yield _imported(distribution, module)
    yield _ffmpeg()
    yield _torchaudio()


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _imported(distribution: str, module: str) -> Finding:
    found = _version(distribution)
    try:
        imported = importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    # Whatever a broken installation raises is what there is to report.
    except BaseException as error:
        what = "is not installed" if found is None else f"{found} cannot be imported"
        hint = f"Install it again: pip install --force-reinstall '{distribution}'"
        return problem(distribution, f"{what}: {describe(error)}", hint, found)
    found = found or str(getattr(imported, "__version__", "of an unknown version"))
    return ok(distribution, found, found)


def _ffmpeg() -> Finding:
    try:
        import av

        libraries = {
            name: ".".join(map(str, numbers)) for name, numbers in av.library_versions.items()
        }
        release = str(getattr(av, "ffmpeg_version_info", "of an unknown version"))
    except Exception as error:
        return problem("FFmpeg", f"PyAV, which brings it, does not work: {describe(error)}")
    value = {"release": release, **libraries}
    return ok("FFmpeg", f"{release} in PyAV, libavcodec {libraries.get('libavcodec')}", value)


def _torchaudio() -> Finding:
    found = _version("torchaudio")
    if found is None:
        return ok("torchaudio", "is not installed; nothing needs it")
    if (cause := torchaudio_problem()) is None:
        return ok("torchaudio", found, found)
    hint = "Nothing of audiogen needs it. A plugin that does needs one built for this torch."
    return warning("torchaudio", f"{found} cannot be imported: {cause}", hint, found)
