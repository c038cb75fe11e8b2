"""What an annotation allows: its choices, a description for people, whether a value fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin

__all__ = ["choices", "describe_type", "fits", "join_or"]

_NAMES: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    Path: "a path",
    type(None): "none",
}


def choices(annotation: Any) -> tuple[Any, ...]:
    """Return what a `Literal`, also inside of an optional or a tuple, lets one choose from."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(value for part in get_args(annotation) for value in choices(part))


def describe_type(annotation: Any) -> str:
    """Return what values it allows: "a whole number or none", '"crop" or "pad"'."""
    if get_origin(annotation) is Literal:
        values = choices(annotation)
        return join_or([f'"{each}"' if isinstance(each, str) else str(each) for each in values])
    if get_origin(annotation) is tuple:
        return f"a list, each {describe_type(get_args(annotation)[0])}"
    if get_args(annotation):
        return join_or([describe_type(each) for each in get_args(annotation)])
    return _NAMES.get(annotation, "something else")


def join_or(parts: Sequence[str]) -> str:
    """Return "a", "a or b", "a, b or c"."""
    return " or ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def fits(value: object, annotation: Any) -> bool:
    """Return whether a value is of an annotation: plain types, literals, optionals, tuples."""
    if get_origin(annotation) is Literal:
        return value in get_args(annotation)
    if get_origin(annotation) is tuple:
        element = get_args(annotation)[0]
        parts = cast("tuple[object, ...]", value)
        return isinstance(value, tuple) and all(fits(each, element) for each in parts)
    if get_args(annotation):
        return any(fits(value, each) for each in get_args(annotation))
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, annotation)
