"""A process of our own that takes and answers pickles, and ends when this one does."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any

from audiogen_core import own_module
from audiogen_core.executing.pickles import received, send

SECONDS_TO_END = 5.0
"""A child ends soon when its standard input does; one that has not by then is killed."""


class Child:
    """A Python module that runs as a process, and sees by its standard input when to end.

    Args:
        module: What it runs.
        environment: Variables that it has besides those of this process.
        hear: Is told from another thread what it answers, and at last None: it has ended.
    """

    def __init__(
        self, module: str, environment: Mapping[str, str], hear: Callable[[Any], None]
    ) -> None:
        self._hear = hear
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115, `end` closes it
        self._process = subprocess.Popen(  # noqa: S603, a module of ours
            own_module.command(module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**own_module.environment(), **environment},
            # Ctrl-C is for the command, which ends its children itself.
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def tell(self, what: object) -> None:
        """Sends something; where the process has ended, that is heard of in its turn."""
        try:
            send(self._input, what)
        except (OSError, ValueError):
            return  # it has ended, or is about to: the pipe is closed

    @property
    def _input(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101, it is a pipe
        return self._process.stdin

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101, it is a pipe
        try:
            with self._process.stdout as answers:
                for answer in received(answers):
                    self._hear(answer)
        finally:
            self._hear(None)

    def close(self) -> None:
        """Lets it end."""
        try:
            self._input.close()
        except OSError:
            return  # it has ended, and did not read all

    def end(self, seconds: float = SECONDS_TO_END) -> str:
        """Waits for its end, and says what is known of it: ``ended with SIGKILL``.

        Args:
            seconds: How long it is waited before the process is killed.
        """
        self.close()
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._thread.join()
        with self._errors as errors:
            errors.seek(0)
            lines = errors.read().decode("utf-8", "replace").strip().splitlines()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        last = f": {lines[-1]}" if lines and code > 0 else ""
        return f"ended with {how}{last}"
