"""Where models come from: local files, or a repository of the Hugging Face Hub."""

from __future__ import annotations

import re
import stat
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogen_core.downloads import Downloaded, unreported
from audiogen_core.errors import AudiogenError, UsageError
from audiogen_core.identity import content_digest, digest, fingerprint
from audiogen_core.models.config import ModelConfig, parse_model_config
from audiogen_core.strict_json import read_json

if TYPE_CHECKING:
    from audiogen_core.config import GenerationSection

CONFIG_NAME = "model_config.json"
CHECKPOINT_NAMES = ("model.safetensors", "model.ckpt")
MAX_RESTARTS = 5
"""How often a download may start anew because the server cannot resume it."""


class ModelSource(ABC):
    """A model's config and weights, fetched in that order and only when asked for."""

    @abstractmethod
    def config(self) -> ModelConfig:
        """Reads the model config.

        Raises:
            AudiogenError: It cannot be had, or is wrong.
        """

    @abstractmethod
    def checkpoint(self, downloaded: Downloaded) -> Path:
        """The file of the weights, downloaded where need be.

        Args:
            downloaded: Is told how the download goes.

        Raises:
            AudiogenError: It cannot be had.
        """

    @property
    @abstractmethod
    def folder(self) -> Path | None:
        """Where relative paths of the config are looked for, after the working directory."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What to write into the metadata so that the same model can be found again."""

    def note(self) -> str | None:
        """What the user should know about where the model comes from."""
        return None

    def advice(self, generation: GenerationSection) -> str | None:
        """What would suit the model better than how it is to be sampled; None for nothing."""
        del generation
        return None


class LocalSource(ModelSource):
    """A model config and a checkpoint on this machine.

    Raises:
        UsageError: The checkpoint does not exist.
    """

    def __init__(self, config_path: Path, checkpoint_path: Path) -> None:
        self._config_path = config_path
        self._checkpoint_path = checkpoint_path

    def config(self) -> ModelConfig:
        """Reads the file, and makes sure that the checkpoint is there too."""
        config = parse_model_config(
            read_json(self._config_path, "model config"), str(self._config_path)
        )
        check_checkpoint_path(self._checkpoint_path)
        return config

    def checkpoint(self, downloaded: Downloaded) -> Path:  # noqa: ARG002
        """The path as given."""
        return self._checkpoint_path

    @property
    def folder(self) -> Path | None:
        """The folder of the config."""
        return self._config_path.parent

    def identity(self) -> dict[str, Any]:
        """The two paths, made absolute, and what tells their content from any other."""
        return {
            "model_config": str(self._config_path.resolve()),
            "ckpt_path": str(self._checkpoint_path.resolve()),
            "fingerprint": digest(
                [content_digest(self._config_path), fingerprint(self._checkpoint_path)]
            ),
        }


class LocalConfig(ModelSource):
    """A model config alone, for checks that need no weights."""

    def __init__(self, config_path: Path) -> None:
        self._config_path = config_path

    def config(self) -> ModelConfig:
        """Reads the file."""
        data = read_json(self._config_path, "model config")
        return parse_model_config(data, str(self._config_path))

    def checkpoint(self, downloaded: Downloaded) -> Path:  # noqa: ARG002
        """There is none.

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"{self._config_path}: no checkpoint was named")

    @property
    def folder(self) -> Path | None:
        """The folder of the config."""
        return self._config_path.parent

    def identity(self) -> dict[str, Any]:
        """The path, made absolute."""
        return {"model_config": str(self._config_path.resolve())}


def check_checkpoint_path(path: Path) -> None:
    """Raises a `UsageError` unless ``path`` is a file with a known ending that can be read."""
    if path.suffix not in {".safetensors", ".ckpt", ".pt", ".pth"}:
        raise UsageError(f"{path}: a checkpoint must end in .safetensors or .ckpt")
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path}: checkpoint is not a file")
        path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path}: checkpoint does not exist") from None
    except OSError as error:
        raise UsageError(f"{path}: checkpoint cannot be read: {error.strerror}") from None


class HubSource(ModelSource):
    """A repository of the Hugging Face Hub, cached and offline as huggingface_hub does it.

    Args:
        name: ``owner/name``.
        revision: A branch, tag or commit; the default branch by default.
    """

    def __init__(self, name: str, revision: str | None = None) -> None:
        self._name = name
        self._revision = revision
        self._commit: str | None = None

    def config(self) -> ModelConfig:
        """Downloads the config, and pins the commit that it came from."""
        path = download(self._name, CONFIG_NAME, self._revision)
        if path is None:
            raise UsageError(
                f"{self._name}: the repository holds no {CONFIG_NAME}, "
                "so it is no model in the Stable Audio format"
            )
        self._commit = commit_of(path)
        return parse_model_config(read_json(path, "model config"), f"{self._name}/{CONFIG_NAME}")

    def checkpoint(self, downloaded: Downloaded) -> Path:
        """Downloads ``model.safetensors``, or ``model.ckpt`` where there is no such file."""
        revision = self._commit or self._revision
        for name in CHECKPOINT_NAMES:
            if (path := download(self._name, name, revision, downloaded)) is not None:
                return path
        raise UsageError(
            f"{self._name}: the repository holds neither {' nor '.join(CHECKPOINT_NAMES)}"
        )

    @property
    def folder(self) -> Path | None:
        """None: text encoders are named by their own repositories."""
        return None

    def identity(self) -> dict[str, Any]:
        """The repository's name and the commit that was used."""
        return {"pretrained_name": self._name, "revision": self._commit or self._revision}


