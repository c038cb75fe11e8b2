"""The entry point: from the words of a command line to a verb, and from its record to a screen."""

from __future__ import annotations

import importlib
import inspect
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Group, Parameter

import alexnet
from alexnet.cli.commands import VERBS
from alexnet.cli.errors import in_words
from alexnet.errors import AlexNetError, Interrupted, RecipeError, RunError
from alexnet.files import too_long
from alexnet.text import shortened
from alexnet.trust import trusting

if TYPE_CHECKING:
    from alexnet.records import Record

__all__ = ["build_app", "main"]

_DASH = "\0-"  # stands for a lone "-" while words are parsed: that is no option here
_WRITES_ROWS = "csv"  # the parameter of verbs for which "-" is standard output
_FAILED = 1
_CTRL_C = 130  # what shells give a program that ended by it
_EVERYWHERE = Group("Everywhere", sort_key=2)
_SWITCH = Parameter(negative=(), show_default=False, group=_EVERYWHERE)
_TRUST = Parameter(
    metavar="NAME", consume_multiple=False, show_default=False, negative=(), group=_EVERYWHERE
)


@dataclass(frozen=True, kw_only=True)
class Voice:
    """How a verb speaks, whichever it is."""

    json: bool = False
    quiet: bool = False
    debug: bool = False
    trust: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """A command line that was understood: what to call, with what, and how to speak of it."""

    function: Callable[..., Record | None]
    arguments: inspect.BoundArguments
    voice: Voice

    def make(self) -> Record | None:
        """Call it."""
        args = [_undashed(each) for each in self.arguments.args]
        kwargs = {name: _undashed(each) for name, each in self.arguments.kwargs.items()}
        return self.function(*args, **kwargs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what a command line says and return the exit code.

    0 done; 1 a bug, or nobody reads any more; 2 a mistake that the sentence on stderr explains;
    3 interrupted and can go on; 130 stopped by Ctrl-C where nothing was to be saved.

    Args:
        arguments: the words after the program's name; None: those of this process.
    """
    given = sys.argv[1:] if arguments is None else arguments
    words = [_DASH if word == "-" else word for word in given]
    _accept_any_file_name()
    try:
        code = _do(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _CTRL_C
    except BrokenPipeError:  # whoever read has gone: nobody to tell, and nothing left to flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    return code


def build_app(words: Sequence[str] = ()) -> App:
    """Build the command line; calling its `meta` returns a `Call`, or None where all is said.

    Args:
        words: the command line: only a verb that stands in it is imported.
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
    for place, verb in enumerate(VERBS.values()):
        chosen = _named(verb.function) if verb.name in words else None
        text = _description(chosen) if chosen else verb.help
        app.command(chosen or verb.function, name=verb.name, help=text, sort_key=place)
    app.register_install_completion_command()
    app.meta.help_flags = ()  # so that a mistyped verb is told before its help is asked for

    @app.meta.default
    def understood(  # pyright: ignore[reportUnusedFunction]
        *rest: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        json: Annotated[bool, _SWITCH] = False,
        quiet: Annotated[bool, _SWITCH] = False,
        debug: Annotated[bool, _SWITCH] = False,
        trust: Annotated[tuple[str, ...], _TRUST] = (),
    ) -> Call:
        """Understand the rest of a command line.

        Args:
            rest: the verb and what belongs to it.
            json: write the result as one JSON object.
            quiet: no progress and no remarks: results, warnings and errors alone.
            debug: show the traceback of an error.
            trust: a network that weights may import and run, package.module:function; see
                docs/verbs/train.md.
        """
        function, bound, _ = app.parse_args(rest)
        return Call(function, bound, Voice(json=json, quiet=quiet, debug=debug, trust=trust))

    return app


def _do(words: list[str]) -> int:
    """Understand, work, answer; whatever goes wrong becomes a sentence and a code."""
    debug = "--debug" in words
    try:
        call = _understood(words)
        return 0 if call is None else _work(call)
    except AlexNetError as error:
        return _explain(error, debug=debug)
    except BrokenPipeError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and too_long(error):
            name = shortened(error.filename)
            return _explain(RunError(f"The name {name} is too long for this system."), debug=debug)
        return _admit(error, debug=debug)


def _understood(words: list[str]) -> Call | None:
    """Return what to call; None where help or version said all.

    Raises:
        RecipeError: the words make no command line.
    """
    try:
        return build_app(words).meta(words)
    except CycloptsError as error:
        options = tuple(f"--{field.name}" for field in fields(Voice))
        raise RecipeError(in_words(error, options).replace(_DASH, "-")) from error


def _work(call: Call) -> int:
    """Call a verb with progress shown, then write its record."""
    from alexnet.devices import share_cores

    share_cores()
    verb = VERBS.get(call.function.__name__.rstrip("_"))
    if verb is None:  # help, version, completion: they wrote for themselves
        call.make()
        return 0
    if call.voice.json and call.arguments.kwargs.get(_WRITES_ROWS) in (_DASH, Path(_DASH)):
        raise RecipeError(
            f"--json and --{_WRITES_ROWS} - both write to standard output. Leave one of them out, "
            f"or name a file after --{_WRITES_ROWS}."
        )
    from alexnet.cli.screen import stderr_console, stdout_console, work_shown

    shown = work_shown(stderr_console(), quiet=call.voice.quiet)
    with shown, trusting(*call.voice.trust):
        record = call.make()
    if record is None:
        return 0
    if call.voice.json:
        print(json.dumps(record.to_json(), allow_nan=False))
        return 0
    _named(verb.show)(record, stdout_console())
    return 0


def _undashed(argument: Any) -> Any:
    return type(argument)("-") if argument in (_DASH, Path(_DASH)) else argument


def _named(place: str) -> Callable[..., Any]:
    """Import what "module:function" names."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _description(function: Callable[..., Any]) -> str:
    """Return what the docstring says before its sections, a paragraph a line."""
    text = inspect.getdoc(function) or ""
    paragraphs = text.partition("\n\nArgs:")[0].split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)


def _explain(error: AlexNetError, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    _say(str(error), "" if isinstance(error, Interrupted) else "error: ")
    return error.exit_code


def _admit(error: Exception, *, debug: bool) -> int:
    """Say that something is our own mistake, and how to see where."""
    if debug:
        traceback.print_exception(error)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    more = "" if debug else " Call it again with --debug to see where, and send us what it prints."
    _say(f"This is a mistake in alexnet, not yours: {what}.{more}", "error: ")
    return _FAILED


def _say(sentence: str, label: str) -> None:
    from rich.text import Text

    from alexnet.cli.screen import stderr_console

    stderr_console().print(Text.assemble((label, "red"), sentence))


def _accept_any_file_name() -> None:
    """Write names that are no text in the terminal's encoding with escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
