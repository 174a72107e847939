"""The built-in audio formats: one file for each codec."""

from __future__ import annotations

from audiogen_core.hooks import Registrar, hookimpl
from audiogen_core.interfaces.encoder import Encoder


@hookimpl
def audiogen_encoders(register: Registrar[Encoder]) -> None:
    """Registers the documented file formats."""
    register("wav", "audiogen_plugins.encoders.wav:Wav")
    register("flac", "audiogen_plugins.encoders.flac:Flac")
    register("mp3 v0", "audiogen_plugins.encoders.mp3:Mp3V0")
    register("mp3 320k", "audiogen_plugins.encoders.mp3:Mp3Cbr320")
    register("mp3 128k", "audiogen_plugins.encoders.mp3:Mp3Cbr128")
    register("m4a aac_he_v2 32k", "audiogen_plugins.encoders.he_aac:HeAacV2At32")
    register("m4a aac_he_v2 64k", "audiogen_plugins.encoders.he_aac:HeAacV2At64")
