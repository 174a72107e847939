"""The contract checks: the built-ins pass, and what breaks a promise does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
import torch
from pydantic import Field
from torch import Tensor

from audiogen_core.arrays import FloatArray
from audiogen_core.errors import InputError, NotInstalledError, Problem
from audiogen_core.interfaces.backbone import Backbone, BackboneInputs
from audiogen_core.interfaces.encoder import EncoderUnavailableError
from audiogen_core.interfaces.input_source import InputSource, Sample
from audiogen_core.interfaces.naming import NamedJob, NamingStrategy
from audiogen_core.interfaces.observer import Observer, Output
from audiogen_core.interfaces.sampler import ScheduleRequest
from audiogen_core.options import PluginOptions
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.registry import KINDS, SAMPLER, Kind, import_reference
from audiogen_core.tags import Tags
from audiogen_core.testing.contracts import check
from audiogen_core.testing.encoders import decode
from audiogen_plugins.conditioners.number import NumberConditioner
from audiogen_plugins.encoders.wav import Wav
from audiogen_plugins.samplers.flow_euler import FlowEuler

BUILT_INS = [
    pytest.param(registry.kind, one.name, id=f"{registry.kind.slug}: {one.name}")
    for registry in installed_plugins().registries()
    for one in registry
    # tests/plugins/test_samplers.py takes all samplers through their checks, which take longer.
    if registry.kind is not SAMPLER or one.name == "euler"
]


@pytest.mark.parametrize(("kind", "name"), BUILT_INS)
def test_the_built_ins_keep_the_contract(kind: Kind, name: str) -> None:
    """As ``audiogen plugins check`` runs it."""
    try:
        check(kind, installed_plugins().registry(kind).load(name))
    except (EncoderUnavailableError, NotInstalledError) as error:
        pytest.skip(str(error).splitlines()[0])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_every_kind_has_checks(kind: Kind) -> None:
    """They are documented, and take the class first."""
    assert import_reference(kind.check).__doc__


class Named(NamingStrategy):
    """The base of the bad ones."""

    NAME = "named"

    def stem(self, job: NamedJob) -> str:
        """The prompt."""
        return job.conditioning.get("prompt") or ""


class BySong(Named):
    """Refuses what it cannot name."""

    def stem(self, job: NamedJob) -> str:
        """By a value that few samples have."""
        if (song := job.conditioning.get("audio_prompt")) is None:
            raise InputError(Problem("output.file_naming", "needs an audio prompt"))
        return str(song)


@pytest.mark.parametrize("plugin", [Named, BySong])
def test_a_plain_naming_strategy_passes(plugin: type[Named]) -> None:
    """The core cleans what it returns, and a job may be refused with a message for the user."""
    check("naming-strategy", plugin)


class BySampler(Named):
    """Names by what every output has."""

    def stem(self, job: NamedJob) -> str:
        """The sampler, and the seed as the settings have it."""
        assert job.generation["seed"] == job.seed
        return job.generation["sampler_type"].upper()  # type: ignore[no-any-return]


class Ledger(Observer):
    """Reads what a run tells of an output."""

    NAME = "ledger"

    def sample_done(self, output: Output) -> None:
        """The file and all of its metadata."""
        audio, rate = decode(output.path)
        told = output.metadata
        assert audio.shape == output.audio.shape
        assert told["output"]["seconds"] == audio.shape[1] / rate
        assert told["output"]["bytes"] == output.path.stat().st_size
        assert told["generation_config"]["seed"] == output.job.seed
        assert told["model_config"]["sample_rate"] == rate


@pytest.mark.parametrize(("kind", "plugin"), [("naming strategy", BySampler), ("observer", Ledger)])
def test_checks_tell_what_a_run_tells(kind: str, plugin: type[Any]) -> None:
    """A plugin may use all that is documented of an output."""
    check(kind, plugin)


class Deep(Wav):
    """Needs an option."""

    class Options(PluginOptions):
        """Has an example, and no default."""

        bits: int = Field(examples=[16], description="Of a sample.")

    options: Options

    def encode(self, audio: FloatArray, sample_rate: int, path: Path, tags: Tags) -> None:
        """In as many bits as there are here."""
        assert self.options.bits == 16
        super().encode(audio, sample_rate, path, tags)


class Told(Deep):
    """Says itself what it needs."""

    class Options(PluginOptions):
        """Has no example that would do."""

        bits: int = Field(description="Of a sample.")

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """Options as a config holds them."""
        return {"options": {"bits": 16}}


class Stretched(FlowEuler):
    """Goes through other times where it is told to."""

    class Options(PluginOptions):
        """Whether it is told to."""

        told: bool = Field(False, examples=[True], description="Whether it is told to.")

    options: Options

    def schedule(self, request: ScheduleRequest) -> Tensor:
        """Its own times."""
        assert self.options.told
        return super().schedule(request)


class StretchedByItself(Stretched):
    """Says itself what it needs."""

    class Options(PluginOptions):
        """Whether it is told to."""

        told: bool = Field(False, description="Whether it is told to.")

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """Options as a config holds them."""
        return {"options": {"told": True}}


@pytest.mark.parametrize(
    ("kind", "plugin"),
    [("encoder", Deep), ("encoder", Told), ("sampler", Stretched), ("sampler", StretchedByItself)],
)
def test_options_are_at_their_examples_or_what_the_class_says(kind: str, plugin: type[Any]) -> None:
    """Of every kind, also of those that need none to be made."""
    check(kind, plugin)


class Crashing(Named):
    """Fails where there is no prompt."""

    def stem(self, job: NamedJob) -> str:
        """Without a thought for None."""
        return job.conditioning.get("prompt", "").strip()  # type: ignore[no-any-return]


class Counting(Named):
    """Calls the same job by another name each time."""

    count = 0

    def stem(self, job: NamedJob) -> str:  # noqa: ARG002
        """A number."""
        type(self).count += 1
        return str(self.count)


class Number(Named):
    """Returns no string."""

    def stem(self, job: NamedJob) -> Any:
        """A number."""
        return job.index


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        (Crashing, "'prompt': None} raised AttributeError"),
        (Counting, "the same job was called '1' and '2'"),
        (Number, "gave 0, which is no string"),
    ],
)
def test_bad_naming_strategies_are_caught(plugin: type[Named], message: str) -> None:
    """Odd prompts, names that change, and what is no name."""
    with pytest.raises(AssertionError, match=message):
        check("naming strategy", plugin)


class Source(InputSource):
    """Reads nothing; the base of the bad ones."""

    NAME = "source"
    found: Any = (Sample({"prompt": "rain"}, "here"), Sample({}, "there"))

    class Options(PluginOptions):
        """Whether it is there."""

        there: bool = True

    options: Options

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """What it needs to be checked."""
        return {"options": {}, "missing": [{"there": False}]}

    def samples(self) -> Iterator[Sample]:
        """What stands above."""
        if not self.options.there:
            self.missing()
        yield from self.found

    def missing(self) -> None:
        """Says so."""
        raise InputError(Problem("input.there", "is false"))


def test_a_good_input_source_passes() -> None:
    """It yields samples, and raises InputError where there are none."""
    check("input_source", Source)


class Eager(Source):
    """Returns a list."""

    def samples(self) -> Any:
        """All at once."""
        return list(super().samples())


class Empty(Source):
    """Yields nothing."""

    found = ()


class Nowhere(Source):
    """Does not say where a sample is."""

    found = (Sample({}, " "),)


class Everywhere(Source):
    """Says the same of every sample."""

    found = (Sample({}, "here"), Sample({}, "here"))


class Bare(Source):
    """Yields values."""

    found = ({"prompt": "rain"},)


class Silent(Source):
    """Does not say that there is nothing."""

    def missing(self) -> None:
        """Says nothing."""


class Unhandled(Source):
    """Lets an exception through."""

    def missing(self) -> None:
        """Finds no file."""
        raise FileNotFoundError("source.txt")


class Placeless(Source):
    """Does not say where the problem is."""

    def missing(self) -> None:
        """Half an error."""
        raise InputError(Problem("", "is false"))


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        (Eager, "must return an iterator, not list"),
        (Empty, "there is no sample"),
        (Nowhere, "place must not be empty"),
        (Everywhere, "must say where each stands"),
        (Bare, "must yield Sample"),
        (Silent, "must raise InputError, not nothing"),
        (Unhandled, "must raise InputError, not FileNotFoundError"),
        (Placeless, "an error must say where"),
    ],
)
def test_bad_input_sources_are_caught(plugin: type[Source], message: str) -> None:
    """Each breaks one promise."""
    with pytest.raises(AssertionError, match=message):
        check("input source", plugin)


class Undocumented(Named):  # noqa: D101
    __doc__ = None


class Unnamed(Named):
    """Has no name."""

    NAME = " "


class Unexampled(Named):
    """Has an option that no example can be made up for."""

    class Options(PluginOptions):
        """Its options."""

        pattern: str = Field(pattern="^[0-9]+$")


class Unfinished(NamingStrategy):
    """Lacks its method."""

    NAME = "unfinished"


@pytest.mark.parametrize(
    ("plugin", "error", "message"),
    [
        (Undocumented, AssertionError, "needs a docstring"),
        (Unnamed, AssertionError, "NAME must be a name"),
        (Unexampled, InputError, "the example options of Unexampled.pattern"),
        (Unfinished, AssertionError, "lacks stem"),
        (Source, AssertionError, "must inherit from audiogen_core.interfaces.naming"),
    ],
)
def test_what_no_plugin_may_be_is_caught(
    plugin: type[Any], error: type[Exception], message: str
) -> None:
    """Whatever its kind."""
    with pytest.raises(error, match=message):
        check("naming strategy", plugin)


def test_a_class_says_what_its_checks_need() -> None:
    """Without, the message says what is to be said, and where."""

    class Mood(installed_plugins().conditioners.load("number")):  # type: ignore[misc]
        """Has no values to be checked with."""

        contract_example = None

    with pytest.raises(AssertionError, match=r"Mood.contract_example must say .* need: good"):
        check("conditioner", Mood)


class Forgetful(NumberConditioner):
    """What it has foreseen, it embeds as something else."""

    def foresee(self, values: Sequence[Any]) -> None:  # noqa: ARG002
        """Changes everything."""
        with torch.no_grad():
            for weight in self.parameters():
                weight.mul_(2)


class Nameless(NumberConditioner):
    """What it has loaded cannot be written down."""

    def identity(self) -> dict[str, Any]:
        """No JSON."""
        return {"revision": object()}


class Plain(Backbone):
    """Adds the global embedding to every latent."""

    NAME = "plain"

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3, 2))

    @classmethod
    def build(cls, options: PluginOptions) -> Self:  # noqa: ARG003
        """Needs no options."""
        return cls()

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """Two samples that differ."""
        pooled = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
        return {"options": {}, "channels": 3, "inputs": BackboneInputs(global_embedding=pooled)}

    def forward(self, x: Tensor, t: Tensor, inputs: BackboneInputs) -> Tensor:  # noqa: ARG002
        """The sum."""
        pooled = inputs.global_embedding
        return x if pooled is None else x + (pooled.to(x) @ self.weight.T)[:, :, None]


class Indexed(Plain):
    """Adds what an index in the checkpoint says."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("index", torch.zeros(1, dtype=torch.long))

    def forward(self, x: Tensor, t: Tensor, inputs: BackboneInputs) -> Tensor:
        """The sum with a part of the weights."""
        added = self.weight.flatten()[self.get_buffer("index")]
        return super().forward(x, t, inputs) + added.to(x)


