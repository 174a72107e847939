"""The type of audio that is passed around."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# In quotes, so that NumPy is not imported to list the plugins.
FloatArray: TypeAlias = "npt.NDArray[np.float32]"
"""Float32 samples, ``[channels, samples]`` where nothing else is said."""
