"""Embeddings of audio that another model computed, read from ``.npy`` files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, model_validator
from torch import Tensor

from audiogen_core.embedding_file import FLOAT_BYTES, read_floats, read_header
from audiogen_core.interfaces.conditioner import BuildContext, Conditioner, Embedding
from audiogen_core.models.limits import Positions, Width
from audiogen_core.options import PluginOptions
from audiogen_plugins.conditioners.common import one_token, project, projection


class PreEncodedLatentOptions(PluginOptions):
    """The keys of its ``config``."""

    input_dim: Width = Field(examples=[64])
    pool_across_time: bool = False
    sample_size: Positions | None = Field(default=None, examples=[128])
    random_crop: bool = False
    project_out: bool = False

    @model_validator(mode="after")
    def _length_known(self) -> Self:
        if not self.pool_across_time and self.sample_size is None:
            raise ValueError("sample_size is required unless pool_across_time is true")
        return self


class PreEncodedLatentConditioner(Conditioner):
    """An array ``[T, input_dim]`` from a file, as its mean or as a fixed number of tokens.

    Args:
        output_dim: Channels of the tokens.
        input_dim: Channels of the array.
        length: How many tokens arrays are cropped or zero-padded to; None for the mean over T.
        random_crop: Draws where a crop starts; otherwise it starts at the first row.
        project_out: Projects even where ``input_dim`` equals ``output_dim``.
    """

    NAME = "pre_encoded_latent"
    Options = PreEncodedLatentOptions
    FILES = True

    def __init__(
        self,
        output_dim: int,
        *,
        input_dim: int,
        length: int | None = None,
        random_crop: bool = False,
        project_out: bool = False,
    ) -> None:
        super().__init__()
        self.proj_out = projection(input_dim, output_dim, always=project_out)
        self.input_dim = input_dim
        self.length = length
        self.random_crop = random_crop

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """Files of a long and a short array, and one of another width."""
        paths = []
        for name, shape in {"long": (9, 5), "short": (2, 5), "turned": (5, 9)}.items():
            paths.append(str(folder / f"{name}.npy"))
            np.save(paths[-1], np.random.default_rng(0).standard_normal(shape, np.float32))
        *good, turned = paths
        bad = [None, 3, "", str(folder / "nowhere.npy"), turned]
        return {"options": {"input_dim": 5, "sample_size": 4}, "good": good, "bad": bad}

    @classmethod
    def build(cls, options: PreEncodedLatentOptions, context: BuildContext) -> Self:
        """Makes the module."""
        return cls(
            context.output_dim,
            input_dim=options.input_dim,
            length=None if options.pool_across_time else options.sample_size,
            random_crop=options.random_crop,
            project_out=options.project_out,
        )

    @classmethod
    def check(cls, value: Any, options: PreEncodedLatentOptions) -> None:
        """Allows paths of ``.npy`` files that hold a finite float array ``[T, input_dim]``.

        Raises:
            ValueError: It is none, or the file holds something else.
        """
        read_embedding(value, options.input_dim)

    def forward(self, values: Sequence[str], generators: Sequence[torch.Generator]) -> Embedding:
        """Embeds one file for each sample, as ``[batch, 1 or length, dim]``."""
        arrays = [torch.from_numpy(read_embedding(path, self.input_dim)) for path in values]
        if self.length is None:
            return one_token(project(self.proj_out, torch.stack([x.mean(dim=0) for x in arrays])))
        rows = [
            self._fitted(array, self.length, generator)
            for array, generator in zip(arrays, generators, strict=True)
        ]
        # Projected after padding, as in training: padded rows become the projection's bias.
        tokens = project(self.proj_out, torch.stack(rows))
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return Embedding(tokens, mask)

    def _fitted(self, array: Tensor, length: int, generator: torch.Generator) -> Tensor:
        """``[T, input_dim]`` to ``[length, input_dim]``."""
        surplus = array.shape[0] - length
        if surplus <= 0:
            return torch.cat((array, array.new_zeros(-surplus, array.shape[1])))
        start = 0
        if self.random_crop:
            drawn = torch.randint(surplus + 1, (), generator=generator, device=generator.device)
            start = int(drawn)
        return array[start : start + length]


def read_embedding(path: str, input_dim: int) -> npt.NDArray[np.float32]:
    """Reads an embedding. The header is checked before anything is allocated or unpickled.

    Args:
        path: The ``.npy`` file.
        input_dim: The channels that it has to have.

    Returns:
        A finite array, ``[T, input_dim]``.

    Raises:
        ValueError: The message names the file, what it holds, and what is expected.
    """
    shape, dtype = read_header(path)
    holds = f"file '{path}' holds {dtype.name} [{', '.join(map(str, shape))}]"
    floats = dtype.kind == "f" and dtype.itemsize in FLOAT_BYTES
    if not floats or len(shape) != 2 or shape[0] < 1 or shape[1] != input_dim:
        raise ValueError(
            f"{holds}; expected a float16, float32 or float64 array [T, {input_dim}] with T >= 1"
        )
    values = read_floats(path)
    if not np.isfinite(values).all():
        raise ValueError(f"{holds}, and NaN or infinity among them")
    return values
