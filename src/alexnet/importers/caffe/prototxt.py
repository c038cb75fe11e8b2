"""Reading prototxt: protobuf's text format, by its published grammar, without a schema.

A parser of our own and not the protobuf library's, because Caffe's forks add fields, types and
words of their own, and so that each value keeps its line.

    name: "value" "and more"  layer { ... }  layer: < ... >  dim: [1, 2]  layer [{ ... }, { ... }]
    a: 1; b: 0x1F, c: 017  # a comment
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alexnet.errors import WeightsError
from alexnet.importers.caffe.message import Message, Scalar

__all__ = ["read_prototxt"]

_MAX_BYTES = 4 << 20  # ResNet of 152 layers has 0.1 MB
_MAX_DEPTH = 20

_TOKEN = re.compile(
    r"""(?P<space>(?:[ \t\r\n\f\v]+|\#[^\n]*)+)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<word>[A-Za-z0-9_.+\-]+)
    | (?P<mark>[{}<>:;,\[\]])""",
    re.X,
)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ESCAPE = re.compile(
    r"\\([0-7]{1,3}|[xX][0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|([^\\]+)"
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_CLOSES = {"{": "}", "<": ">"}


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
    return _parsed(_Tokens(text, path))


@dataclass
class _Open:
    """What is open: the braces of a message, or the brackets of a list of one field's values."""

    message: Message
    closing: str  # "" for the file itself
    field: str | None = None  # of a list
    wants_value: bool = False  # in a list: behind a comma
    colon: bool = True  # before a list: without it, messages alone may stand in it


def _parsed(tokens: _Tokens) -> Message:
    """Build the tree with a stack of what is open, so that depth costs no recursion."""
    top = Message(tokens.path)
    stack = [_Open(top, "")]
    while True:
        kind, found = tokens.take()
        inner = stack[-1]
        if kind == "end":
            if inner.closing:
                raise _unclosed(tokens, inner)
            return top
        if kind == "mark" and found == inner.closing and not inner.wants_value:
            stack.pop()
            continue
        if inner.field is not None:
            opened = _listed_value(tokens, inner, kind, found)
        elif kind == "mark" and found in ",;":
            continue
        elif kind != "word" or not _NAME.fullmatch(found):
            raise tokens.error(f"a field's name was expected, and {found!r:.40} is there.")
        else:
            opened = _field(tokens, inner.message, found)
        if opened is not None:
            stack.append(opened)
            if len(stack) > _MAX_DEPTH:
                raise tokens.error(f"more than {_MAX_DEPTH} braces within each other.")


def _unclosed(tokens: _Tokens, inner: _Open) -> WeightsError:
    if inner.field is None:
        return inner.message.error("what opens here is never closed: the file was cut.")
    return tokens.error(
        f'a value of "{inner.field}" was expected, and the end of the file is there.'
    )


def _field(tokens: _Tokens, message: Message, name: str) -> _Open | None:
    """Read what follows a field's name; return what was opened by it."""
    kind, found = tokens.take()
    colon = found == ":" and kind == "mark"
    if colon:
        kind, found = tokens.take()
    values = message.fields.setdefault(name, [])
    if kind == "mark" and found in _CLOSES:
        return _message(tokens, message, name, found)
    if kind == "mark" and found == "[":
        return _Open(message, "]", name, colon=colon)
    if not colon:
        raise tokens.error(f'":" or "{{" was expected after "{name}", and {found!r:.40} is there.')
    values.append(tokens.scalar(name, kind, found))
    return None


def _listed_value(tokens: _Tokens, inner: _Open, kind: str, found: str) -> _Open | None:
    """Read one value of a list, and the comma or what closes it behind it."""
    assert inner.field is not None
    values, name = inner.message.fields[inner.field], inner.field
    if (kind, found) == ("mark", ",") and values and not inner.wants_value:
        inner.wants_value = True  # behind a message, which was closed by itself
        return None
    inner.wants_value = False
    if kind == "mark" and found in _CLOSES:
        return _message(tokens, inner.message, name, found)
    if not inner.colon:
        raise tokens.error(f'":" was expected between "{name}" and its list of values.')
    values.append(tokens.scalar(name, kind, found))
    kind, found = tokens.take()
    if (kind, found) == ("mark", ","):
        inner.wants_value = True
    elif (kind, found) == ("mark", "]"):
        tokens.put_back(kind, found)
    else:
        there = "the end of the file" if kind == "end" else repr(found)[:40]
        raise tokens.error(f'"," or "]" was expected in "{name}", and {there} is there.')
    return None


def _message(tokens: _Tokens, message: Message, name: str, mark: str) -> _Open:
    inner = Message(message.place, tokens.line)
    message.fields[name].append(inner)
    return _Open(inner, _CLOSES[mark])


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

    def put_back(self, kind: str, found: str) -> None:
        """Let a token be the next once more."""
        self._waiting = kind, found

    def scalar(self, name: str, kind: str, found: str) -> Scalar:
        """Return a plain value; texts that stand behind each other are one."""
        line = self.line
        if kind == "word":
            if found == "-":  # the sign may stand by itself
                kind, found = self.take()
                found = f"-{found}" if kind == "word" else "-"
            return Scalar(found, line)
        if kind != "string":
            there = "the end of the file" if kind == "end" else repr(found)
            raise self.error(f'a value of "{name}" was expected, and {there} is there.')
        parts: list[bytes] = []
        while kind == "string":
            parts += [_unescaped(part) for part in _ESCAPE.finditer(found[1:-1])]
            kind, found = self.take()
        self.put_back(kind, found)
        return Scalar(b"".join(parts).decode("utf-8", "replace"), line, quoted=True)

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


def _unescaped(part: re.Match[str]) -> bytes:
    """Return the bytes of a piece of a text; escapes are bytes, of which two may be a letter."""
    said, plain = part.groups()
    if plain is not None:
        return plain.encode("utf-8", "replace")
    if said[0] in "01234567":
        return bytes([int(said, 8) & 255])
    if said[0] in "xX" and len(said) > 1:
        return bytes([int(said[1:], 16)])
    if said[0] in "uU" and len(said) > 1:
        code = int(said[1:], 16)
        return (chr(code) if code < 0x110000 else "\ufffd").encode("utf-8", "replace")
    return _ESCAPES.get(said, said).encode("utf-8", "replace")
