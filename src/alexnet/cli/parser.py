"""The parser of the command line: cyclopts, with a verb for each function of `alexnet.commands`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Group, Parameter

import alexnet
from alexnet.cli.call import DASH, Call, GlobalOptions
from alexnet.cli.commands import VERBS
from alexnet.cli.errors import format_parse_error
from alexnet.cli.signature import command_of
from alexnet.errors import RecipeError

__all__ = ["build_app", "parse_words"]

_GLOBAL = Group("Global", sort_key=2)
_SWITCH = Parameter(negative=(), show_default=False, group=_GLOBAL)
_TRUST = Parameter(
    metavar="NAME", consume_multiple=False, show_default=False, negative=(), group=_GLOBAL
)


def build_app(words: Sequence[str] = ()) -> App:
    """Build the command line; calling its `meta` returns a `Call`, or None after help or version.

    Args:
        words: the command line; only a verb in it is imported.
    """
    app = App(
        name="alexnet",
        help=alexnet.__doc__,
        version=f"alexnet {alexnet.__version__}",
        help_format="plaintext",
        default_parameter=Parameter(consume_multiple=True, negative_iterable=()),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
    )
    for position, verb in enumerate(VERBS.values()):
        chosen = command_of(verb.name) if verb.name in words else None
        text = _description(chosen) if chosen else verb.help
        command = chosen or f"alexnet.cli.signature:{verb.python}"
        usage = f"Usage: alexnet {verb.name} [OPTIONS] {verb.usage}\n" if verb.usage else None
        app.command(command, name=verb.name, help=text, usage=usage, sort_key=position)
    app.register_install_completion_command()
    app.meta.help_flags = ()  # so that a mistyped verb is an error before its help

    @app.meta.default
    def parse(  # pyright: ignore[reportUnusedFunction]
        *rest: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        json: Annotated[bool, _SWITCH] = False,
        quiet: Annotated[bool, _SWITCH] = False,
        debug: Annotated[bool, _SWITCH] = False,
        trust: Annotated[tuple[str, ...], _TRUST] = (),
    ) -> Call:
        """Parse a command line.

        Args:
            rest: the verb and what belongs to it.
            json: write the result as one JSON object.
            quiet: no progress and no info: results, warnings and errors alone.
            debug: show the traceback of an error.
            trust: a network that weights may import and run, package.module:function; see
                docs/verbs/train.md.
        """
        function, bound, _ = app.parse_args(rest)
        options = GlobalOptions(json=json, quiet=quiet, debug=debug, trust=trust)
        return Call(function, bound, options)

    return app


def parse_words(words: list[str]) -> Call | None:
    """Return what to call; None after help or version.

    Raises:
        RecipeError: the command line is invalid.
    """
    try:
        return build_app(words).meta(words)
    except CycloptsError as error:
        options = tuple(f"--{field.name}" for field in fields(GlobalOptions))
        raise RecipeError(format_parse_error(error, options).replace(DASH, "-")) from error


def _description(function: Callable[..., Any]) -> str:
    """Return the docstring before its sections, a paragraph a line."""
    text = inspect.getdoc(function) or ""
    paragraphs = text.partition("\n\nArgs:")[0].split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)
