"""Fixtures for the tests of plugin authors.

A test module, or the ``conftest.py`` beside ``pyproject.toml``, enables them::

    pytest_plugins = ["audiogen_core.testing.fixtures"]

pytest is not among audiogen's own dependencies: it is one of your tests.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogen_core.arrays import FloatArray
from audiogen_core.testing.encoders import tones
from audiogen_core.testing.samplers import GaussianDenoiser, GaussianFlow, GaussianV
from audiogen_core.testing.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``model_config.json`` and ``model.safetensors`` of a model with random weights.

    It makes 2.2 seconds of stereo at 44.1 kHz, in an instant.
    """
    return write_tiny_model(tmp_path_factory.mktemp("tiny-model"))


@pytest.fixture
def exact_denoiser() -> GaussianDenoiser:
    """A denoiser whose probability-flow ODE has a known solution, for a `SigmaSampler`."""
    return GaussianDenoiser()


@pytest.fixture
def exact_velocity() -> GaussianV:
    """A velocity of the v-objective whose ODE has a known solution, for a `VSampler`."""
    return GaussianV()


@pytest.fixture
def exact_flow() -> GaussianFlow:
    """A velocity of a rectified flow whose ODE has a known solution, for a `FlowSampler`."""
    return GaussianFlow()


@pytest.fixture
def chords() -> FloatArray:
    """Two seconds of stereo at 44.1 kHz, another chord in each channel: ``[2, 88200]``."""
    return tones(2.0)
