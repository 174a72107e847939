"""Finding and loading what Hugging Face's transformers provides, without a word of its own."""

from __future__ import annotations

import importlib
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from audiogen_core.downloads import Downloaded
from audiogen_core.errors import (
    AudiogenError,
    InputError,
    Problem,
    UnavailableError,
    UsageError,
    listed,
)
from audiogen_core.identity import folder_fingerprint
from audiogen_core.interfaces.conditioner import BuildContext
from audiogen_core.models.source import NotCachedError, commit_of, download, hub_quiet
from audiogen_core.strict_json import read_json
from audiogen_core.torchaudio_shim import import_torchaudio

CONFIG = "config.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENIZER_JSON = "tokenizer.json"
VOCABULARIES = (
    TOKENIZER_JSON, "spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "vocab.json",
    "vocab.txt",
)  # fmt: skip
TOKENIZER = (
    CONFIG, TOKENIZER_CONFIG, "special_tokens_map.json", "added_tokens.json", "merges.txt",
    *VOCABULARIES,
)  # fmt: skip
WEIGHTS = (
    "model.safetensors", "model.safetensors.index.json",
    "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip
"""The first that there is will do; an index names the files that hold the weights."""


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


class Tokenizer(ABC):
    """From texts to numbers."""

    @abstractmethod
    def __call__(self, texts: Sequence[str], length: int) -> tuple[Tensor, Tensor]:
        """Tokenizes, and pads or cuts to a number of tokens.

        Returns:
            The tokens, ``[texts, length]`` of int64, and which are no padding, of bool.
        """


class FastTokenizer(Tokenizer):
    """One that is whole in a single file, which says all that it does.

    Args:
        tokenizer: Of the tokenizers library.
        padding: The token that pads.
    """

    def __init__(self, tokenizer: Any, padding: int) -> None:
        self._tokenizer = tokenizer
        self._padding = padding

    def __call__(self, texts: Sequence[str], length: int) -> tuple[Tensor, Tensor]:
        """See `Tokenizer`."""
        self._tokenizer.enable_truncation(length)
        self._tokenizer.enable_padding(length=length, pad_id=self._padding)
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = torch.tensor([one.ids for one in encoded])
        return ids, torch.tensor([one.attention_mask for one in encoded], dtype=torch.bool)


class AnyTokenizer(Tokenizer):
    """One that transformers knows to put together.

    Args:
        tokenizer: A tokenizer of transformers.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, texts: Sequence[str], length: int) -> tuple[Tensor, Tensor]:
        """See `Tokenizer`."""
        with quiet():
            encoded = self._tokenizer(
                list(texts),
                truncation=True,
                max_length=length,
                padding="max_length",
                return_tensors="pt",
            )
        return encoded["input_ids"], encoded["attention_mask"].bool()


@dataclass(frozen=True)
class Pretrained:
    """A text encoder or tokenizer: a local folder, or one commit of a repository on the Hub.

    Attributes:
        name: What the model config calls it.
        key: The option that named it, for messages.
        folder: Where its files are; for the Hub, the commit's folder in the local cache.
        commit: None for a local folder.
        downloaded: Is told how downloads go.
    """

    name: str
    key: str
    folder: Path
    commit: str | None
    downloaded: Downloaded

    def __str__(self) -> str:
        """Where it is, for messages."""
        return str(self.folder) if self.commit is None else self.name

    def identity(self) -> dict[str, Any]:
        """The name with the commit that was used, or with the folder's full path and content."""
        if self.commit is None:
            return {
                "name": self.name,
                "path": str(self.folder.resolve()),
                "fingerprint": folder_fingerprint(self.folder),
            }
        return {"name": self.name, "revision": self.commit}

    def config(self) -> dict[str, Any]:
        """Reads ``config.json``, without importing transformers.

        Raises:
            InputError: It cannot be read.
        """
        path = self.folder / CONFIG
        try:
            config = read_json(path, "config")
        except InputError as error:
            raise self._wrong(str(error)) from None
        if not isinstance(config, dict):
            raise self._wrong(f"'{path}' holds no JSON object")
        return config

    def tokenizer(self) -> Tokenizer:
        """Gets and loads the tokenizer.

        Raises:
            InputError: There is none, or it is damaged.
            UnavailableError: It cannot be downloaded.
        """
        self._get_tokenizer()
        config, complete = self.config(), self.folder / TOKENIZER_JSON
        if not complete.is_file():
            return AnyTokenizer(self._any_tokenizer())
        from tokenizers import Tokenizer as Library

        try:
            tokenizer = Library.from_file(str(complete))
        except Exception as error:  # the library has no class of its own for it
            raise self.broken(error) from error
        return FastTokenizer(tokenizer, config.get("pad_token_id") or 0)

    def any_tokenizer(self) -> Any:
        """Gets and loads the tokenizer, of whatever kind, as a class of transformers.

        Raises:
            InputError: There is none, or it is damaged.
            UnavailableError: It cannot be downloaded.
        """
        self._get_tokenizer()
        return self._any_tokenizer()

    def _any_tokenizer(self) -> Any:
        try:
            with quiet():
                tokenizer: Any = transformers().AutoTokenizer.from_pretrained(
                    str(self.folder), local_files_only=True, trust_remote_code=False
                )
        except Exception as error:  # each kind of damage has a class of its own
            raise self.broken(error) from error
        # Without its vocabulary, a tokenizer may load all the same, and know no word.
        needed = {*tokenizer.vocab_files_names.values()}
        if needed and not any((self.folder / file).is_file() for file in {*needed, *VOCABULARIES}):
            raise self._wrong(f"'{self}' holds no tokenizer: none of {listed(VOCABULARIES)}")
        return tokenizer

    def _get_tokenizer(self) -> None:
        complete = any((self.folder / file).is_file() for file in VOCABULARIES)
        for file in TOKENIZER:
            try:
                self.has(file)
            except InputError:
                # What else filled the cache took no note of the files that the repository lacks.
                if not complete:
                    raise
                break

    def weights(self) -> list[Path]:
        """Gets the files that hold the weights.

        Raises:
            InputError: There are none, or their index is damaged.
            UnavailableError: They cannot be downloaded.
        """
        # What is in the cache comes first.
        for file in sorted(WEIGHTS, key=lambda file: not (self.folder / file).is_file()):
            if not self.has(file):
                continue
            files = self._shards(file) if file.endswith(".index.json") else {file}
            if missing := [one for one in sorted(files) if not self.has(one)]:
                raise self._wrong(f"'{self}' cannot be loaded: it lacks {missing[0]}")
            return [self.folder / one for one in sorted(files)]
        raise self._wrong(f"'{self}' holds no weights: none of {listed(WEIGHTS)}")

    def broken(self, error: Exception) -> InputError:
        """What to raise where something in it is damaged."""
        return self._wrong(f"'{self}' cannot be loaded: {_reason(error)}")

    def _shards(self, index: str) -> set[str]:
        try:
            files = read_json(self.folder / index, "index")["weight_map"].values()
            return {file for file in files if isinstance(file, str)}
        except (InputError, LookupError, AttributeError, TypeError) as error:
            raise self._wrong(f"'{self}' cannot be loaded: {index}: {_reason(error)}") from None

    def has(self, file: str) -> bool:
        """Whether there is such a file; it is downloaded where need be."""
        if self.commit is None:
            return (self.folder / file).is_file()
        try:
            return download(self.name, file, self.commit, self.downloaded) is not None
        except UsageError as error:
            raise self._wrong(str(error)) from error
        except AudiogenError as error:
            raise UnavailableError(Problem(self.key, str(error))) from error

    def _wrong(self, what: str) -> InputError:
        return InputError(Problem(self.key, what))


def find(name: str, context: BuildContext, key: str, marker: str = CONFIG) -> Pretrained:
    """Finds a local folder, or else pins the commit of a repository on the Hub.

    Args:
        name: A path, relative to the working directory or to the model config's folder, or a name
            on the Hub.
        context: Where the model config is, and who is told of downloads.
        key: The option that gave the name, for messages.
        marker: The file that a local folder must hold.

    Raises:
        InputError: There is none; the message says what was tried.
        UnavailableError: The network or the Hub failed.
    """
    places = [Path(name)] if context.folder is None else [Path(name), context.folder / name]
    for place in places:
        try:
            found = (place / marker).is_file()
        except OSError:  # too long to be a path, or in a folder that is closed to this user
            found = False
        if found:
            return Pretrained(name, key, place, None, context.downloaded)
    try:
        for file in dict.fromkeys((CONFIG, marker)):
            if (path := download(name, file)) is not None:
                return Pretrained(name, key, path.parent, commit_of(path), context.downloaded)
    except (UsageError, NotCachedError) as error:
        places[0] = Path.cwd() / name
        tried = ", ".join(f"folder '{place}'" for place in dict.fromkeys(places))
        what = f"'{name}' was not found; tried {tried}, and the Hugging Face Hub: {error}"
        raise InputError(Problem(key, what)) from None
    except AudiogenError as error:
        raise UnavailableError(Problem(key, str(error))) from None
    raise InputError(Problem(key, f"'{name}' is no pretrained model: it has no {marker}"))


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
