"""Loading plugins: what goes wrong with one of them costs only that one."""

from __future__ import annotations

import types
from typing import Any

import pluggy
import pytest

from audiogen_core import hookimpl
from audiogen_core.plugin_manager import PluginManager, installed_plugins
from audiogen_core.registry import Origin, PluginError

GUEST = Origin("guest", "2.0")


def module(**functions: Any) -> types.ModuleType:
    """A module with hook implementations."""
    made = types.ModuleType("guest")
    for name, function in functions.items():
        setattr(made, name, hookimpl(function))
    return made


def test_a_duplicate_name_names_both_distributions() -> None:
    """Who takes a name twice is told who has it."""

    def audiogen_encoders(register: Any) -> None:
        register("wav", "guest:Wav")

    manager = PluginManager()
    manager.load_entry_points()
    with pytest.raises(PluginError, match=r"'wav' of guest 2\.0 is registered already by audiogen"):
        manager.register(module(audiogen_encoders=audiogen_encoders), "guest", GUEST)
    assert manager.encoders.origin("wav").distribution == "audiogen"


def test_a_misspelt_hook_is_refused() -> None:
    """A hook that nobody calls is an error, not a silence."""

    def audiogen_encoder(register: Any) -> None:
        del register

    with pytest.raises(pluggy.PluginValidationError, match="audiogen_encoder"):
        PluginManager().register(module(audiogen_encoder=audiogen_encoder), "guest", GUEST)


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
    assert not installed_plugins().failures
