"""``audiogen plugins list``."""

from __future__ import annotations

import pytest

import audiogen_core
from audiogen_core.plugin_manager import installed_plugins
from tests.conftest import Command

DOCUMENTED = {
    "sampler": {
        "k-heun", "k-lms", "k-dpmpp-2s-ancestral", "k-dpm-2", "k-dpm-fast", "k-dpm-adaptive",
        "dpmpp-2m", "dpmpp-2m-sde", "dpmpp-3m-sde", "v-ddim", "v-ddim-cfgpp",
        "euler", "rk4", "dpmpp", "pingpong",
    },
    "conditioner": {"t5", "pre_encoded_latent", "number", "int", "list", "lut"},
    "input source": {"config", "file"},
    "naming strategy": {"prompt", "verbose", "audio_prompt"},
    "encoder": {
        "wav", "mp3 v0", "mp3 320k", "mp3 128k", "flac", "m4a aac_he_v2 32k", "m4a aac_he_v2 64k",
    },
    "post-processor": {"trim", "peak", "loudness", "fade", "none"},
    "observer": {"progress", "metadata"},
    "backbone": {"dit"},
    "autoencoder": {"oobleck"},
    "bottleneck": {"vae", "tanh"},
}  # fmt: skip


def test_it_lists_every_built_in(audiogen: Command) -> None:
    """Name, kind, distribution and version of every plugin."""
    result = audiogen("plugins", "list")
    assert result.code == 0
    header, *lines = result.out.splitlines()
    assert header.split() == ["NAME", "KIND", "DISTRIBUTION", "VERSION"]
    expected = [
        (name, kind, "audiogen", audiogen_core.__version__)
        for kind, names in DOCUMENTED.items()
        for name in names
    ]
    found = [tuple(part.strip() for part in line.split("  ") if part.strip()) for line in lines]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    "registry", installed_plugins().registries(), ids=lambda one: one.kind.name
)
def test_every_plugin_can_be_loaded(registry) -> None:  # type: ignore[no-untyped-def]
    """Each lazy reference leads to a class that fits its kind and carries its name."""
    for registration in registry:
        plugin = registry.load(registration.name)
        assert registration.name == plugin.NAME
        assert plugin.__doc__
