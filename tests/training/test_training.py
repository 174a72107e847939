"""Training from end to end, on a model so small that it learns nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from audiogen_core.testing.encoders import decode
from audiogen_training import autoencoder, diffusion, polish, understanding
from audiogen_training.corpus import example
from audiogen_training.export import export
from audiogen_training.initial import initialise
from audiogen_training.lapped import rescale_latents, start_as_codec
from audiogen_training.muon import Muon
from audiogen_training.recipe import FULL, SMALL, TRIAL, Recipe
from audiogen_training.sounds import SoundSpec, render
from audiogen_training.state import Run
from tests.conftest import Command, local_model

CPU = torch.device("cpu")
STAGES = ("polish", "autoencoder")


def train(recipe: Recipe, folder: Path) -> None:
    """All stages."""
    autoencoder.train(recipe, folder, CPU, workers=0)
    understanding.train(recipe, folder, CPU)
    diffusion.train(recipe, folder, CPU, workers=0)
    polish.train(recipe, folder, CPU, workers=0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run, with the exported model in ``model``."""
    folder = tmp_path_factory.mktemp("training")
    train(TRIAL, folder)
    export(TRIAL, folder, folder / "model")
    return folder


def test_the_exported_model_generates(
    trained: Path, write_config: Callable[..., Path], audiogen: Command
) -> None:
    """It is loaded as every other model is, and makes sound of the length that was asked for."""
    config = write_config(conditioning_defaults={"seconds_start": 0, "seconds_total": 0.5})
    result = audiogen("generate", *local_model(trained / "model"), "--generation-config", config)
    assert result.code == 0, result.err
    audio, rate = decode(Path(result.out.strip()))
    assert (audio.shape, rate) == ((1, 22050), 44100)
    assert audio.any()


def test_the_polished_decoder_is_exported(trained: Path) -> None:
    """Its biases, which the export does not scale, are those of the last stage, and not before."""
    exported = load_file(trained / "model" / "model.safetensors")
    polished, before = (autoencoder.trained(TRIAL, trained, name) for name in STAGES)
    biases = [name for name, _ in polished.named_parameters() if name.endswith("bias")]
    biases = [name for name in biases if name.startswith("decoder.")]
    wanted, other = (
        [networks.get_parameter(name).half() for name in biases] for networks in (polished, before)
    )
    found = [exported[f"pretransform.model.{name}"] for name in biases]
    assert all(map(torch.equal, found, wanted))
    assert not all(map(torch.equal, found, other))


def test_a_run_that_was_cut_off_goes_on(trained: Path, tmp_path: Path) -> None:
    """Two steps and then the rest give the weights that an undisturbed run gives."""
    for train_stage in (autoencoder.train, understand, diffusion.train, polish.train):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Run, "advance", _cut_off_after_two(Run.advance))
            with pytest.raises(KeyboardInterrupt):
                train_stage(TRIAL, tmp_path, CPU, workers=0)
        train_stage(TRIAL, tmp_path, CPU, workers=0)
    for name in ("autoencoder.pt", "diffusion.pt", "polish.pt"):
        assert _weights(tmp_path / name) == _weights(trained / name)


def understand(recipe: Recipe, folder: Path, device: torch.device, workers: int) -> None:
    """The stage between, called as the others are."""
    del workers
    understanding.train(recipe, folder, device)


def _cut_off_after_two(advance: Callable[..., None]) -> Callable[..., None]:
    def advance_or_stop(run: Run, losses: dict[str, torch.Tensor]) -> None:
        advance(run, losses)
        if run.step == 2:
            run.save()
            raise KeyboardInterrupt

    return advance_or_stop


