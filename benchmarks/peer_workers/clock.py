"""What every worker measures, and how it says so. It imports nothing of what is measured."""

from __future__ import annotations

import functools
import json
import resource
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Clock:
    """Times calls of functions from the start of the process.

    Args:
        started: When the process was started, as `time.time` says.
    """

    def __init__(self, started: float) -> None:
        self._started = started
        self.seconds: dict[str, list[float]] = {}
        self.first: dict[str, float] = {}
        self._sampling: float | None = None

    def times(self, owner: Any, name: str, what: str) -> None:
        """Replaces a function by one that is timed; calls within it are not counted again."""
        inner: Callable[..., Any] = getattr(owner, name)
        depth = 0

        @functools.wraps(inner)
        def timed(*args: Any, **kwargs: Any) -> Any:
            nonlocal depth
            depth += 1
            self.first.setdefault(what, time.time() - self._started)
            if what == "decode":
                _wait()
            begun = time.perf_counter()
            self._note(what, begun)
            try:
                return inner(*args, **kwargs)
            finally:
                depth -= 1
                if what == "decode":
                    _wait()
                if depth == 0:
                    self.seconds.setdefault(what, []).append(time.perf_counter() - begun)

        setattr(owner, name, timed)

    def _note(self, what: str, now: float) -> None:
        """All steps of a batch, up to where decoding begins: a GPU's own calls return at once."""
        if what == "step" and self._sampling is None:
            self._sampling = now
        elif what == "decode" and self._sampling is not None:
            self.seconds.setdefault("sampling", []).append(now - self._sampling)
            self._sampling = None

    def tell(self) -> None:
        """Writes one line of JSON to standard output."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        told = {"ready": self.first.get("step"), "peak_gib": peak, **self.seconds}
        if (cuda := _cuda()) is not None:
            told["gpu_gib"] = cuda.max_memory_reserved() / 1024**3
        sys.stdout.write("\n" + json.dumps(told) + "\n")


def _cuda() -> Any:
    """Torch's part for GPUs, where one is in use."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def _wait() -> None:
    """Until a GPU has done what it was told."""
    if (cuda := _cuda()) is not None:
        cuda.synchronize()


def job() -> tuple[Path, dict[str, Any], Clock]:
    """The folder of the models, what to make, and a running clock, from the arguments."""
    wanted: dict[str, Any] = json.loads(sys.argv[2])
    return Path(sys.argv[1]), wanted, Clock(wanted["started"])


def write_wav(path: Path, audio: Any, rate: int) -> None:
    """Writes a tensor `[channels, samples]`, after normalising its peak, as 16 bits."""
    scaled = (audio.float() / audio.abs().max().clamp(min=1e-9) * 32767).short()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(scaled.shape[0])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(scaled.T.contiguous().numpy().tobytes())
