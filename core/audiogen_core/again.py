"""Makes files again from what their metadata says of them."""

from __future__ import annotations

import filecmp
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from audiogen_core.batching import Place
from audiogen_core.config import TRIM, GenerationConfig, GenerationSection, parse_config
from audiogen_core.default_model import DefaultSource
from audiogen_core.devices import choose_device, type_of
from audiogen_core.errors import AudiogenError, InputError, Problem, UsageError
from audiogen_core.identity import digest, without_places
from audiogen_core.interfaces.observer import Observer
from audiogen_core.interrupts import raise_if_stopped
from audiogen_core.job import Job
from audiogen_core.jobs import form_of
from audiogen_core.metadata import digests_of_recordings
from audiogen_core.models.compiling import check_compilation
from audiogen_core.models.source import HubSource, LocalSource, ModelSource
from audiogen_core.names import same_name
from audiogen_core.observer import Observers
from audiogen_core.on_existing import OnExisting
from audiogen_core.options import shown
from audiogen_core.outcome import Outcome
from audiogen_core.overrides import NOTHING, Overrides
from audiogen_core.pipeline import make_outputs
from audiogen_core.plugin_manager import PluginManager
from audiogen_core.precision import Quantization
from audiogen_core.prepare import Prepared, Request, prepare
from audiogen_core.recall import Recalled, recall
from audiogen_core.samples import samples_of
from audiogen_core.storage.address import is_address, local_folder
from audiogen_core.storage.upload import Upload
from audiogen_core.tags import without_folders

SUFFIX = "-again"
"""What is added to a name where the file of that name is the one that is made again."""


@dataclass(frozen=True)
class Wishes:
    """What shall be other than it was.

    Attributes:
        folder: The folder or address where the files go; None for beside each.
        name: What the one file is called there; None for its own name.
        overrides: Values that take the place of recorded ones.
        model: Where the model is now; None for where it was.
        autoencoder_path: Where the checkpoint is now whose autoencoder was used.
        device: Where to compute; None for where it was.
        on_existing: What happens where something else has a name.
    """

    folder: str | None = None
    name: str | None = None
    overrides: Overrides = NOTHING
    model: ModelSource | None = None
    autoencoder_path: Path | None = None
    device: str | None = None
    on_existing: OnExisting = OnExisting.RENAME


@dataclass(frozen=True)
class Repeat:
    """A file that is to be made again, checked as far as can be without weights.

    Attributes:
        recalled: How it was made.
        prepared: The run that makes it again.
    """

    recalled: Recalled
    prepared: Prepared

    @property
    def job(self) -> Job:
        """The output: among the jobs, the others only keep it company."""
        place = self.prepared.request.place
        return self.prepared.plan.jobs[0 if place is None else place.index]

    @property
    def path(self) -> Path:
        """Where it will be."""
        request = self.prepared.request
        return request.folder / f"{self.job.stem}{request.config.encoder.EXTENSION}"

    @property
    def is_same(self) -> bool:
        """Whether it will be made from the same."""
        return self.job.identity == self.recalled.identity

    @property
    def is_comparable(self) -> bool:
        """Whether both files will be here: the old audio, and the new one that stays."""
        return self.recalled.audio is not None and self.prepared.remote is None

    def changed_recordings(self) -> list[str]:
        """The keys of recordings whose content is not what it was."""
        now = digests_of_recordings(self.job.values)
        then = self.recalled.document.recordings
        return [key for key, digest in then.items() if now.get(key, digest) != digest]

    def model_changes(self) -> list[str]:
        """What about the model is not as it was."""
        then, now = self.recalled.document.model, self.prepared.identity
        return _differences(_model_itself(then), _model_itself(now))


