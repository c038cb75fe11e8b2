"""The entry point: parse a command line, call its verb, print the record, return an exit code."""

from __future__ import annotations

import importlib
import inspect
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Group, Parameter

import alexnet
from alexnet.cli.commands import VERBS
from alexnet.cli.errors import format_parse_error
from alexnet.cli.signature import command_of
from alexnet.cli.system_errors import describe_system_error
from alexnet.errors import AlexNetError, Interrupted, RecipeError, RunError
from alexnet.text import escape_unprintable, shorten
from alexnet.trust import trusting

if TYPE_CHECKING:
    from alexnet.records import Record

__all__ = ["build_app", "main"]

# cyclopts 5 takes a lone "-" for an option; here it is standard input or output.
_DASH = "\0-"
_CSV = "csv"  # the parameter of verbs for which "-" is standard output
_FAILED = 1
_MOST_LETTERS = 10_000  # of an error: a library's words may be of any length
_CTRL_C = 130  # the shells' code for it
_GLOBAL = Group("Global", sort_key=2)
_SWITCH = Parameter(negative=(), show_default=False, group=_GLOBAL)
_TRUST = Parameter(
    metavar="NAME", consume_multiple=False, show_default=False, negative=(), group=_GLOBAL
)


@dataclass(frozen=True, kw_only=True)
class GlobalOptions:
    """The options of every verb."""

    json: bool = False
    quiet: bool = False
    debug: bool = False
    trust: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """A parsed command line."""

    function: Callable[..., Record | None]
    arguments: inspect.BoundArguments
    options: GlobalOptions

    def run(self) -> Record | None:
        """Call the function."""
        args = [_restore_dash(value) for value in self.arguments.args]
        kwargs = {name: _restore_dash(value) for name, value in self.arguments.kwargs.items()}
        return self.function(*args, **kwargs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    0 done; 1 a bug, or nobody reads standard output any more; 2 something could not be, which
    stderr explains; 3 interrupted and can be continued; 130 stopped by Ctrl-C with nothing to save.
    Standard streams that are closed are as if they were the null device.

    Args:
        arguments: the words after the program's name; None: those of this process.
    """
    if arguments is None:
        arguments = sys.argv[1:]
    words = [_DASH if word == "-" else word for word in arguments]
    _open_closed_streams()
    _accept_any_file_name()
    try:
        return _run(words)
    except KeyboardInterrupt:
        return _CTRL_C
    except BrokenPipeError:
        return _FAILED
    finally:
        _settle_stdout()


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


def _run(words: list[str]) -> int:
    """Parse, call and print; an error becomes a sentence and an exit code."""
    debug = "--debug" in words
    call = None
    try:
        with _writing_stdout():
            call = _parse(words)
        return 0 if call is None else _call(call)
    except AlexNetError as error:
        return _print_error(error, debug=debug)
    except BrokenPipeError:
        raise
    except Exception as error:
        reason = describe_system_error(error, call.function if call else None)
        if reason is not None:
            return _print_error(RunError(reason), debug=debug, cause=error)
        return _print_bug(error, debug=debug)


def _parse(words: list[str]) -> Call | None:
    """Return what to call; None after help or version.

    Raises:
        RecipeError: the command line is invalid.
    """
    try:
        return build_app(words).meta(words)
    except CycloptsError as error:
        options = tuple(f"--{field.name}" for field in fields(GlobalOptions))
        raise RecipeError(format_parse_error(error, options).replace(_DASH, "-")) from error


def _call(call: Call) -> int:
    """Call a verb with its progress shown, then print its record."""
    from alexnet.devices import share_cores

    share_cores()
    verb = VERBS.get(call.function.__name__.rstrip("_"))
    if verb is None:  # help, version, completion
        with _writing_stdout():
            call.run()
        return 0
    if call.options.json and call.arguments.kwargs.get(_CSV) in (_DASH, Path(_DASH)):
        raise RecipeError(
            f"--json and --{_CSV} - both write to standard output. Leave one of them out, "
            f"or name a file after --{_CSV}."
        )
    from alexnet.cli.screen import escape_record, show_work, stderr_console, stdout_console

    shown = show_work(stderr_console(), quiet=call.options.quiet)
    with shown, trusting(*call.options.trust):
        record = call.run()
    if record is None:
        return 0
    with _writing_stdout():
        if call.options.json:
            print(json.dumps(record.to_json(), allow_nan=False))
        else:
            _import(verb.render)(escape_record(record), stdout_console())
    return 0


@contextmanager
def _writing_stdout() -> Generator[None]:
    """Say what is wrong where the block, or the end of it, cannot write standard output.

    Raises:
        RunError: it is on a full disk, or the system refuses otherwise.
        BrokenPipeError: nobody reads it any more.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RunError(
            f"The result could not be written to standard output: {error.strerror or error}. "
            "Send it elsewhere; what the command wrote into files is there."
        ) from error


def _restore_dash(argument: Any) -> Any:
    return type(argument)("-") if argument in (_DASH, Path(_DASH)) else argument


def _import(path: str) -> Callable[..., Any]:
    """Import "module:function"."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _description(function: Callable[..., Any]) -> str:
    """Return the docstring before its sections, a paragraph a line."""
    text = inspect.getdoc(function) or ""
    paragraphs = text.partition("\n\nArgs:")[0].split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)


def _print_error(error: AlexNetError, *, debug: bool, cause: Exception | None = None) -> int:
    if debug:
        _print_traceback(cause or error)
    _print_sentence(str(error), "" if isinstance(error, Interrupted) else "error: ")
    return error.exit_code


def _print_bug(error: Exception, *, debug: bool) -> int:
    """Print that it is a bug of this package, and how to see where."""
    if debug:
        _print_traceback(error)
    description = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    advice = (
        "" if debug else " Call it again with --debug to see where, and send us what it prints."
    )
    _print_sentence(f"This is a bug in alexnet: {description}.{advice}", "error: ")
    return _FAILED


def _print_traceback(error: Exception) -> None:
    from alexnet.cli.screen import stderr_console

    lines = "".join(traceback.format_exception(error))
    stderr_console().out(escape_unprintable(lines, keep="\n"), end="", highlight=False)


def _print_sentence(sentence: str, label: str) -> None:
    from rich.text import Text

    from alexnet.cli.screen import stderr_console

    sentence = shorten(escape_unprintable(sentence), _MOST_LETTERS)
    stderr_console().print(Text.assemble((label, "red"), sentence))


def _open_closed_streams() -> None:
    """Open the null device for each standard stream that is closed.

    Else the next file that is opened takes its number, and a library that writes to standard error
    past Python would write into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)  # the lowest free
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _settle_stdout() -> None:
    """Drop what standard output does not take, so that Python does not try again at its end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        from alexnet.cli.screen import discard_output

        discard_output(sys.stdout)


def _accept_any_file_name() -> None:
    """Print names that the terminal's encoding lacks with escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
