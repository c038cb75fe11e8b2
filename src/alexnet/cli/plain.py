"""Command lines of `predict` and `features` that need no parser: names of files and plain options.

The parser of all verbs takes as long as to predict an image. What it makes of a line, this makes of
it too, or nothing: then the parser is asked. A test holds the two against each other.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alexnet.cli.call import Call, GlobalOptions
from alexnet.cli.commands import VERBS

__all__ = ["plain_call"]

_SWITCHES = ("--json", "--quiet", "--debug")  # global ones


@dataclass(frozen=True)
class _PlainVerb:
    """The options of a verb that are taken here, and how their values are read."""

    options: Mapping[str, Callable[[str], Any]]
    most_names: int | None = None  # None: any number


def _whole_number(word: str) -> int:
    if not (word.isascii() and word.isdecimal()):
        raise ValueError(word)
    return int(word)


def _number_of_crops(word: str) -> int:
    return {"1": 1, "5": 5, "10": 10}[word]


_PLAIN = {
    "predict": _PlainVerb({"--top": _whole_number, "--crops": _number_of_crops, "--csv": Path}),
    "features": _PlainVerb(
        {"--out": Path, "--layer": str, "--crops": _number_of_crops}, most_names=2
    ),
}


def plain_call(words: Sequence[str]) -> Call | None:
    """Return the call that a command line is; None: the parser has to look at it.

    Args:
        words: the command line, "-" as `DASH`.
    """
    plain = _PLAIN.get(words[0]) if words else None
    if plain is None:
        return None
    names: list[Path] = []
    values: dict[str, Any] = {}
    switches: set[str] = set()
    remaining = iter(words[1:])
    for word in remaining:
        if word in _SWITCHES and word not in switches:
            switches.add(word)
        elif word in plain.options and word[2:] not in values:
            value = next(remaining, "")
            if not value or value.startswith("-"):
                return None
            try:
                values[word[2:]] = plain.options[word](value)
            except (ValueError, KeyError):
                return None
        elif word.startswith("-") or not word:
            return None
        else:
            names.append(Path(word))
    if plain.most_names is not None and len(names) > plain.most_names:
        return None
    return _call(
        words[0],
        names,
        values,
        GlobalOptions(
            json="--json" in switches, quiet="--quiet" in switches, debug="--debug" in switches
        ),
    )


def _call(
    verb: str, names: list[Path], values: dict[str, Any], options: GlobalOptions
) -> Call | None:
    module, _, function = VERBS[verb].function.partition(":")
    called = getattr(importlib.import_module(module), function)
    try:
        bound = inspect.signature(called).bind(*names, **values)
    except TypeError:  # something is missing
        return None
    return Call(called, bound, options)