def prepare_again(
    recalled: Recalled, wishes: Wishes, plugins: PluginManager, observer: Observer
) -> Repeat:
    """Checks all that can be checked before weights are read.

    Args:
        recalled: How the file was made.
        wishes: What shall be other than it was.
        plugins: Where what the metadata names comes from.
        observer: Is told how it goes.

    Raises:
        AudiogenError: It cannot be made again: what is missing or wrong.
    """
    document = recalled.document
    rounded = document.model.get("quantize")
    if "seed" not in document.generation_config:
        what = "is required, but missing: without it, the file cannot be made again"
        raise InputError(Problem("generation_config.seed", what), recalled.origin)
    with wishes.overrides.explained():
        recorded = config_of(recalled, _folder(recalled, wishes))
        fitting = _fitted(recorded, wishes.overrides.applied(recorded), plugins)
        data = wishes.overrides.applied(fitting)
        config = parse_config(data, plugins, recalled.origin)
        device = _device(recalled, wishes, observer)
        _check_one(config, plugins, document.generation_config.get("batch_size"))
        request = Request(
            config,
            wishes.model or _source(recalled),
            device,
            autoencoder_path=wishes.autoencoder_path or _autoencoder_path(recalled),
            dtype=type_of(str(document.model.get("dtype"))),
            quantization=Quantization.INT8 if rounded == Quantization.INT8 else None,
            compiled=document.model.get("compile") is True and _compiles(device, observer),
            max_batch=document.batch.size,
            on_existing=wishes.on_existing,
            place=_place(recalled),
            stem=_stem(recalled, wishes, config)
            if wishes.name is not None or "file_naming" not in data["output"]
            else None,
        )
        return Repeat(recalled, prepare(request, plugins, observer))


def _compiles(device: torch.device, observer: Observer) -> bool:
    """Whether `torch.compile` works, without which nearly the same sound can be made."""
    observer.stage("trying torch.compile")
    try:
        check_compilation(device)
    except UsageError as error:
        observer.note(f"{error}; without it, nearly the same is made, but not to the last bit")
        return False
    return True


def config_of(recalled: Recalled, folder: str) -> dict[str, Any]:
    """The data of a generation config that makes one file again.

    Args:
        recalled: How it was made.
        folder: The folder or address where the new one goes.
    """
    document, output = recalled.document, recalled.document.output
    options = output.file_format_options
    return {
        "generation": dict(document.generation_config),
        "conditioning_defaults": dict(document.conditioning),
        "input": {"type": "config", "samples": [{}]},
        "output": {
            "output_dir": folder,
            "file_format": {"name": document.file_format, **options}
            if options
            else document.file_format,
            "save_metadata": recalled.beside or is_address(folder),
            "cut_to_seconds_total": output.cut_to_seconds_total,
            "post_processing": output.post_processing,
        },
    }


def _fitted(
    recorded: dict[str, Any], wanted: dict[str, Any], plugins: PluginManager
) -> dict[str, Any]:
    """A config's data without what only followed from values that are to be others.

    Args:
        recorded: What made the file.
        wanted: The same with the values that take the place of recorded ones, unchecked.
        plugins: Where what they name comes from.
    """
    generation, output = dict(recorded["generation"]), dict(recorded["output"])
    match wanted.get("generation"):
        case {"sampler_type": str(name)} if (
            name != generation.get("sampler_type") and name in plugins.samplers
        ):
            # The other options are the old sampler's: those that both have are meant.
            sampler = plugins.samplers.load(name)
            known = {*GenerationSection.model_fields, *sampler.Options.model_fields}
            generation = {key: value for key, value in generation.items() if key in known}
    chain, cut = output["post_processing"], output["cut_to_seconds_total"]
    match wanted.get("output"):
        case {"cut_to_seconds_total": bool(cuts)} if chain and cuts != cut:
            if chain == _default_chain(plugins, cut=cut):
                output["post_processing"] = _default_chain(plugins, cut=cuts)
            elif cut and chain[0].get("name") == TRIM:  # it was put in front of the others
                output["post_processing"] = chain[1:]
    return {**recorded, "generation": generation, "output": output}


def _default_chain(plugins: PluginManager, *, cut: bool) -> list[dict[str, Any]]:
    """The post-processors of a config that names none, as metadata tells of them."""
    data = {
        "input": {"type": "config", "samples": [{}]},
        "output": {"cut_to_seconds_total": cut},
    }
    chain: list[dict[str, Any]] = form_of(parse_config(data, plugins))["post_processing"]
    return chain


def make_again(
    repeats: Sequence[Repeat], plugins: PluginManager, observers: Sequence[Observer]
) -> Outcome:
    """Makes files again, model after model, each of which is loaded once, and one at a time.

    Args:
        repeats: The files.
        plugins: Where what they name comes from.
        observers: Who is told, as of a single run.

    Raises:
        AudiogenError: The first model cannot be had: nothing was written.
    """
    left = _by_model([one for one in repeats if one.prepared.left])
    every = _OneRun(observers, plugins, [one.job for one in left])
    whole = Outcome(len(repeats), there_before=len(repeats) - len(left))
    loaded: Prepared | None = None
    try:
        for repeat in left:
            try:
                if loaded is not None and _serves(loaded, repeat.prepared):
                    loaded = replace(repeat.prepared, model=loaded.model)
                else:
                    loaded = None  # two models need not fit the memory
                    loaded = _loaded(repeat.prepared, every)
                _add(whole, _made(loaded, every))
            except (KeyboardInterrupt, AudiogenError) as error:
                if not every.has_started:
                    raise  # nothing was made yet
                if isinstance(error, AudiogenError):
                    whole.stopped = str(error)
                else:
                    whole.interrupted = True
            if whole.interrupted or whole.stopped is not None:
                break
        every.end(whole)
    finally:
        every.close()
    return whole


