"""Errors of the parser as sentences of this package."""

from __future__ import annotations

from difflib import get_close_matches

from cyclopts import (
    Argument,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from alexnet.cli.commands import VERBS
from alexnet.errors import did_you_mean
from alexnet.recipe import choices, describe_type

__all__ = ["format_parse_error"]


def format_parse_error(error: CycloptsError, global_options: tuple[str, ...]) -> str:
    """Return a sentence that says what was not understood and what is expected.

    Args:
        error: of the parser.
        global_options: of every verb.
    """
    verb = error.command_chain[0] if error.command_chain else None
    program = verb or "alexnet"
    see = f" See: {'alexnet ' if verb else ''}{program} --help"
    match error:
        case UnknownCommandError(unused_tokens=[token, *_]):
            if token.startswith("-"):
                return f'alexnet has no option "{token}".{did_you_mean(token, global_options)}{see}'
            verbs = f"Verbs: {', '.join(VERBS)}."
            return f'There is no verb "{token}".{did_you_mean(token, VERBS)} {verbs}'
        case UnknownOptionError():
            option = error.token.keyword or error.token.value
            options = [name for each in error.argument_collection for name in each.names]
            options += global_options
            near = did_you_mean(option, get_close_matches(option, options, n=1))
            return f'{program} has no option "{option}".{near}{see}'
        case UnusedCliTokensError(unused_tokens=[token, *_]):
            return f'{program} does not know what to do with "{token}": it has all it takes.{see}'
        case RepeatArgumentError():
            return f"{error.token.keyword} is given twice. Give it once."
        case CoercionError(argument=Argument() as argument, token=token) if token is not None:
            expected = describe_type(error.target_type)
            near = did_you_mean(token.value, map(str, choices(error.target_type)))
            return f'{_name(argument)} must be {expected}; got "{token.value}".{near}'
        case MissingArgumentError(argument=Argument() as argument):
            if argument.tokens or error.keyword:
                return f"{error.keyword or _name(argument)} needs a value.{see}"
            return f"{program} needs {_name(argument)}.{see}"
        case _:
            error.verbose = False
            return f"{error}{see}"


def _name(argument: Argument) -> str:
    """Return the name for the user: SOURCE of a positional argument, else --epochs."""
    if argument.tokens and argument.tokens[-1].keyword:
        return argument.tokens[-1].keyword
    name = argument.name
    return name.lstrip("-").upper() if argument.index is not None else name
