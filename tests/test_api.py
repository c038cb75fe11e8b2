"""A verb is a function, and its command has the same parameters."""

from __future__ import annotations

import importlib
import inspect
import typing

import pytest
from rich.console import Console

import alexnet
from alexnet.cli.commands import VERBS
from alexnet.cli.parser import build_app
from alexnet.recipe import Recipe, RecipeChanges
from alexnet.records import Record

EVERY_VERB = pytest.mark.parametrize("name", VERBS)


def parameters(function) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


@EVERY_VERB
def test_a_command_takes_what_its_function_takes(name):
    expected = set(parameters(getattr(alexnet, VERBS[name].python)))
    if "changes" in expected:
        expected = expected - {"changes"} | set(RecipeChanges.__annotations__)
    collection = build_app([name])[name].assemble_argument_collection(parse_docstring=True)
    arguments = [argument for argument in collection if argument.names]
    assert {argument.field_info.name for argument in arguments} == expected
    for argument in arguments:
        assert argument.parameter.help, f"the help of {argument.names} is empty"
        if argument.field_info.is_keyword_only:
            name = argument.field_info.name.rstrip("_").replace(
                "_", "-"
            )  # from_ is a keyword in Python
            assert f"--{name}" in argument.names


@EVERY_VERB
def test_a_function_is_as_the_table_says(name):
    python_name = VERBS[name].python
    function = getattr(alexnet, python_name)
    assert function.__name__ == python_name
    assert function.__module__ == f"alexnet.commands.{python_name}"
    first = inspect.getdoc(function).partition("\n\n")[0].replace("\n", " ")
    assert first == VERBS[name].help
    returned = typing.get_type_hints(function)["return"]
    assert all(issubclass(cls, Record) for cls in typing.get_args(returned) or (returned,))


@EVERY_VERB
def test_a_renderer_takes_record_and_console(name):
    module, _, function = VERBS[name].render.partition(":")
    hints = typing.get_type_hints(getattr(importlib.import_module(module), function))
    verb = typing.get_type_hints(getattr(alexnet, VERBS[name].python))
    record, console, _ = hints.values()
    returned = set(typing.get_args(verb["return"])) or {verb["return"]}
    assert returned <= (set(typing.get_args(record)) or {record})
    assert console is Console


def test_every_field_of_a_recipe_is_a_flag():
    flags, fields = typing.get_type_hints(RecipeChanges), typing.get_type_hints(Recipe)
    assert flags.pop("lr") == fields.pop("lr") | typing.Literal["auto"]  # train makes it a number
    assert flags == fields


def test_every_public_name_exists():
    for name in alexnet.__all__:
        assert getattr(alexnet, name) is not None
    assert set(alexnet.__all__) <= set(dir(alexnet))


def test_unknown_names_raise_attribute_errors():
    with pytest.raises(AttributeError, match="No alexnet attribute trian"):
        alexnet.trian  # noqa: B018
