"""Finding and loading what Hugging Face's transformers provides, without a word of its own."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from audiogen_core.errors import AudiogenError, InputError, Problem, UsageError
from audiogen_core.models.source import NotCachedError, download, hub_quiet
from audiogen_core.torchaudio_shim import import_torchaudio


def transformers() -> ModuleType:
    """The package, imported when it is first needed, and after torchaudio was seen to."""
    import_torchaudio()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("transformers")


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps progress bars, log messages and warnings of the two packages to themselves."""
    logging: Any = transformers().utils.logging
    with warnings.catch_warnings(), hub_quiet():
        warnings.simplefilter("ignore")
        bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()


def locate(name: str, folder: Path | None, marker: str) -> str:
    """Where ``name`` is: a local folder, or else a name on the Hub.

    Args:
        name: A path, relative to the working directory or to ``folder``, or a Hub name.
        folder: The model config's folder.
        marker: The file that a local folder must hold.
    """
    candidates = [Path(name)] if folder is None else [Path(name), folder / name]
    return next((str(path) for path in candidates if (path / marker).is_file()), name)


def read_config(name: str, folder: Path | None, key: str) -> tuple[str, dict[str, Any]]:
    """Finds a pretrained model and reads its ``config.json``, without importing transformers.

    Args:
        name: What `locate` takes.
        folder: The model config's folder.
        key: The option that gave the name, for messages.

    Returns:
        Where the model is, and its configuration.

    Raises:
        InputError: There is none; the message says what was tried.
    """
    source = locate(name, folder, "config.json")
    path = Path(source) / "config.json"
    if not path.is_file():
        path = _download(name, folder, key)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(Problem(key, f"'{path}' cannot be read: {error}")) from None
    if not isinstance(config, dict):
        raise InputError(Problem(key, f"'{path}' holds no JSON object"))
    return source, config


def not_found(name: str, folder: Path | None, key: str, error: Exception) -> InputError:
    """The error for a pretrained model that is neither here nor on the Hub."""
    places = [str(Path.cwd() / name)] + ([] if folder is None else [str(folder / name)])
    tried = ", ".join(f"folder '{place}'" for place in dict.fromkeys(places))
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return InputError(
        Problem(key, f"'{name}' was not found; tried {tried}, and the Hugging Face Hub: {reason}")
    )


def _download(name: str, folder: Path | None, key: str) -> Path:
    try:
        path = download(name, "config.json")
    except (UsageError, NotCachedError) as error:
        raise not_found(name, folder, key, error) from None
    except AudiogenError as error:  # the network or the Hub failed: the config may well be right
        raise AudiogenError(f"{key}: {error}") from None
    if path is None:
        raise InputError(Problem(key, f"'{name}' is no text model: it has no config.json"))
    return path
