"""The errors that users see, and the exit code that each of them ends the command with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

EXIT_RUN_FAILED = 1
EXIT_USAGE = 2
EXIT_SOME_FAILED = 3
EXIT_INTERRUPTED = 130

MAX_PROBLEMS = 50
"""Enough to see what is wrong with a long input."""

MAX_PROBLEM_LENGTH = 4000
"""In characters: enough to list all that is allowed, and no more than a reader's screen holds."""

MAX_WORD_LENGTH = 100
"""Longer words are no misspelt ones; comparing them takes time that grows with their square."""


class AudiogenError(Exception):
    """An error with a message made for the user: printed without a traceback.

    Attributes:
        exit_code: What the command exits with when this error ends it.
    """

    exit_code = EXIT_RUN_FAILED


class UsageError(AudiogenError):
    """The user asked for something that cannot be: nothing was started."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input.

    Attributes:
        where: A JSON path (``generation.steps``), or a file with line and column; may be empty.
        what: What is wrong, what is allowed, and what may have been meant.
    """

    where: str
    what: str

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if len(text) > MAX_PROBLEM_LENGTH:
            text = f"{text[:MAX_PROBLEM_LENGTH]}..."
        return printable(text)

    def below(self, path: str) -> Problem:
        """The same, at a place below ``path``."""
        return replace(self, where=f"{path}.{self.where}" if self.where else path)


class InputError(UsageError):
    """One or more problems of a config, a prompts file, an embedding or a checkpoint.

    Args:
        problems: What is wrong; the first `MAX_PROBLEMS` are kept.
        source: The file that it is wrong in.
        more: Whether there may be more that was not looked for.
    """

    def __init__(
        self, problems: Sequence[Problem] | Problem, source: str = "", *, more: bool = False
    ) -> None:
        found = [problems] if isinstance(problems, Problem) else list(problems)
        self.problems = found[:MAX_PROBLEMS]
        self.source = source
        self.more = more or len(found) > MAX_PROBLEMS
        super().__init__(self._message())

    def _message(self) -> str:
        prefix = f"{self.source}: " if self.source else ""
        if len(self.problems) == 1:
            return f"{prefix}{self.problems[0]}"
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        return f"{prefix}{len(self.problems)} problems{' or more' * self.more}{lines}"


class NotInstalledError(InputError):
    """What an input asks for needs a package that is not installed; the message says which."""


class UnavailableError(InputError):
    """What an input names cannot be had this time, though the input may well be right.

    The network failed, or the Hub: it is the run that goes wrong.
    """

    exit_code = EXIT_RUN_FAILED


def printable(text: str) -> str:
    """The text of a file that nobody trusts: what steers a terminal is shown, not obeyed."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def listed(names: Iterable[str]) -> str:
    """The names, quoted and separated by commas, for a message: ``'a', 'b'``."""
    return ", ".join(f"'{name}'" for name in names)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like ``word``; None where none is near."""
    if len(word) > MAX_WORD_LENGTH:
        return None
    by_folded = {name.casefold(): name for name in known if len(name) <= MAX_WORD_LENGTH}
    near = get_close_matches(word.casefold(), list(by_folded), n=1, cutoff=0.6)
    return by_folded[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``" (did you mean 'steps'?)"`` when a known word is near, otherwise an empty string."""
    near = nearest(word, known)
    return f" (did you mean '{near}'?)" if near is not None else ""
