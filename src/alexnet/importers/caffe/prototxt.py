"""Reading prototxt: protobuf's text format as a tree, each value with its line.

A parser of our own and not the protobuf library's, because Caffe's forks add fields, types and
words of their own: nothing has to be known to be read, and what is asked for later is checked then,
with the line in the sentence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from alexnet.errors import WeightsError

__all__ = ["Message", "Scalar", "read_prototxt"]

_MAX_BYTES = 4 << 20  # ResNet of 152 layers has 0.1 MB
_MAX_DEPTH = 20
_LARGEST = 2**31 - 1

_TOKEN = re.compile(
    r"""(?P<space>(?:[ \t\r\n\f\v]+|\#[^\n]*)+)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<word>[A-Za-z0-9_.+\-]+)
    | (?P<mark>[{}<>:;,\[\]])""",
    re.X,
)
_ESCAPE = re.compile(r"\\([0-7]{1,3}|[xX][0-9a-fA-F]{1,2}|.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_CLOSES = {"{": "}", "<": ">"}


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
            raise self.error(f"{name} must be {listed} here; got {found.text}.", found.line)
        return found.text

    def flag(self, name: str, default: bool) -> bool:
        """Return a yes or no."""
        found = self._single(name)
        if found is None:
            return default
        if found.quoted or found.text not in _FLAGS:
            raise self.error(f"{name} must be true or false; got {found.text}.", found.line)
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
        plain = not scalar.quoted and re.fullmatch(
            r"-?(0[xX][0-9a-fA-F]{1,8}|\d{1,10})", scalar.text
        )
        value = None
        if plain:
            value = int(scalar.text, 16 if "x" in scalar.text.lower() else 10)
        if value is None or not low <= value <= _LARGEST:
            said = f"{name} must be a whole number of at least {low}; got {scalar.text:.40}."
            raise self.error(said, scalar.line)
        return value

    def _number(self, name: str, scalar: Scalar) -> float:
        try:
            value = float(scalar.text.rstrip("fF")) if not scalar.quoted else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(f"{name} must be a number; got {scalar.text:.40}.", scalar.line)
        return value


_FLAGS = {
    **dict.fromkeys(("true", "True", "t", "1"), True),
    **dict.fromkeys(("false", "False", "f", "0"), False),
}


def read_prototxt(path: Path) -> Message:
    """Read a file of protobuf's text form.

    Args:
        path: the file, of 4 MiB at most.

    Raises:
        WeightsError: not there, too large, no text, or no prototxt; with the line.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise WeightsError(
                f"{path} has more than {_MAX_BYTES >> 20} MiB: that is no network's description. "
                "Weights belong into a file whose name ends in .caffemodel."
            )
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise WeightsError(f"Could not read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise WeightsError(
            f"{path} is no text. A .prototxt describes a network in words; weights belong into a "
            "file whose name ends in .caffemodel."
        ) from error
    return _parsed(text, path)


def _parsed(text: str, path: Path) -> Message:
    """Build the tree with a stack of open messages, so that depth costs no recursion."""
    tokens = _Tokens(text, path)
    top = Message(path)
    open_messages = [(top, "")]
    while True:
        kind, found = tokens.take()
        message, closing = open_messages[-1]
        if kind == "end":
            if closing:
                raise message.error("what opens here is never closed: the file was cut.")
            return top
        if kind == "mark" and found == closing:
            open_messages.pop()
            continue
        if kind == "mark" and found in ",;":
            continue
        if kind != "word":
            raise tokens.error(f"a field's name was expected, and {found!r:.40} is there.")
        inner = _field(tokens, message, found)
        if inner is not None:
            open_messages.append(inner)
            if len(open_messages) > _MAX_DEPTH:
                raise tokens.error(f"more than {_MAX_DEPTH} braces within each other.")


def _field(tokens: _Tokens, message: Message, name: str) -> tuple[Message, str] | None:
    """Read what follows a field's name; return a message that was opened, and what closes it."""
    kind, found = tokens.take()
    colon = found == ":" and kind == "mark"
    if colon:
        kind, found = tokens.take()
    values = message.fields.setdefault(name, [])
    if kind == "mark" and found in _CLOSES:
        inner = Message(message.place, tokens.line)
        values.append(inner)
        return inner, _CLOSES[found]
    if not colon:
        raise tokens.error(f'":" or "{{" was expected after "{name}", and {found!r:.40} is there.')
    if kind == "mark" and found == "[":
        while (found := tokens.take())[1] != "]" or found[0] != "mark":
            if found != ("mark", ","):
                values.append(tokens.scalar(name, *found))
        return None
    values.append(tokens.scalar(name, kind, found))
    return None


class _Tokens:
    """The tokens of a text one by one, with the line of the last."""

    def __init__(self, text: str, path: Path) -> None:
        self.path, self.line = path, 1
        self._next = 1
        self._stream = self._tokens(text)
        self._waiting: tuple[str, str] | None = None

    def take(self) -> tuple[str, str]:
        """Return kind and text of the next token; kind "end" behind the last."""
        if self._waiting is not None:
            found, self._waiting = self._waiting, None
            return found
        return next(self._stream, ("end", ""))

    def scalar(self, name: str, kind: str, found: str) -> Scalar:
        """Return a plain value; texts that stand behind each other are one."""
        line = self.line
        if kind == "word":
            return Scalar(found, line)
        if kind != "string":
            there = "the end of the file" if kind == "end" else repr(found)
            raise self.error(f'a value of "{name}" was expected, and {there} is there.')
        parts: list[str] = []
        while kind == "string":
            parts.append(_ESCAPE.sub(_unescaped, found[1:-1]))
            kind, found = self.take()
        self._waiting = kind, found
        return Scalar("".join(parts), line, quoted=True)

    def error(self, said: str) -> WeightsError:
        """Return an error that begins with file and line."""
        return WeightsError(f"{self.path}, line {self.line}: {said}")

    def _tokens(self, text: str) -> Iterator[tuple[str, str]]:
        place = 0
        while place < len(text):
            found = _TOKEN.match(text, place)
            self.line = self._next
            if found is None:
                raise self.error(f"{text[place : place + 20]!r} is no part of a prototxt.")
            place = found.end()
            self._next += found[0].count("\n")
            if found.lastgroup != "space":
                yield str(found.lastgroup), found[0]


def _unescaped(found: re.Match[str]) -> str:
    said = found[1]
    if said[0] in "01234567":
        return chr(int(said, 8))
    if said[0] in "xX" and len(said) > 1:
        return chr(int(said[1:], 16))
    return _ESCAPES.get(said, said)
