"""Weights that are being loaded, and those that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from audiogen_core.interfaces.backbone import Backbone, BackboneInputs
from audiogen_core.models import checkpoint
from audiogen_core.models.quantize import quantize
from audiogen_core.options import NoOptions

WIDTH, COUNT = 256, 4


def written(path: Path, value: float) -> Path:
    """A checkpoint of some layers that hold nothing but this number."""
    layers = {f"{one}.weight": torch.full((WIDTH, WIDTH), float(value)) for one in range(COUNT)}
    save_file(layers, path)
    return path


def loaded(path: Path, *, rounded: bool = False) -> nn.Sequential:
    """The layers of a checkpoint, in bfloat16 or in 8-bit integers."""
    found = checkpoint.open_checkpoint(path)
    with torch.device("meta"):
        layers = nn.Sequential(*(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(COUNT)))
    if rounded:
        quantize(layers)
    number = torch.float32 if rounded else torch.bfloat16
    names = {name: name for name in found.shapes()}
    checkpoint.load(found, names, {"": layers}, device=torch.device("cpu"), dtypes={"": number})
    return layers


@pytest.mark.parametrize("vanishes", [False, True], ids=["replaced", "gone"])
def test_a_checkpoint_that_changes_while_it_is_loaded_is_loaded_as_it_was(
    vanishes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All weights are of one file, also where it is read in several pieces."""
    monkeypatch.setattr(checkpoint, "AT_ONCE", 1)
    path, other = written(tmp_path / "model.safetensors", 1), written(tmp_path / "new", 2)
    read = checkpoint.SafetensorsCheckpoint.tensor

    seen: list[str] = []

    def changed(self: checkpoint.SafetensorsCheckpoint, name: str) -> Tensor:
        seen.append(name)
        # Types are looked at first, and then the numbers.
        if seen.count("1.weight") == 2:
            path.unlink(missing_ok=True)
            if not vanishes and other.exists():
                other.replace(path)
        return read(self, name)

    monkeypatch.setattr(checkpoint.SafetensorsCheckpoint, "tensor", changed)
    weights = [one.float().unique().tolist() for one in loaded(path).parameters()]
    assert weights == [[1.0]] * COUNT


def test_layers_in_integers_are_loaded_from_parameters_too(tmp_path: Path) -> None:
    """A ``.ckpt`` may hold what a training left, of which no gradient is kept."""
    state = {f"{one}.weight": nn.Parameter(torch.eye(WIDTH)) for one in range(COUNT)}
    torch.save(state, tmp_path / "model.ckpt")
    layers = loaded(tmp_path / "model.ckpt", rounded=True)
    made = layers(torch.ones(1, WIDTH))
    assert not made.requires_grad
    assert torch.allclose(made, torch.ones(1, WIDTH), atol=0.02)


def test_layers_in_integers_have_no_parameter_elsewhere(tmp_path: Path) -> None:
    """A network that asks its parameters where it is finds no weight without numbers."""
    layers = loaded(written(tmp_path / "model.safetensors", 1), rounded=True)
    assert not list(layers.parameters())
    assert [tuple(one.weight.shape) for one in layers.children()] == [(WIDTH, WIDTH)] * COUNT
    # Shapes are tried without numbers.
    assert layers(torch.empty(2, 3, WIDTH, device="meta")).shape == (2, 3, WIDTH)


def test_what_is_no_number_stays_none_in_integers() -> None:
    """The output tells of it in its own words."""
    layers = nn.Sequential(nn.Linear(WIDTH, WIDTH))
    quantize(layers)
    for broken in (float("nan"), float("inf"), float("-inf")):
        x = torch.ones(2, 3, WIDTH)
        x[0, 0, 0] = broken
        made = layers(x)
        assert made[0].isnan().all()
        assert made[1].isfinite().all()


class Plain(Backbone):
    """Takes embeddings of eight channels across, and checks as backbones do by default."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(8, 4)
        self.register_buffer("shift", torch.zeros(4))

    @classmethod
    def build(cls, options: NoOptions) -> Self:  # noqa: ARG003
        """Makes one."""
        return cls()

    def forward(self, x: Tensor, t: Tensor, inputs: BackboneInputs) -> Tensor:  # noqa: ARG002
        """Adds the mean of what is attended to."""
        mixed: Any = self.mix(inputs.cross_attention) + self.shift
        return x + mixed.mean(1)[:, :, None]


def test_shapes_are_tried_before_weights_are_there_and_after() -> None:
    """What a sample's own embeddings are like may be known only then."""
    with torch.device("meta"):
        built = Plain()
    for backbone in (built, Plain()):
        x = torch.zeros(1, 4, 16)
        backbone.check(x, BackboneInputs(torch.zeros(1, 3, 8)))
        with pytest.raises(ValueError, match=r"\[3, 9\] X \[8, 4\]|3x9 and 8x4"):
            backbone.check(x, BackboneInputs(torch.zeros(1, 3, 9)))
        # Whatever a network raises of what it was not given.
        with pytest.raises(ValueError, match="must be Tensor, not NoneType"):
            backbone.check(x, BackboneInputs())
