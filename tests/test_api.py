"""Python and shell are one: a verb is a function, and its command has the same parameters."""

from __future__ import annotations

import ast
import inspect
import typing
from pathlib import Path

import pytest

import alexnet
from alexnet.cli.commands import VERBS
from alexnet.cli.main import build_app
from alexnet.recipe import Recipe, RecipeChanges
from alexnet.records import Record

EVERY_VERB = pytest.mark.parametrize("name", VERBS)


def parameters(function) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


@EVERY_VERB
def test_a_command_takes_what_its_function_takes(name):
    found = parameters(getattr(alexnet, VERBS[name].python))
    wanted = set(found) - {"changes"}
    if "changes" in found:
        wanted |= set(RecipeChanges.__annotations__)
    collection = build_app([name])[name].assemble_argument_collection(parse_docstring=True)
    taken = [each for each in collection if each.names]
    assert {each.field_info.name for each in taken} == wanted
    for each in taken:
        assert each.parameter.help, f"the help of {each.names} is empty"
        if each.field_info.is_keyword_only:
            assert f"--{each.field_info.name.replace('_', '-')}" in each.names


@EVERY_VERB
def test_a_function_keeps_the_promises_of_the_table(name):
    own = VERBS[name].python
    function = getattr(alexnet, own)
    assert (function.__name__, function.__module__) == (own, f"alexnet.cli.{own}")
    first = inspect.getdoc(function).partition("\n\n")[0].replace("\n", " ")
    assert first == VERBS[name].help
    kinds = typing.get_type_hints(function)["return"]
    assert all(issubclass(kind, Record) for kind in typing.get_args(kinds) or (kinds,))


@EVERY_VERB
def test_what_shows_the_answer_takes_record_and_console(name):
    module, _, function = VERBS[name].show.partition(":")
    tree = ast.parse(
        (Path(alexnet.__file__).parent / "cli" / f"{module.split('.')[-1]}.py").read_text("utf-8")
    )
    (found,) = [each for each in tree.body if getattr(each, "name", None) == function]
    assert [each.annotation.id for each in found.args.args[1:]] == ["Console"]


def test_every_field_of_a_recipe_is_a_flag():
    flags, fields = typing.get_type_hints(RecipeChanges), typing.get_type_hints(Recipe)
    assert flags.pop("lr") == fields.pop("lr") | typing.Literal["auto"]  # train makes it a number
    assert flags == fields


def test_every_public_name_is_there():
    for name in alexnet.__all__:
        assert getattr(alexnet, name) is not None
    assert set(alexnet.__all__) <= set(dir(alexnet))
    tree = ast.parse(Path(alexnet.__file__).read_text("utf-8"))
    (block,) = [each for each in tree.body if isinstance(each, ast.If)]
    typed = {alias.name for each in block.body for alias in each.names}
    assert typed == set(alexnet.__all__)


def test_an_unknown_name_is_an_error_of_attributes():
    with pytest.raises(AttributeError, match="module 'alexnet' has no attribute 'trian'"):
        alexnet.trian  # noqa: B018
