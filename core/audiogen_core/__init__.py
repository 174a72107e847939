"""The framework behind ``audiogen``: interfaces, hooks, planning and the generation pipeline.

Nothing here knows a concrete algorithm: samplers, conditioners, input sources, naming
strategies, encoders and the parts of models are plugins. Importing this package imports
neither torch nor any plugin.

`Generator` makes audio from Python; it is imported when it is first asked for, and torch with it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from audiogen_core.errors import AudiogenError, InputError, UsageError
from audiogen_core.hooks import INTERFACE_VERSION, hookimpl

if TYPE_CHECKING:
    from audiogen_core.generation import Generation, SampleError
    from audiogen_core.generator import Generator
    from audiogen_core.result import Result

__version__ = "0.1.0"

__all__ = [
    "INTERFACE_VERSION",
    "AudiogenError",
    "Generation",
    "Generator",
    "InputError",
    "Result",
    "SampleError",
    "UsageError",
    "__version__",
    "hookimpl",
]

_LAZY = {
    "Generation": "audiogen_core.generation",
    "Generator": "audiogen_core.generator",
    "Result": "audiogen_core.result",
    "SampleError": "audiogen_core.generation",
}
"""What is imported when it is first asked for (PEP 562), with its module."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
