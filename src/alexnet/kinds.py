"""Annotations in words: what a setting may be, for whoever gave it something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

__all__ = ["choices", "kind_in_words"]

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    Path: "a path",
    type(None): "none",
}


def choices(kind: Any) -> tuple[Any, ...]:
    """Return what a `Literal`, also inside of an optional or a tuple, lets one choose from."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(each for part in get_args(kind) for each in choices(part))


def kind_in_words(kind: Any) -> str:
    """Return what values an annotation takes: "a whole number or none", '"crop" or "pad"'."""
    if get_origin(kind) is Literal:
        return _either(
            [f'"{each}"' if isinstance(each, str) else str(each) for each in choices(kind)]
        )
    if get_origin(kind) is tuple:
        return f"a list, each {kind_in_words(get_args(kind)[0])}"
    if get_args(kind):
        return _either([kind_in_words(each) for each in get_args(kind)])
    return _WORDS.get(kind, "something else")


def _either(parts: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