def changes_of_bytes(repeat: Repeat) -> list[str] | None:
    """What is known of why a file that was made from the same has other bytes.

    Returns:
        None where the bytes are the same.

    Raises:
        OSError: One of the two cannot be read.
    """
    if filecmp.cmp(repeat.recalled.path, repeat.path, shallow=False):
        return None
    now = recall(repeat.path).content
    return _differences(_comparable(repeat.recalled.content), _comparable(now))


class _OneRun(Observers):
    """Observers that are told of several runs as if they were one.

    Args:
        observers: The observers.
        plugins: For the distribution of one that fails.
        jobs: The outputs of all runs.

    Attributes:
        has_started: Whether the first of them has.
    """

    def __init__(
        self, observers: Sequence[Observer], plugins: PluginManager, jobs: Sequence[Job]
    ) -> None:
        super().__init__(observers, plugins)
        self._jobs = jobs
        self.has_started = False

    def run_started(self, config: GenerationConfig, jobs: Sequence[Job]) -> None:
        """Tells of all outputs, the first time."""
        del jobs
        if not self.has_started:
            self.has_started = True
            super().run_started(config, self._jobs)

    def run_ended(self, outcome: Outcome) -> None:
        """One of them has ended."""

    def end(self, outcome: Outcome) -> None:
        """The last one has ended."""
        super().run_ended(outcome)


def _by_model(repeats: Sequence[Repeat]) -> list[Repeat]:
    """Those that need the same model one after the other, first who needs all of it."""
    places: dict[str, int] = {}
    for one in repeats:
        places.setdefault(_model_of(one.prepared), len(places))
    return sorted(
        repeats,
        key=lambda one: (places[_model_of(one.prepared)], not one.prepared.plan.encodes),
    )


def _model_of(run: Prepared) -> str:
    """What tells its model, and where it computes, from others."""
    return digest([run.identity, str(run.request.device)])


def _serves(loaded: Prepared, run: Prepared) -> bool:
    """Whether a run can have the model that was loaded for another."""
    same = _model_of(loaded) == _model_of(run)
    return same and (loaded.plan.encodes or not run.plan.encodes)


def _loaded(prepared: Prepared, observer: Observer) -> Prepared:
    """A run with a model of its own, loaded: it goes when the next run does not need it."""
    own = prepared.request.wanted.build(prepared.plugins, observer)
    prepared = replace(prepared, model=own)
    try:
        prepared.load(observer)
    except Exception:
        raise_if_stopped()
        raise
    return prepared


def _made(loaded: Prepared, every: Observers) -> Outcome:
    """What came of one of the runs, of which its own observers are told too."""
    names = {one.NAME for one in every.each()}
    others = [one for one in loaded.request.config.observers if one.NAME not in names]
    own = Observers(others, loaded.plugins)
    if loaded.remote is not None:
        own.add(Upload(loaded.remote))
    try:
        return make_outputs(loaded, Observers([every, own], loaded.plugins))
    finally:
        own.close()


def _add(whole: Outcome, outcome: Outcome) -> None:
    whole.written += outcome.written
    whole.failures += outcome.failures
    whole.made_elsewhere += outcome.made_elsewhere
    whole.interrupted |= outcome.interrupted
    whole.stopped = outcome.stopped


def _folder(recalled: Recalled, wishes: Wishes) -> str:
    return str(recalled.path.parent) if wishes.folder is None else wishes.folder


def _stem(recalled: Recalled, wishes: Wishes, config: GenerationConfig) -> str:
    """The new file's name without its ending: the old one's, with `SUFFIX` in the same folder.

    Raises:
        UsageError: The name that was asked for ends in what its format does not.
    """
    if wishes.name is not None:
        name = Path(wishes.name)
        if name.suffix != config.encoder.EXTENSION:
            raise UsageError(
                f"--out {wishes.folder}/{name}: files in the format '{config.encoder.NAME}' end in "
                f"'{config.encoder.EXTENSION}'; --set output.file_format=... asks for another"
            )
        return name.stem
    old = recalled.path
    beside = local_folder(config.output.output_dir).resolve() == old.parent.resolve()
    return f"{old.stem}{SUFFIX}" if beside else old.stem