def _weights(path: Path) -> str:
    content = torch.load(path, weights_only=True)["parts"]["average"]["values"]
    digest = hashlib.sha256()
    for name, tensor in sorted(content.items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def test_matrices_of_a_shape_are_updated_as_each_alone() -> None:
    """Muon's updates are nearly orthogonal, and do not depend on what stands beside."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(6, 4), (4, 6), (6, 4), (4, 3, 2), (6, 4)]
    starts = [torch.randn(shape, generator=generator) for shape in shapes]
    gradients = [torch.randn(shape, generator=generator) for shape in shapes]

    def stepped(rows: list[int]) -> list[torch.Tensor]:
        parameters = [torch.nn.Parameter(starts[row].clone()) for row in rows]
        optimiser = Muon(parameters, lr=0.1)
        for _ in range(2):
            for row, one in zip(rows, parameters, strict=True):
                one.grad = gradients[row].clone()
            optimiser.step()
        return [one.detach() for one in parameters]

    together = stepped(list(range(len(shapes))))
    for row, found in enumerate(together):
        torch.testing.assert_close(found, stepped([row])[0])
        moved = (starts[row] - found).flatten(1) / (
            2 * 0.1 * 0.2 * max(found.flatten(1).shape) ** 0.5
        )
        values = torch.linalg.svdvals(moved)
        assert 0.6 < float(values.min()) <= float(values.max()) < 1.3


def test_the_text_encoder_learns_as_the_librarys_does() -> None:
    """What it makes, and the gradients of that, are those of the library of all language models."""
    denoiser = diffusion.Denoiser(TRIAL)
    ids = torch.tensor([[3, 4, 5, 1, 0, 0], [6, 1, 0, 0, 0, 0]])
    theirs = denoiser.text(input_ids=ids, attention_mask=ids != 0).last_hidden_state
    theirs.square().sum().backward()
    wanted = {name: one.grad.clone() for name, one in denoiser.text.named_parameters()}
    denoiser.text.zero_grad()
    ours = denoiser.hidden(ids, ids != 0)
    torch.testing.assert_close(ours[ids != 0], theirs[ids != 0], atol=1e-5, rtol=1e-4)
    ours.square().sum().backward()
    for name, one in denoiser.text.named_parameters():
        torch.testing.assert_close(one.grad, wanted[name], atol=1e-4, rtol=1e-3)


def test_rescaled_latents_decode_to_the_same() -> None:
    """Scaling the channels of the latents is taken back by the decoder."""
    networks = autoencoder.Networks(TRIAL)
    initialise(networks, torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(2)
    audio = 0.1 * torch.randn(1, 1, 4 * TRIAL.ratio, generator=generator)
    scale = 0.1 + torch.rand(TRIAL.latent_dim, generator=generator)
    with torch.no_grad():
        latents, _ = networks.encode(audio)
        heard = networks.decoder(latents)
        rescale_latents(networks.encoder, networks.decoder, scale)
        rescaled, _ = networks.encode(audio)
        torch.testing.assert_close(rescaled, latents / scale[:, None])
        torch.testing.assert_close(networks.decoder(rescaled), heard, atol=1e-3, rtol=0)


def test_the_computed_codec_hears_notes_and_noise() -> None:
    """Before any training: notes keep their waveform, noise its level, and silence is silent."""
    networks = autoencoder.Networks(SMALL)
    initialise(networks.encoder, torch.Generator().manual_seed(0), residual=0)
    initialise(networks.decoder, torch.Generator().manual_seed(0), residual=0)
    drawn = [example(number).audio for number in range(40)]
    heard = torch.from_numpy(np.concatenate(drawn))[None, None]
    start_as_codec(networks.encoder, networks.decoder, heard)

    def coded(spec: SoundSpec) -> tuple[np.ndarray, np.ndarray]:
        sound = render(spec, 2.0, np.random.default_rng(5)).audio
        audio = torch.zeros(1, 1, 100 * SMALL.ratio)
        audio[0, 0, : len(sound)] = torch.from_numpy(sound)
        with torch.no_grad():
            made = networks.decoder(networks.encode(audio)[0])
        return audio.numpy().ravel(), made.numpy().ravel()

    note, made = coded(SoundSpec(kind="sine", midi=57))
    assert np.square(note).sum() > 30 * np.square(note - made).sum()
    for kind in ("open_hat", "snare"):
        noise, made = coded(SoundSpec(kind=kind))
        assert 0.4 < np.linalg.norm(made) / np.linalg.norm(noise) < 1.5
        assert np.abs(made[-5 * SMALL.ratio :]).max() < 0.01 * np.abs(made).max()


@pytest.mark.parametrize("recipe", [FULL, SMALL])
def test_models_fit_their_limits(recipe: Recipe) -> None:
    """At most 25 MB in 16 bits, four seconds or more, in a config of the ordinary format."""
    denoiser = diffusion.Denoiser(recipe)
    networks = autoencoder.Networks(recipe)
    count = sum(one.numel() for part in (denoiser, networks) for one in part.parameters())
    assert 2 * count <= 25e6
    config = json.loads(json.dumps(recipe.model_config()))
    assert config["sample_size"] >= 4 * config["sample_rate"]
