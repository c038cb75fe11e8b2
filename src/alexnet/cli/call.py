"""A parsed command line, whoever parsed it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alexnet.records import Record

__all__ = ["DASH", "Call", "GlobalOptions"]

DASH = "\0-"
"""A lone "-", standard input or output: cyclopts 5 takes that for an option."""


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


def _restore_dash(argument: Any) -> Any:
    return type(argument)("-") if argument in (DASH, Path(DASH)) else argument