def _place(recalled: Recalled) -> Place:
    batch = recalled.document.batch
    others = {number: one.conditioning for one in batch.others for number in one.at}
    return Place(
        batch.size,
        batch.index,
        {number: values for number, values in others.items() if number != batch.index},
    )


def _check_one(config: GenerationConfig, plugins: PluginManager, copies: Any) -> None:
    """Makes sure that a config still asks for the one output.

    Raises:
        InputError: It asks for more.
    """
    several = "a file is made again as one file; 'audiogen generate' makes several"
    if config.generation.batch_size != copies and copies is not None:
        what = f"must stay {shown(copies)}: {several}"
        raise InputError(Problem("generation.batch_size", what), config.origin)
    if len(list(islice(samples_of(config, plugins), 2))) > 1:
        raise InputError(Problem("input", f"holds several samples: {several}"), config.origin)


def _device(recalled: Recalled, wishes: Wishes, observer: Observer) -> torch.device:
    """The device that was asked for, or else the one that made the file, where it is there."""
    then = recalled.document.software.get("device")
    if wishes.device is not None or not isinstance(then, str):
        return choose_device(wishes.device)
    try:
        return choose_device(then)
    except UsageError:
        now = choose_device(None)
        observer.note(f"{recalled.path} was made on '{then}', which is not here: using '{now}'")
        return now


def _source(recalled: Recalled) -> ModelSource:
    """The model that made a file, where it was.

    Raises:
        UsageError: It is not known, or not where it was.
    """
    where = "--model-config and --ckpt-path say where it is"
    match recalled.document.model:
        case {"default_model": str()}:
            return DefaultSource(named=True)
        case {"pretrained_name": str(name), **others}:
            revision = others.get("revision")
            return HubSource(name, revision if isinstance(revision, str) else None)
        case {"model_config": str(config), "ckpt_path": str(checkpoint)}:
            paths = [_found(recalled, "model", path, where) for path in (config, checkpoint)]
            return LocalSource(*paths)
    raise UsageError(f"{recalled.origin}: does not say which model made the file: {where}")


def _autoencoder_path(recalled: Recalled) -> Path | None:
    path = recalled.document.model.get("pretransform_ckpt_path")
    if not isinstance(path, str):
        return None
    return _found(recalled, "autoencoder", path, "--pretransform-ckpt-path says where it is")


def _found(recalled: Recalled, what: str, name: str, help_: str) -> Path:
    """A file of the model at its recorded path.

    Raises:
        UsageError: It is not there, or tags hold its name alone.
    """
    path = Path(name)
    if not path.is_absolute():
        raise UsageError(
            f"{recalled.origin}: holds the name of the {what}'s file, '{name}', without its "
            f"folder: {help_}"
        )
    if not path.exists():
        raise UsageError(f"{recalled.origin}: its {what} is not at '{name}' any more: {help_}")
    return path


def check_distinct(repeats: Sequence[Repeat]) -> None:
    """Makes sure that no two files would be made under one name.

    Raises:
        UsageError: They would.
    """
    seen: dict[tuple[Path, str], Repeat] = {}
    for one in repeats:
        first = seen.setdefault((one.path.parent.resolve(), same_name(one.job.stem)), one)
        if first is not one:
            raise UsageError(
                f"{one.recalled.path} and {first.recalled.path} would both be made as "
                f"'{one.path}': make one after the other, or name them with --out"
            )


def _model_itself(identity: Mapping[str, Any]) -> dict[str, Any]:
    """What identifies a model wherever it stands, as tags tell it."""
    found: dict[str, Any] = without_folders(without_places(identity))
    return found


def _comparable(content: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata without what says nothing of the sound, and may be known or not."""
    output = {key: one for key, one in content.get("output", {}).items() if key != "bytes"}
    return {**content, "output": output, "model": without_folders(content.get("model", {}))}


def _differences(then: Any, now: Any, where: str = "") -> list[str]:
    """What is not the same in two pieces of JSON, for people."""
    if isinstance(then, dict) and isinstance(now, dict):
        return [
            line
            for key in dict.fromkeys([*then, *now])
            for line in _differences(
                then.get(key), now.get(key), f"{where}.{key}" if where else str(key)
            )
        ]
    return [] if then == now else [f"{where}: {shown(then)} then, {shown(now)} now"]
