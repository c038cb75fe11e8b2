"""The settings of one node of a graph, validated: they come out of a file that may be untrusted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from alexnet.errors import RecipeError, did_you_mean

__all__ = ["LARGEST", "Settings"]

LARGEST = 2**24
"""No size in a graph is larger: channels, kernels, numbers of one image along an axis."""

_Word = TypeVar("_Word", bound=str)


class Settings:
    """What a node has beside its name, its operation and its inputs.

    Each setting is read once, by its type; a setting that nobody read is an error.

    Args:
        node: name of the node, for errors.
        operation: its operation, for errors.
        values: plain values by name.
    """

    def __init__(self, node: str, operation: str, values: Mapping[str, Any]) -> None:
        self.node, self.operation = node, operation
        self._unread = dict(values)
        self._known: list[str] = []

    def whole(self, name: str, low: int, high: int = LARGEST) -> int:
        """Return a whole number within low..high."""
        value = self._take(name)
        if not _is_whole(value) or not low <= value <= high:
            raise self._wrong(name, f"a whole number from {low} to {high}", value)
        return value

    def pair(self, name: str, low: int) -> tuple[int, int]:
        """Return two whole numbers, for height and width."""
        value = self._take(name)
        pair = _wholes(value, low)
        if pair is None or len(pair) != 2:
            raise self._wrong(name, f"two whole numbers of at least {low}, height and width", value)
        return pair[0], pair[1]

    def wholes(self, name: str, low: int) -> tuple[int, ...]:
        """Return one to three whole numbers: a shape without its batch."""
        value = self._take(name)
        shape = _wholes(value, low)
        if not shape or len(shape) > 3:
            raise self._wrong(name, f"one to three whole numbers of at least {low}", value)
        return shape

    def number(self, name: str, low: float = -math.inf, high: float = math.inf) -> float:
        """Return a finite number within low..high."""
        value = self._take(name)
        if not _is_number(value) or not low <= value <= high:
            raise self._wrong(name, f"a number from {low:g} to {high:g}", value)
        return float(value)

    def numbers(self, name: str, count: int) -> tuple[float, ...] | None:
        """Return `count` finite numbers, or None where there are none."""
        value = self._take(name)
        if value is None:
            return None
        listed = list(cast("Iterable[Any]", value)) if isinstance(value, list | tuple) else []
        if len(listed) != count or not all(map(_is_number, listed)):
            raise self._wrong(name, f"{count} numbers", cast("object", value))
        return tuple(float(number) for number in listed)

    def flag(self, name: str) -> bool:
        """Return True or False."""
        value = self._take(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false", value)
        return value

    def word(self, name: str, choices: tuple[_Word, ...]) -> _Word:
        """Return one of some words."""
        value = self._take(name)
        if value not in choices:
            raise self._wrong(name, " or ".join(f'"{choice}"' for choice in choices), value)
        return value

    def has(self, name: str) -> bool:
        """Return whether a setting is there and not null; null counts as read."""
        if self._unread.get(name, None) is not None:
            return True
        self._unread.pop(name, None)
        return False

    def require_all_read(self) -> None:
        """Raise RecipeError for a setting that nobody read."""
        for name in self._unread:
            raise RecipeError(
                f'The node "{self.node}" ({self.operation}) has no setting "{name}".'
                f"{did_you_mean(name, self._known)} Its settings: "
                f"{', '.join(self._known) or 'none'}."
            )

    def _take(self, name: str) -> Any:
        self._known.append(name)
        if name not in self._unread:
            raise RecipeError(f'The node "{self.node}" ({self.operation}) lacks "{name}".')
        return self._unread.pop(name)

    def _wrong(self, name: str, expected: str, value: object) -> RecipeError:
        return RecipeError(
            f'The node "{self.node}" ({self.operation}) needs {expected} as "{name}"; got '
            f"{value!r:.60}."
        )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _wholes(value: object, low: int) -> tuple[int, ...] | None:
    if not isinstance(value, list | tuple):
        return None
    listed = tuple(cast("Iterable[Any]", value))
    if not all(_is_whole(number) and low <= number <= LARGEST for number in listed):
        return None
    return listed
