"""The one place that imports torchaudio, which is installed on machines where it cannot load.

Its Linux wheels need CUDA libraries: beside a CPU-only torch the import raises. transformers 5
imports torchaudio whenever it finds it installed, so `import_torchaudio` has to be called before
transformers is imported: a torchaudio that cannot load is then seen as absent.
"""

from __future__ import annotations

import functools
import sys
import warnings
from types import ModuleType


def import_torchaudio() -> ModuleType | None:
    """The module, or None where it is not installed or cannot be loaded."""
    return _attempt()[0]


def torchaudio_problem() -> str | None:
    """Why torchaudio cannot be used, in one line; None where it can."""
    return _attempt()[1]


@functools.cache
def _attempt() -> tuple[ModuleType | None, str | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torchaudio
    except Exception as error:  # an OSError for a missing library, but nobody promises that
        # What `import` and `importlib.util.find_spec` take for "not installed".
        sys.modules["torchaudio"] = None  # type: ignore[assignment]
        reason = (str(error).splitlines() or [""])[0]
        return None, f"{type(error).__name__}: {reason}"
    module: ModuleType = torchaudio
    return module, None
