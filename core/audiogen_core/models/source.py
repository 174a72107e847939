"""Where models come from: local files, or a repository of the Hugging Face Hub."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audiogen_core.errors import AudiogenError, UsageError
from audiogen_core.models.config import ModelConfig, parse_model_config
from audiogen_core.strict_json import read_json

CONFIG_NAME = "model_config.json"
CHECKPOINT_NAMES = ("model.safetensors", "model.ckpt")


class ModelSource(ABC):
    """A model's config and weights, fetched in that order and only when asked for."""

    @abstractmethod
    def config(self) -> ModelConfig:
        """Reads the model config.

        Raises:
            AudiogenError: It cannot be had, or is wrong.
        """

    @abstractmethod
    def checkpoint(self) -> Path:
        """The file of the weights, downloaded where need be.

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

    def checkpoint(self) -> Path:
        """The path as given."""
        return self._checkpoint_path

    @property
    def folder(self) -> Path | None:
        """The folder of the config."""
        return self._config_path.parent

    def identity(self) -> dict[str, Any]:
        """The two paths, made absolute."""
        return {
            "model_config": str(self._config_path.resolve()),
            "ckpt_path": str(self._checkpoint_path.resolve()),
        }


def check_checkpoint_path(path: Path) -> None:
    """Raises a `UsageError` unless ``path`` is a file with a known ending."""
    if path.suffix not in {".safetensors", ".ckpt", ".pt", ".pth"}:
        raise UsageError(f"{path}: a checkpoint must end in .safetensors or .ckpt")
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise UsageError(f"{path}: checkpoint {what}")


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
        path = self._download(CONFIG_NAME)
        if path is None:
            raise UsageError(
                f"{self._name}: the repository holds no {CONFIG_NAME}, "
                "so it is no model in the Stable Audio format"
            )
        # .../snapshots/<commit>/model_config.json
        if path.parent.parent.name == "snapshots":
            self._commit = path.parent.name
        return parse_model_config(read_json(path, "model config"), f"{self._name}/{CONFIG_NAME}")

    def checkpoint(self) -> Path:
        """Downloads ``model.safetensors``, or ``model.ckpt`` where there is no such file."""
        for name in CHECKPOINT_NAMES:
            if (path := self._download(name)) is not None:
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

    def _download(self, filename: str) -> Path | None:
        """The file in the local cache; None where the repository does not hold it."""
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        with hub_errors(self._name, self._revision):
            try:
                return Path(
                    hf_hub_download(self._name, filename, revision=self._commit or self._revision)
                )
            except LocalEntryNotFoundError:
                raise
            except EntryNotFoundError:
                return None


@contextmanager
def hub_errors(name: str, revision: str | None = None) -> Iterator[None]:
    """Turns what huggingface_hub raises into messages that say what to do.

    Raises:
        UsageError: The repository or revision does not exist, or needs a login or accepted terms.
        AudiogenError: The network or the transfer failed, or offline mode lacks a file.
    """
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise UsageError(
            f"{name}: access is restricted; accept its terms at {_page(name)}, then log in "
            "with 'hf auth login' or set HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise UsageError(f"{name}: revision '{revision}' does not exist") from error
    except RepositoryNotFoundError as error:
        raise UsageError(
            f"{name}: no such repository on the Hub, or it is private: check the name, or log in "
            "with 'hf auth login' or set HF_TOKEN"
        ) from error
    except HFValidationError as error:
        raise UsageError(f"'{name}' is not a repository name like 'owner/name'") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise AudiogenError(
            f"{name}: not in the local cache, and the Hub cannot be reached "
            "(offline mode, or no network)"
        ) from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "unknown")
        if status in (401, 403):
            raise UsageError(
                f"{name}: the Hub refuses access (HTTP {status}): log in with 'hf auth login' or "
                f"set HF_TOKEN; terms to accept, if any, are at {_page(name)}"
            ) from error
        raise AudiogenError(f"{name}: the Hub answered with HTTP {status}") from error
    except AudiogenError:
        raise
    except Exception as error:
        raise AudiogenError(f"{name}: download failed: {error}") from error


def _page(name: str) -> str:
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{name}"
