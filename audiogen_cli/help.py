"""Help in plain text, whole at any width: importing rich takes longer than all the rest of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer import BadParameter
from typer.core import TyperCommand, TyperGroup

from audiogen_core.errors import did_you_mean

_ONE_OF = re.compile(r"'(?P<given>.*)' is not one of (?P<known>'.*')\.?", re.DOTALL)


def _in_our_words(message: str) -> str:
    """The message for a value without the words of the library that checks it, and with a hint."""
    message = message.removeprefix("Value error, ")
    if message.startswith("Input should be "):
        return f"must be {message.removeprefix('Input should be ')}"
    if (found := _ONE_OF.fullmatch(message)) is None:
        return message
    given, known = found["given"], found["known"]
    hint = did_you_mean(given, known.strip("'").split("', '"))
    return f"'{given}' is not one of {known}{hint}"


FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class Command(TyperCommand):
    """A command whose arguments are shown by what they are, without their Python types."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses; what is wrong is told in the words of all other messages."""
        try:
            return super().parse_args(ctx, args)
        except BadParameter as error:
            error.message = _in_our_words(error.message)
            raise

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes what the command takes: its arguments, and then its options."""
        for kind, title in (("argument", "Arguments"), ("option", "Options")):
            parameters = [one for one in self.get_params(ctx) if one.param_type_name == kind]
            records = [one.get_help_record(ctx) for one in parameters]
            rows = [(name, text) for name, text in filter(None, records)]
            if kind == "argument":
                rows = [(name.partition(" <")[0], text) for name, text in rows]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class Group(TyperGroup):
    """A group that lists its commands with the whole first paragraph of their help."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes a line or more for each command."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, " ".join((command.help or "").partition("\n\n")[0].split()))
            for name, command in commands
            if command is not None
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class App(typer.Typer):
    """Commands with such help.

    Args:
        text: What the commands are for.
    """

    def __init__(self, text: str, *, name: str | None = None) -> None:
        super().__init__(
            name=name,
            cls=Group,
            help=text,
            no_args_is_help=True,
            add_completion=False,
            pretty_exceptions_enable=False,
            rich_markup_mode=None,
        )

    def command(self, name: str | None = None, **settings: Any) -> Callable[[FunctionT], FunctionT]:
        """Registers a command."""
        return super().command(name, **{"cls": Command, **settings})
