"""The entry point: parse a command line, call its verb, print the record, return an exit code."""

from __future__ import annotations

import importlib
import io
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet.cli.call import DASH, Call
from alexnet.cli.commands import VERBS, Verb
from alexnet.cli.plain import plain_call
from alexnet.distributed import (
    EndedByAnother,
    OthersLost,
    forget_outcome,
    launched,
    write_outcome,
)
from alexnet.errors import AlexNetError, Interrupted, RecipeError, RunError
from alexnet.text import escape_unprintable, join_words, shorten
from alexnet.trust import trusting

if TYPE_CHECKING:
    from alexnet.records import Record

__all__ = ["main"]

_CSV = "csv"  # the parameter of verbs for which "-" is standard output
_FAILED = 1
_MOST_LETTERS = 10_000  # of an error: a library's words may be of any length
_CTRL_C = 130  # the shells' code for it
_TOGETHER = ("train", "evaluate", "bench")  # verbs that several processes do together


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
    words = [DASH if word == "-" else word for word in arguments]
    _open_closed_streams()
    _accept_any_file_name()
    logging_before = logging.root.manager.disable
    try:
        _begin_as_one_of_many()
        return _run(words)
    except KeyboardInterrupt:
        return _CTRL_C
    except BrokenPipeError:
        return _FAILED
    finally:
        logging.disable(logging_before)
        _settle_stdout()


def _begin_as_one_of_many() -> None:
    """Let one of the processes of a launcher speak for all: the others say their errors alone."""
    rank, processes = launched()
    if processes > 1:
        # torch writes there what its users cannot change; read when it is imported.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        forget_outcome(rank)
        if rank:
            logging.disable(logging.WARNING)


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
        from alexnet.cli.system_errors import describe_system_error

        reason = describe_system_error(error, call.function if call else None)
        if reason is not None:
            return _print_error(RunError(reason), debug=debug, cause=error)
        return _print_bug(error, debug=debug)


def _parse(words: list[str]) -> Call | None:
    """Return what to call; None after help or version.

    Raises:
        RecipeError: the command line is invalid.
    """
    call = plain_call(words)
    if call is not None:
        return call
    from alexnet.cli.parser import parse_words  # takes a fifth of the time of a prediction

    return parse_words(words)


def _call(call: Call) -> int:
    """Call a verb with its progress shown, then print its record."""
    from alexnet.devices import share_cores

    share_cores()
    verb = VERBS.get(call.function.__name__.rstrip("_"))
    if verb is None:  # help, version, completion
        with _writing_stdout():
            call.run()
        return 0
    if call.options.json and call.arguments.kwargs.get(_CSV) in (DASH, Path(DASH)):
        raise RecipeError(
            f"--json and --{_CSV} - both write to standard output. Leave one of them out, "
            f"or name a file after --{_CSV}."
        )
    from alexnet.cli.screen import show_work, stderr_console
    from alexnet.commands.without_torch import making_graphs_later

    rank, processes = launched()
    if processes > 1 and verb.name not in _TOGETHER:
        raise RecipeError(
            f"{verb.name} runs in one process, and a launcher started {processes}. Call it without "
            f"the launcher; several processes share {join_words(_TOGETHER)} alone."
        )
    with making_graphs_later():
        shown = show_work(stderr_console(), quiet=call.options.quiet or rank > 0)
        with shown, trusting(*call.options.trust):
            record = call.run()
        if record is not None and rank == 0 and not write_outcome(0, 0, record.to_json()):
            _print_record(record, verb, as_json=call.options.json)
    return 0


def _print_record(record: Record, verb: Verb, *, as_json: bool) -> None:
    from alexnet.cli.screen import escape_record, stdout_console

    with _writing_stdout():
        if as_json:
            print(json.dumps(record.to_json(), allow_nan=False))
        else:
            _import(verb.render)(escape_record(record), stdout_console())


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


def _import(path: str) -> Callable[..., Any]:
    """Import "module:function"."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _print_error(error: AlexNetError, *, debug: bool, cause: Exception | None = None) -> int:
    if debug:
        _print_traceback(cause or error)
    if _says(error):
        _print_sentence(str(error), "" if isinstance(error, Interrupted) else "error: ")
    said = not isinstance(error, OthersLost)  # else a launcher begins again
    return 0 if said and write_outcome(launched()[0], error.exit_code) else error.exit_code


def _says(error: AlexNetError) -> bool:
    """Whether this process prints an error: of several the first one does, for all.

    Whoever lost the others prints that itself, and so does the first process of another machine,
    whose command line or folders may be others.
    """
    if launched()[0] == 0 or isinstance(error, OthersLost):
        return True
    return os.environ.get("LOCAL_RANK", "0") == "0" and not isinstance(
        error, EndedByAnother | Interrupted
    )


def _print_bug(error: Exception, *, debug: bool) -> int:
    """Print that it is a bug of this package, and how to see where."""
    if debug:
        _print_traceback(error)
    description = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    advice = (
        "" if debug else " Call it again with --debug to see where, and send us what it prints."
    )
    _print_sentence(f"This is a bug in alexnet: {description}.{advice}", "error: ")
    return 0 if write_outcome(launched()[0], _FAILED) else _FAILED


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