class NotCachedError(AudiogenError):
    """Offline mode is on, and the local cache lacks a file."""


def download(
    name: str,
    filename: str,
    revision: str | None = None,
    downloaded: Downloaded = unreported,
) -> Path | None:
    """A file of a repository, from the local cache where it is there.

    Of a commit, what the cache holds or knows not to exist takes no network.

    Args:
        name: ``owner/name``.
        filename: Its path in the repository.
        revision: A branch, tag or commit; the default branch by default.
        downloaded: Is told how the download goes.

    Returns:
        Its path in the local cache; None where the repository does not hold it.

    Raises:
        UsageError: The repository or revision does not exist, or needs a login or accepted terms.
        NotCachedError: Offline mode is on, and the local cache lacks the file.
        AudiogenError: The network, the Hub or the transfer failed.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        with hub_quiet():
            if re.fullmatch("[0-9a-f]{40}", revision or "") and _lacks(name, filename, revision):
                return None
            bar = _progress_bar(downloaded)
            return Path(hf_hub_download(name, filename, revision=revision, tqdm_class=bar))
    except LocalEntryNotFoundError as error:  # also an EntryNotFoundError
        if _lacks(name, filename, revision):
            return None
        raise _explained(error, name, filename, revision) from error
    except EntryNotFoundError:
        return None
    except Exception as error:
        raise _explained(error, name, filename, revision) from error


def commit_of(path: Path) -> str:
    """The commit of a downloaded file, ``.../snapshots/<commit>/<file>``."""
    return path.parent.name


def _lacks(name: str, filename: str, revision: str | None) -> bool:
    """Whether the cache remembers that the repository has no such file."""
    from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache

    return try_to_load_from_cache(name, filename, revision=revision) is _CACHED_NO_EXIST


def _progress_bar(downloaded: Downloaded) -> Any:
    """What huggingface_hub takes for a progress bar: it shows nothing, and tells ``downloaded``."""
    from huggingface_hub import utils

    class Report(utils.tqdm):  # type: ignore[misc, name-defined]
        restarts = 0

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if n is not None and n < 0:  # taken back, as the server does not know how to resume
                self.restarts += 1
                if self.restarts > MAX_RESTARTS:
                    raise ConnectionError("it breaks off each time, and cannot be resumed")
            downloaded(int(self.n), self.total)

        def update_transfer(self, n: float) -> None:
            """What came over the wire for it, compressed: the file's own bytes are what counts."""

        def set_transfer_postfix_str(self, *args: Any, **options: Any) -> None:
            """Shows nothing."""

    return Report


def _explained(
    error: BaseException, name: str, filename: str, revision: str | None
) -> AudiogenError:
    """What huggingface_hub raised, as a message that says what to do."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        FileMetadataError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    log_in = "log in with 'hf auth login' or set HF_TOKEN"
    page = f"{constants.ENDPOINT}/{name}"
    cause = error
    if isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        # Not in the cache either; why it was not downloaded is what counts.
        cause = error.__cause__
    if isinstance(cause, HFValidationError):
        return UsageError(f"'{name}' is not a repository name like 'owner/name'")
    if isinstance(cause, GatedRepoError):
        return UsageError(
            f"{name}: access is restricted; accept its terms at {page}, then {log_in}"
        )
    if isinstance(cause, RevisionNotFoundError):
        return UsageError(f"{name}: revision '{revision or 'main'}' does not exist")
    if isinstance(cause, RepositoryNotFoundError):
        return UsageError(
            f"{name}: no such repository at {constants.ENDPOINT}, or it is private: check the "
            f"name, or {log_in}"
        )
    if isinstance(cause, HfHubHTTPError):
        status = getattr(cause.response, "status_code", None)
        if status in {401, 403}:
            return UsageError(
                f"{name}: access is refused (HTTP {status}): {log_in}; terms to accept, if any, "
                f"are at {page}"
            )
        return AudiogenError(f"{name}: {constants.ENDPOINT} answered with HTTP {status}")
    if isinstance(cause, OfflineModeIsEnabled):
        at = f" at revision '{revision}'" if revision is not None else ""
        return NotCachedError(
            f"{name}: {filename} is not in the local cache{at}, and HF_HUB_OFFLINE forbids to "
            "download it"
        )
    if isinstance(cause, FileMetadataError):
        return AudiogenError(
            f"{name}: {constants.ENDPOINT} does not answer as a Hub does: check HF_ENDPOINT and "
            "the network's proxy"
        )
    if cause is not error:
        return AudiogenError(
            f"{name}: {constants.ENDPOINT} cannot be reached: {_first_line(cause)}"
        )
    return AudiogenError(f"{name}: downloading {filename} failed: {_first_line(cause)}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def hub_quiet() -> Iterator[None]:
    """Keeps progress bars and log messages of huggingface_hub out of our own display."""
    from huggingface_hub import utils

    hub: Any = utils
    silent, verbosity = hub.are_progress_bars_disabled(), hub.logging.get_verbosity()
    with warnings.catch_warnings():
        # It warns where HF_HUB_DISABLE_PROGRESS_BARS has decided already.
        warnings.simplefilter("ignore")
        hub.disable_progress_bars()
        hub.logging.set_verbosity_error()
        try:
            yield
        finally:
            hub.logging.set_verbosity(verbosity)
            if not silent:
                hub.enable_progress_bars()
