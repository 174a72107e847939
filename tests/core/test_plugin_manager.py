"""Loading plugins: what goes wrong with one of them costs only that one."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pluggy
import pytest

from audiogen_core import hookimpl
from audiogen_core.hooks import INTERFACE_VERSION, PluginWarning
from audiogen_core.plugin_manager import PluginManager, installed_plugins
from audiogen_core.registry import ENCODER, Missing, Origin, PluginError

GUEST = Origin("guest", "2.0")


def module(**functions: Any) -> types.ModuleType:
    """A module with hook implementations."""
    made = types.ModuleType("guest")
    for name, function in functions.items():
        setattr(made, name, hookimpl(function))
    return made


def test_a_duplicate_name_names_both_distributions_and_costs_only_itself() -> None:
    """Who takes a name twice is told who has it; the other names are registered."""

    def audiogen_encoders(register: Any) -> None:
        register("wav", "guest:Wav")
        register("raw", "guest:Raw")

    manager = PluginManager()
    manager.load_entry_points()
    taken = r"'wav' of guest 2\.0 is registered already by audiogen"
    with pytest.warns(PluginWarning, match=taken):
        manager.register(module(audiogen_encoders=audiogen_encoders), "guest", GUEST)
    assert manager.encoders.origin("wav").distribution == "audiogen"
    assert manager.encoders.origin("raw") == GUEST
    assert [(one.name, one.kind) for one in manager.missing] == [("wav", ENCODER)]


@pytest.mark.parametrize("name", [None, "", 5, ["raw"]])
def test_a_name_that_is_none_costs_only_itself(name: Any) -> None:
    """The messages about other names are the same as without it."""

    def audiogen_encoders(register: Any) -> None:
        register(name, "guest:Raw")
        register("raw", "guest:Raw")

    manager = PluginManager()
    manager.load_entry_points()
    with pytest.warns(PluginWarning, match="must have a string for its name"):
        manager.register(module(audiogen_encoders=audiogen_encoders), "guest", GUEST)
    assert manager.encoders.origin("raw") == GUEST
    assert "did you mean 'flac'" in manager.encoders.unknown("flc")


def test_an_exception_at_registration_registers_nothing() -> None:
    """What a hook named before it failed is not there either."""

    def audiogen_encoders(register: Any) -> None:
        register("raw", "guest:Raw")
        raise RuntimeError("no")

    manager = PluginManager()
    guest = module(audiogen_encoders=audiogen_encoders)
    with pytest.raises(RuntimeError):
        manager.register(guest, "guest", GUEST)
    assert "raw" not in manager.encoders


def test_a_misspelt_hook_is_refused() -> None:
    """A hook that nobody calls is an error with a hint, not a silence."""

    def audiogen_encoder(register: Any) -> None:
        del register

    manager = PluginManager()
    with pytest.raises(PluginError, match=r"audiogen_encoder.*did you mean 'audiogen_encoders'"):
        manager.register(module(audiogen_encoder=audiogen_encoder), "guest", GUEST)


def test_an_optional_hook_may_be_unknown() -> None:
    """A plugin for several versions marks what only later ones have, as pluggy provides for."""

    def audiogen_encoders(register: Any) -> None:
        register("raw", "guest:Raw")

    guest = module(audiogen_encoders=audiogen_encoders)
    later = hookimpl(optionalhook=True)(lambda register: register("x", "guest:X"))
    guest.audiogen_later_things = later  # type: ignore[attr-defined]
    manager = PluginManager()
    manager.register(guest, "guest", GUEST)
    assert manager.encoders.names() == ["raw"]


@pytest.mark.parametrize("version", [INTERFACE_VERSION + 1, "1", True, 0])
def test_a_later_interface_is_refused(version: object) -> None:
    """A plugin may state what it was made for, and what is not there yet is not guessed."""

    def audiogen_encoders(register: Any) -> None:
        register("raw", "guest:Raw")

    guest = module(audiogen_encoders=audiogen_encoders)
    guest.AUDIOGEN_INTERFACE = version  # type: ignore[attr-defined]
    with pytest.raises(PluginError, match=r"interface version 2|must be a whole number"):
        PluginManager().register(guest, "guest", GUEST)
    guest.AUDIOGEN_INTERFACE = INTERFACE_VERSION  # type: ignore[attr-defined]
    PluginManager().register(guest, "guest", GUEST)


def test_an_unknown_name_may_be_a_missing_plugin_s() -> None:
    """The message for an unknown name tells what failed and may have had it."""

    def audiogen_encoders(register: Any) -> None:
        register("wav", "guest:Wav")

    manager = PluginManager()
    manager.missing.append(Missing("fx", None, GUEST, "ImportError: no fx"))
    assert "plugin 'fx' of guest 2.0 could not be loaded: ImportError: no fx" in (
        manager.encoders.unknown("raw")
    )
    manager.missing[:] = [Missing("fx", ENCODER, GUEST, "it is taken")]
    assert "fx" in manager.encoders.unknown("fx")
    assert "guest" not in manager.encoders.unknown("raw")


def test_an_interrupt_while_importing_ends_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C is the user's, not the plugin's."""
    info = tmp_path / "slow-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[audiogen]\nslow = slow_import\n")
    (tmp_path / "slow_import.py").write_text("raise KeyboardInterrupt")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        PluginManager().load_entry_points()


def test_a_wrong_signature_is_refused() -> None:
    """A hook with an argument that does not exist is an error when it is registered."""

    def audiogen_encoders(registry: Any) -> None:
        del registry

    with pytest.raises(pluggy.PluginValidationError, match="registry"):
        PluginManager().register(module(audiogen_encoders=audiogen_encoders), "guest", GUEST)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("no_such_module:Thing", "encoder 'mine' of guest 2.0 cannot be imported: ModuleNotFound"),
        ("audiogen_core.names:UniqueNames", "is not a subclass of .*Encoder"),
        ("audiogen_core.interfaces.encoder:Encoder", "of guest 2.0 lacks 'check', 'encode'"),
        ("audiogen_plugins.encoders.wav:Wav", "calls itself 'wav' in its NAME"),
    ],
)
def test_a_reference_that_leads_nowhere_says_whose_it_is(reference: str, message: str) -> None:
    """What a lazy reference names is checked when it is first used."""

    def audiogen_encoders(register: Any) -> None:
        register("mine", reference)

    manager = PluginManager()
    manager.register(module(audiogen_encoders=audiogen_encoders), "guest", GUEST)
    with pytest.raises(PluginError, match=message):
        manager.encoders.load("mine")


def test_the_installed_plugins_all_loaded() -> None:
    """Nothing failed here."""
    assert not installed_plugins().missing
