"""The framework behind ``audiogen``: interfaces, hooks, planning and the generation pipeline.

Nothing here knows a concrete algorithm: samplers, conditioners, input sources, naming
strategies, encoders and the parts of models are plugins. Importing this package imports
neither torch nor any plugin.
"""

from audiogen_core.hooks import INTERFACE_VERSION, hookimpl

__version__ = "0.1.0"

__all__ = ["INTERFACE_VERSION", "__version__", "hookimpl"]