@pytest.mark.parametrize("plugin", [Plain, Indexed])
def test_a_plain_backbone_passes(plugin: type[Plain]) -> None:
    """It looks at nothing but its inputs and its weights, some of which may be whole numbers."""
    check("backbone", plugin)


class Hasty(Plain):
    """What it computes once is not what it would compute."""

    def prepared(self, inputs: BackboneInputs) -> BackboneInputs:
        """Forgets the conditioning."""
        return replace(inputs, global_embedding=None)


class Choosy(Plain):
    """Refuses all latents."""

    def check(self, x: Tensor, inputs: BackboneInputs) -> None:  # noqa: ARG002
        """Never content."""
        raise ValueError("not these")


@pytest.mark.parametrize(
    ("kind", "plugin", "error", "message"),
    [
        ("conditioner", Forgetful, AssertionError, r"foresee\(\) changes what is embedded"),
        ("conditioner", Nameless, TypeError, "not JSON serializable"),
        ("backbone", Hasty, AssertionError, r"prepared\(\) computes once changes the prediction"),
        ("backbone", Choosy, AssertionError, "check refuses what the network takes: not these"),
    ],
)
def test_bad_parts_of_models_are_caught(
    kind: str, plugin: type[Any], error: type[Exception], message: str
) -> None:
    """What the framework calls before and between the predictions counts, too."""
    with pytest.raises(error, match=message):
        check(kind, plugin)
