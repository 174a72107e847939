"""The sizes that a model config may ask for: far more than models have, and all can be handled.

Each is checked before anything of that size is made, so that a config of a few bytes cannot ask
for hours or terabytes, nor for what overflows 64 bits.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

MAX_WIDTH = 2**16
"""Channels of a layer, or taps of its kernel."""

MAX_PARTS = 64
"""Layers of a network, or conditioners of a model: each takes hundredths of a second to build."""

MAX_POSITIONS = 2**20
"""Positions of a sequence, or rows of a table of embeddings."""

MAX_SAMPLES = 2**28
"""Samples a channel: more than 90 minutes at 48 kHz."""

MAX_SAMPLE_RATE = 2**20
"""In hertz: more than any converter has."""

Width: TypeAlias = Annotated[int, Field(gt=0, le=MAX_WIDTH)]
OptionalWidth: TypeAlias = Annotated[int, Field(ge=0, le=MAX_WIDTH)]
"""0 for none."""

Parts: TypeAlias = Annotated[int, Field(gt=0, le=MAX_PARTS)]
Positions: TypeAlias = Annotated[int, Field(gt=0, le=MAX_POSITIONS)]
