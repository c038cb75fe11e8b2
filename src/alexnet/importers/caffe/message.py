"""A message of protobuf's text format as a tree of fields, each value with its line.

Nothing has to be known of a field for it to be read; what is asked for later is checked then, with
the line in the sentence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from alexnet.errors import WeightsError
from alexnet.text import shorten

__all__ = ["Message", "Scalar"]

_LARGEST = 2**31 - 1
_WHOLE = re.compile(r"-?(0[xX][0-9a-fA-F]{1,8}|\d{1,11})")
_FLOAT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?[fF]?")
_OCTAL = re.compile(r"-?0\d+")

_FLAGS = {
    **dict.fromkeys(("true", "True", "t", "1"), True),
    **dict.fromkeys(("false", "False", "f", "0"), False),
}


@dataclass(frozen=True)
class Scalar:
    """A number, a word or a text, as it stands in the file."""

    text: str
    line: int
    quoted: bool = False


@dataclass
class Message:
    """What stands between two braces: fields by name, each as often as it was params.

    Attributes:
        place: the file, for errors.
        line: where it begins, from 1.
        fields: by name, in the order of the file.
    """

    place: Path
    line: int = 1
    fields: dict[str, list[Scalar | Message]] = field(
        default_factory=dict[str, "list[Scalar | Message]"]
    )

    def error(self, said: str, line: int | None = None) -> WeightsError:
        """Return an error that begins with file and line."""
        return WeightsError(f"{self.place}, line {line or self.line}: {said}")

    def has(self, name: str) -> bool:
        """Return whether a field is there at all."""
        return name in self.fields

    def messages(self, name: str) -> list[Message]:
        """Return every message of a name."""
        found = self.fields.get(name, [])
        for each in found:
            if isinstance(each, Scalar):
                raise self.error(f'"{name}" should hold fields in braces.', each.line)
        return cast("list[Message]", found)

    def message(self, name: str) -> Message:
        """Return the one message of a name; an empty one where there is none."""
        found = self.messages(name)
        if len(found) > 1:
            raise self.error(f'"{name}" is given twice.', found[1].line)
        return found[0] if found else Message(self.place, self.line)

    def texts(self, name: str) -> list[str]:
        """Return every text or word of a name."""
        return [each.text for each in self._scalars(name)]

    def text(self, name: str, default: str = "") -> str:
        """Return the text or word of a name."""
        found = self._single(name)
        return default if found is None else found.text

    def word(self, name: str, choices: Sequence[str], default: str) -> str:
        """Return one of some words."""
        found = self._single(name)
        if found is None:
            return default
        if found.text not in choices:
            listed = " or ".join(choices)
            raise self.error(
                f"{name} must be {listed} here; got {shorten(found.text)}.", found.line
            )
        return found.text

    def flag(self, name: str, default: bool) -> bool:
        """Return a yes or no."""
        found = self._single(name)
        if found is None:
            return default
        if found.quoted or found.text not in _FLAGS:
            raise self.error(
                f"{name} must be true or false; got {shorten(found.text)}.", found.line
            )
        return _FLAGS[found.text]

    def wholes(self, name: str, low: int = 0) -> list[int]:
        """Return every whole number of a name."""
        return [self._whole(name, each, low) for each in self._scalars(name)]

    def whole(self, name: str, default: int | None = None, low: int = 0) -> int:
        """Return the whole number of a name; without a default it is needed."""
        found = self._single(name)
        if found is not None:
            return self._whole(name, found, low)
        if default is None:
            raise self.error(f"{name} is missing.")
        return default

    def numbers(self, name: str) -> list[float]:
        """Return every number of a name."""
        return [self._number(name, each) for each in self._scalars(name)]

    def number(self, name: str, default: float) -> float:
        """Return the number of a name."""
        found = self._single(name)
        return default if found is None else self._number(name, found)

    def _scalars(self, name: str) -> list[Scalar]:
        found = self.fields.get(name, [])
        for each in found:
            if isinstance(each, Message):
                raise self.error(f'"{name}" should be a plain value.', each.line)
        return cast("list[Scalar]", found)

    def _single(self, name: str) -> Scalar | None:
        found = self._scalars(name)
        if len(found) > 1:
            raise self.error(f'"{name}" is given twice.', found[1].line)
        return found[0] if found else None

    def _whole(self, name: str, scalar: Scalar, low: int) -> int:
        value = None
        if not scalar.quoted and _WHOLE.fullmatch(scalar.text):
            octal = _OCTAL.fullmatch(scalar.text) is not None
            try:
                value = int(scalar.text, 8 if octal else 0)
            except ValueError:  # 8 or 9 in an octal number
                value = None
        if value is None or not low <= value <= _LARGEST:
            said = f"{name} must be a whole number of at least {low}; got {scalar.text:.40}."
            raise self.error(said, scalar.line)
        return value

    def _number(self, name: str, scalar: Scalar) -> float:
        plain = not scalar.quoted and _FLOAT.fullmatch(scalar.text)
        octal = _OCTAL.fullmatch(scalar.text)  # protobuf knows none here, nor 0x10
        value = float(scalar.text.rstrip("fF")) if plain and not octal else math.nan
        if not math.isfinite(value):
            raise self.error(f"{name} must be a number; got {scalar.text:.40}.", scalar.line)
        return value
