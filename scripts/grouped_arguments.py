"""Docstrings may describe arguments together (`alpha, beta, k: ...`); griffe wants one a line.

An extension of griffe, which mkdocs.yml names. Each of the names gets the sentence, so that griffe
can still say which names a signature does not have.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Class, Extension, Function

_GROUP = re.compile(
    r"^(?P<indent> +)(?P<names>\w+(?:, \w+)+): (?P<text>.*\n(?:(?P=indent) +.*(?:\n|$))*)", re.M
)


class GroupedArguments(Extension):
    """Write `a, b: text` as `a: text` and `b: text` in the docstring of a function or class."""

    def on_function(self, *, func: Function, **_: Any) -> None:
        """Change the docstring of a function."""
        _separate(func)

    def on_class(self, *, cls: Class, **_: Any) -> None:
        """Change the docstring of a class."""
        _separate(cls)


def _separate(described: Function | Class) -> None:
    if described.docstring is None:
        return
    head, mark, arguments = described.docstring.value.partition("\nArgs:\n")
    lines, gap, rest = arguments.partition("\n\n")
    separate = _GROUP.sub(
        lambda group: "".join(
            f"{group['indent']}{name}: {group['text'].rstrip()}\n"
            for name in group["names"].split(", ")
        ),
        lines + "\n",
    )
    described.docstring.value = head + mark + separate.removesuffix("\n") + gap + rest
