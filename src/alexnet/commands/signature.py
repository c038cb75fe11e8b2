"""What the signatures of the verbs tell the command line beyond plain types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar, Unpack

from cyclopts import Group, Parameter

from alexnet.recipe import RecipeChanges

__all__ = ["Place", "Places", "optional_path", "recipe_flags"]

Place = Annotated[Path | str, Parameter(metavar="PATH")]
"""Where something lies; from Python a text will do."""

Places = Annotated[
    tuple[Path | str, ...], Parameter(metavar="PATH", consume_multiple=False, show_default=False)
]
"""Several of them, the flag once for each: what follows may be another argument of the verb."""

_Verb = TypeVar("_Verb", bound=Callable[..., object])

_RECIPE = Group("Recipe", help="What is not given is as the recipe has it.", sort_key=1)


def recipe_flags(verb: _Verb) -> _Verb:
    """Show the fields of the recipe, that `verb` takes as `**changes`, as a group of their own.

    Type checkers accept nothing around the `Unpack` of a keyword parameter, hence not by hand.
    """
    fields = Unpack[RecipeChanges]
    verb.__annotations__["changes"] = Annotated[fields, Parameter(group=_RECIPE)]
    return verb


def optional_path(place: Path | str | None) -> Path | None:
    """Return the path that a text or a path stands for, if there is one."""
    return None if place is None else Path(place)
