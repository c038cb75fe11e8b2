"""What cannot be understood on the command line, in the words of this package."""

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
from alexnet.recipe import choices, kind_in_words

__all__ = ["in_words"]


def in_words(error: CycloptsError, anywhere: tuple[str, ...]) -> str:
    """Return a sentence that says what was not understood and what would be.

    Args:
        error: of the parser.
        anywhere: options that every verb takes.
    """
    verb = error.command_chain[0] if error.command_chain else None
    who = verb or "alexnet"
    see = f" See: {'alexnet ' if verb else ''}{who} --help"
    match error:
        case UnknownCommandError(unused_tokens=[token, *_]):
            if token.startswith("-"):
                return f'alexnet has no option "{token}".{did_you_mean(token, anywhere)}{see}'
            verbs = f"Verbs: {', '.join(VERBS)}."
            return f'There is no verb "{token}".{did_you_mean(token, VERBS)} {verbs}'
        case UnknownOptionError():
            option = error.token.keyword or error.token.value
            known = [name for each in error.argument_collection for name in each.names]
            near = did_you_mean(option, get_close_matches(option, [*known, *anywhere], n=1))
            return f'{who} has no option "{option}".{near}{see}'
        case UnusedCliTokensError(unused_tokens=[token, *_]):
            return f'{who} does not know what to do with "{token}": it has all it takes.{see}'
        case RepeatArgumentError():
            return f"{error.token.keyword} is given twice. Give it once."
        case CoercionError(argument=Argument() as argument, token=token) if token is not None:
            wanted = kind_in_words(error.target_type)
            near = did_you_mean(token.value, map(str, choices(error.target_type)))
            return f'{_name(argument)} must be {wanted}; got "{token.value}".{near}'
        case MissingArgumentError(argument=Argument() as argument):
            if argument.tokens or error.keyword:
                return f"{error.keyword or _name(argument)} needs a value.{see}"
            return f"{who} needs {_name(argument)}.{see}"
        case _:
            error.verbose = False
            return f"{error}{see}"


def _name(argument: Argument) -> str:
    """Return how the user calls it: SOURCE where it goes by its place, else --epochs."""
    if argument.tokens and argument.tokens[-1].keyword:
        return argument.tokens[-1].keyword
    name = argument.name
    return name.lstrip("-").upper() if argument.index is not None else name
