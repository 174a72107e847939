"""The built-in audio formats: one file for each codec."""

from __future__ import annotations

from audiogen_core.hooks import Registrar, hookimpl
from audiogen_core.interfaces.encoder import Encoder


@hookimpl
def audiogen_encoders(register: Registrar[Encoder]) -> None:
    """Registers the file formats: of each ending first what `Result.save` makes of it."""
    register("wav", "audiogen_plugins.encoders.wav:Wav")
    register("flac", "audiogen_plugins.encoders.flac:Flac")
    register("mp3 v0", "audiogen_plugins.encoders.mp3:Mp3V0")
    register("mp3 320k", "audiogen_plugins.encoders.mp3:Mp3Cbr320")
    register("mp3 128k", "audiogen_plugins.encoders.mp3:Mp3Cbr128")
    register("m4a aac 256k", "audiogen_plugins.encoders.aac:Aac256")
    register("m4a aac 192k", "audiogen_plugins.encoders.aac:Aac192")
    register("m4a aac 128k", "audiogen_plugins.encoders.aac:Aac128")
    register("m4a aac 96k", "audiogen_plugins.encoders.aac:Aac96")
    register("m4a aac_he_v2 32k", "audiogen_plugins.encoders.he_aac:HeAacV2At32")
    register("m4a aac_he_v2 64k", "audiogen_plugins.encoders.he_aac:HeAacV2At64")
    register("wav 24", "audiogen_plugins.encoders.wav:Wav24")
    register("wav float", "audiogen_plugins.encoders.wav:WavFloat")
    register("flac 24", "audiogen_plugins.encoders.flac:Flac24")
    register("ogg opus 192k", "audiogen_plugins.encoders.opus:Opus192")
    register("ogg opus 128k", "audiogen_plugins.encoders.opus:Opus128")
    register("ogg opus 96k", "audiogen_plugins.encoders.opus:Opus96")
    register("ogg opus 64k", "audiogen_plugins.encoders.opus:Opus64")
