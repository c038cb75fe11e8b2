"""Fill the tables of the docs from the code, so that each fact is written once.

A page marks the place of a table and is otherwise written by hand:

    <!-- options train -->      the parameters of a verb, from its signature and docstring
    <!-- fields -->             the fields of a recipe
    <!-- searchable -->            the fields that a search can vary
    <!-- recipes -->            where the named recipes differ from the defaults
    <!-- models -->             the networks, their images and their parameters
    <!-- verbs -->              the verbs, each with the sentence of its help
    <!-- rooms -->              the rooms, each with the sentence of its face
    ...
    <!-- end -->

`make tables` runs this file; the tests hold every page against `filled`.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import os
import re
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from docstring_parser import DocstringStyle, parse

import alexnet
from alexnet.cli.commands import VERBS
from alexnet.models import MODELS, model_list
from alexnet.recipe import Range, Recipe, choices, recipe_help, search_defaults
from alexnet.recipes import RECIPES

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

_PLACE = re.compile(r"(<!-- (?P<what>[a-z]+)(?: (?P<of>\w+))? -->\n).*?(<!-- end -->)", re.S)


def filled(text: str, page: Path) -> str:
    """Return a page with every marked table as the code has it now."""

    def table(found: re.Match[str]) -> str:
        make = TABLES[found["what"]]
        rows = make(found["of"], page) if found["of"] else make(page)
        return f"{found[1]}{rows}\n{found[4]}"

    return _PLACE.sub(table, text)


def options(verb: str, page: Path) -> str:
    """List the parameters of a verb as the command line has them."""
    module, _, name = VERBS[verb].function.partition(":")
    function = getattr(importlib.import_module(module), name)
    said = parse(inspect.getdoc(function) or "", style=DocstringStyle.GOOGLE)
    words = {each.arg_name.lstrip("*"): each.description or "" for each in said.params}
    hints = typing.get_type_hints(function)
    rows: list[tuple[str, ...]] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            there = _link(page, "docs/rooms/recipe.md")
            rows.append((f"[fields of the recipe]({there})", "", "as flags, such as `--epochs 20`"))
            continue
        many = "..." if parameter.kind is parameter.VAR_POSITIONAL else ""
        placed = parameter.kind is not parameter.KEYWORD_ONLY
        shown = f"`{name.upper()}{many}`" if placed else f"`--{name.rstrip('_').replace('_', '-')}`"
        rows.append((shown, _value(parameter.default, hints[name]), _one_line(words[name])))
    return _table(("option", "value", "what it is"), rows)


def fields(page: Path) -> str:
    """List the fields of a recipe with their defaults."""
    words = recipe_help()
    hints = typing.get_type_hints(Recipe)
    rows = [
        (f"`{each.name}`", _value(each.default, hints[each.name]), words[each.name])
        for each in dataclasses.fields(Recipe)
    ]
    return _table(("field", "default", "what it shapes"), rows)


def searchable(page: Path) -> str:
    """List the fields that a search can vary, with scale, bounds and condition."""
    rows: list[tuple[str, ...]] = []
    for name, each in search_defaults().items():
        condition = each.only_with.words if each.only_with else ""
        if isinstance(each.domain, Range):
            values = f"{each.domain.low:g} to {each.domain.high:g}"
            scale = each.domain.scale + (", whole" if each.domain.whole else "")
        else:
            values, scale = ", ".join(map(_plain, each.domain.values)), "choices"
        usual = "" if each.usual is None else "yes"
        rows.append((f"`{name}`", values, scale, condition, usual))
    return _table(("field", "values", "scale", "only with", "by default"), rows)


def recipes(page: Path) -> str:
    """Set the named recipes side by side, where any differs from the defaults."""
    made = {name: make() for name, make in RECIPES.items()}
    rows: list[tuple[str, ...]] = []
    for each in dataclasses.fields(Recipe):
        values = [getattr(recipe, each.name) for recipe in made.values()]
        if any(value != each.default for value in values):
            shown = ["" if value == each.default else _plain(value) for value in values]
            rows.append((f"`{each.name}`", _plain(each.default), *shown))
    return _table(("field", "default", *(f"`{name}`" for name in made)), rows)


def models(page: Path) -> str:
    """List the networks, as `alexnet describe` does."""
    rows = [
        (
            f"`{each.name}`",
            f"{each.image_px} / {each.crop_px}",
            f"{each.classes:,}",
            f"{each.parameters:,}",
            _sentence(MODELS[each.name]),
        )
        for each in model_list().models
    ]
    return _table(("model", "image / crop", "classes", "parameters", "what it is"), rows)


def verbs(page: Path) -> str:
    """List the verbs, each with its page."""
    rows = [
        (f"[`{verb.name}`]({_link(page, f'docs/verbs/{verb.name}.md')})", verb.help)
        for verb in VERBS.values()
    ]
    return _table(("verb", "what it does"), rows)


def rooms(page: Path) -> str:
    """List the rooms, each with its page and the first sentence of its face."""
    faces = sorted(Path(alexnet.__file__).parent.glob("*/__init__.py"))
    rows: list[tuple[str, ...]] = []
    for face in faces:
        said = ast.get_docstring(ast.parse(face.read_text("utf-8"))) or ""
        name = face.parent.name
        link = f"[`{name}`]({_link(page, f'docs/rooms/{name}.md')})"
        rows.append((link, _one_line(said.partition("\n\n")[0])))
    return _table(("room", "what it is for"), rows)


TABLES: dict[str, Callable[..., str]] = {
    "options": options,
    "fields": fields,
    "searchable": searchable,
    "recipes": recipes,
    "models": models,
    "verbs": verbs,
    "rooms": rooms,
}


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _value(default: Any, kind: Any) -> str:
    """Return choices and default as one cell; the default stands first."""
    offered = choices(kind)
    if default is inspect.Parameter.empty:
        return "needed" if not offered else _either(offered)
    if not offered:
        return _plain(default)
    others = [each for each in offered if each != default]
    return " \\| ".join([f"**{_plain(default)}**", *map(_plain, others)])


def _either(offered: Iterable[object]) -> str:
    return " \\| ".join(map(_plain, offered))


def _plain(value: object) -> str:
    """Return a value as people write it on a command line."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _sentence(thing: object) -> str:
    return _one_line((inspect.getdoc(thing) or "").partition("\n\n")[0])


def _one_line(text: str) -> str:
    """Return text as a table's cell takes it."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


def _link(page: Path, target: str) -> str:
    return Path(os.path.relpath(ROOT / target, page.parent)).as_posix()


if __name__ == "__main__":
    for page in PAGES:
        text = page.read_text("utf-8")
        if (new := filled(text, page)) != text:
            page.write_text(new, "utf-8")
