"""The signatures of the verbs as cyclopts reads them: metavars, groups, and the recipe's flags.

A verb in `commands` knows nothing of the command line. Its flags follow from the names, types and
docstrings of its parameters.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypedDict, Unpack, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter

from alexnet.cli.commands import VERBS
from alexnet.recipe import WITH_WEIGHTS, RecipeChanges, recipe_help

__all__ = ["as_command", "command_of"]

_RECIPE = Group("Recipe", help="The default of each is the recipe's.", sort_key=1)
_REFUSED = {"finetune": (*WITH_WEIGHTS, "lr")}
"""Fields of the recipe that a verb refuses: with a sentence, and not in its help."""

_METAVARS = {"vary": "FIELD=VALUES", "name_encoding": "ENCODING", "cluster": "ADDRESS"}


def command_of(name: str) -> Callable[..., Any]:
    """Import the function of a verb and return it as a command.

    Args:
        name: of the verb, as `VERBS` has it.
    """
    module, _, function = VERBS[name].function.partition(":")
    return as_command(getattr(importlib.import_module(module), function))


def as_command(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls `verb`, with the annotations that cyclopts reads."""

    @functools.wraps(verb)
    def command(*args: Any, **kwargs: Any) -> Any:
        return verb(*args, **kwargs)

    hints = get_type_hints(verb, include_extras=True)
    refused = _REFUSED.get(getattr(verb, "__name__", ""), ())
    command.__annotations__ = {
        name: _recipe_group(refused) if hint == Unpack[RecipeChanges] else _annotated(name, hint)
        for name, hint in hints.items()
    }
    return command


def _annotated(name: str, hint: Any) -> Any:
    """Return the annotation of a parameter, from its name and type."""
    if get_origin(hint) is tuple and Path in get_args(get_args(hint)[0]):
        # The flag once for each path: what follows one may be another argument of the verb.
        return Annotated[
            hint, Parameter(metavar="PATH", consume_multiple=False, show_default=False)
        ]
    if get_origin(hint) is tuple:
        return Annotated[hint, Parameter(metavar=_METAVARS.get(name), show_default=False)]
    if Path in get_args(hint):
        return Annotated[hint, Parameter(metavar="PATH")]
    return Annotated[hint, Parameter(metavar=_METAVARS[name])] if name in _METAVARS else hint


def _recipe_group(refused: tuple[str, ...]) -> Any:
    return Annotated[Unpack[_recipe_flags(refused)], Parameter(group=_RECIPE)]  # type: ignore[misc]


@functools.cache
def _recipe_flags(refused: tuple[str, ...]) -> Any:
    """Return the fields of the recipe with their helps: `RecipeChanges` for cyclopts."""
    helps = recipe_help()
    fields = {
        name: Annotated[
            _annotated(name, hint), Parameter(help=helps[name], show=name not in refused)
        ]
        for name, hint in get_type_hints(RecipeChanges).items()
    }
    make: Any = TypedDict  # from names that no type checker can know
    return make("RecipeFlags", fields, total=False)


def __getattr__(name: str) -> Callable[..., Any]:
    """Return a verb's command by the name of its function, which cyclopts imports lazily."""
    for verb in VERBS.values():
        if verb.python == name:
            return command_of(verb.name)
    raise AttributeError(name)
