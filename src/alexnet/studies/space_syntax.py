"""The syntax of a search space: `--vary lr=1e-4..1e-1:log activation=relu,tanh`, or a file."""

from __future__ import annotations

import json
import tomllib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

from alexnet.errors import RecipeError, did_you_mean
from alexnet.files import read_json
from alexnet.reading import MAX_SETTINGS_BYTES, LimitExceeded, read_limited
from alexnet.recipe import Choices, Domain, Range, Recipe, Scale
from alexnet.studies.space import EXCLUDED, SEARCHABLE, Dimension, SearchSpace

__all__ = ["parse_space", "read_space"]

_MOST_CHOICES = 10_000  # each is tried in a recipe

_HINT = 'Write for example "lr=1e-4..1e-1:log", "dropout=0.2..0.8" or "activation=relu,tanh".'


def parse_space(texts: Sequence[str], recipe: Recipe) -> SearchSpace:
    """Parse the arguments of `--vary`.

    Args:
        texts: each FIELD (with its default bounds), FIELD=LOW..HIGH, FIELD=LOW..HIGH:SCALE with
            the scale linear or log, or FIELD=CHOICE,CHOICE.
        recipe: of the study.

    Raises:
        RecipeError: a field that is unknown, cannot vary or is named twice; bounds that are no
            numbers, in the wrong order, or that the recipe refuses.
    """
    dimensions: dict[str, Dimension] = {}
    for text in texts:
        field, equals, domain = text.partition("=")
        _require_searchable(field)
        if field in dimensions:
            raise RecipeError(f"{field} is to vary twice. Name it once.")
        dimensions[field] = Dimension(
            field, _parse_domain(field, domain, text) if equals else SEARCHABLE[field].domain
        )
    return SearchSpace.of(list(dimensions.values()), recipe)


def read_space(path: Path, recipe: Recipe) -> SearchSpace:
    """Read a search space from a JSON or TOML file.

    The file holds an object: for each field a text as behind `--vary` ("1e-4..1e-1:log"), a list of
    choices, or true for its default bounds.

    Raises:
        RecipeError: no such file, no object, or what `parse_space` refuses; the file is named.
    """
    if path.suffix == ".toml":
        entries = _read_toml(path)
    elif path.suffix == ".json":
        entries = read_json(path, RecipeError, most=MAX_SETTINGS_BYTES)
    else:
        raise RecipeError(f"{path} is no search space: a .json or .toml file is expected.")
    if not isinstance(entries, dict):
        raise RecipeError(
            f"{path} holds no search space: an object of fields is expected, such as "
            '{"lr": "1e-4..1e-1:log", "activation": ["relu", "tanh"]}.'
        )
    try:
        return _parse_entries(cast("dict[str, Any]", entries), recipe)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def _parse_entries(entries: Mapping[str, Any], recipe: Recipe) -> SearchSpace:
    dimensions: list[Dimension] = []
    for field, entry in entries.items():
        _require_searchable(field)
        domain: Domain
        if entry is True:
            domain = SEARCHABLE[field].domain
        elif isinstance(entry, str):
            domain = _parse_domain(field, entry, f"{field}={entry}")
        elif isinstance(entry, list):
            domain = _choices(field, cast("list[Any]", entry))
        else:
            raise RecipeError(
                f"{field} is {json.dumps(entry, default=str)}, and neither a text, a list of "
                f"choices nor true. {_HINT}"
            )
        dimensions.append(Dimension(field, domain))
    return SearchSpace.of(dimensions, recipe)


def _read_toml(path: Path) -> object:
    try:
        return tomllib.loads(read_limited(path, MAX_SETTINGS_BYTES).decode("utf-8"))
    except LimitExceeded as cause:
        raise RecipeError(f"{path} is not read: {cause}. Name another file.") from cause
    except OSError as cause:
        raise RecipeError(f"Could not read {path}: {cause.strerror}.") from cause
    except ValueError as cause:
        raise RecipeError(f"{path} is not a whole TOML file ({cause}). Mend it.") from cause


def _require_searchable(field: str) -> None:
    if field in EXCLUDED:
        raise RecipeError(
            f"{field} cannot vary in a search: {EXCLUDED[field]}. "
            f"Give it one value: --{field.replace('_', '-')}."
        )
    if field not in SEARCHABLE:
        raise RecipeError(
            f'A recipe has no field "{field}" that can vary.{did_you_mean(field, SEARCHABLE)} '
            f"Fields: {', '.join(SEARCHABLE)}. {_HINT}"
        )


def _parse_domain(field: str, text: str, whole_text: str) -> Domain:
    if ".." in text:
        return _parse_range(field, text, whole_text)
    parts = [part.strip() for part in text.split(",")]
    if not text or not all(parts):
        raise RecipeError(f'"{whole_text}" names no values. {_HINT}')
    return _choices(field, [_parse_choice(field, part, whole_text) for part in parts])


def _parse_range(field: str, text: str, whole_text: str) -> Range:
    """Read LOW..HIGH or LOW..HIGH:SCALE."""
    default = SEARCHABLE[field].domain
    if not isinstance(default, Range):
        names = ", ".join(_format(value) for value in default.values)
        raise RecipeError(
            f'"{whole_text}" is a range, and {field} is chosen among {names}. '
            f"Write {field}={','.join(_format(value) for value in default.values[:2])}."
        )
    bounds, _, scale = text.partition(":")
    scale = scale or default.scale
    if scale not in get_args(Scale):
        raise RecipeError(
            f'"{whole_text}" has the scale "{scale}".{did_you_mean(scale, get_args(Scale))} '
            "Scales: linear, log."
        )
    low_text, _, high_text = bounds.partition("..")
    low, high = (_parse_number(bound, whole_text) for bound in (low_text, high_text))
    if default.whole and not (low.is_integer() and high.is_integer()):
        raise RecipeError(f'"{whole_text}": {field} is a whole number, and so are its bounds.')
    if not low < high:
        raise RecipeError(
            f'"{whole_text}" leaves nothing between {low_text} and {high_text}. '
            "Write the lower bound first, and a higher one behind it."
        )
    if scale == "log" and low <= 0:
        raise RecipeError(
            f'"{whole_text}": a log scale begins above 0. Raise the lower bound, or write '
            f"{field}={bounds}:linear."
        )
    return Range(low, high, cast("Scale", scale), default.whole)


def _choices(field: str, values: Sequence[Any]) -> Choices:
    if len(values) < 2:
        flag = f"--{field.replace('_', '-')}"
        shown = _format(values[0]) if values else "VALUE"
        raise RecipeError(
            f"{field} has {'one choice' if values else 'no choice'}, so it would not vary. Name "
            f"two, or fix it with {flag} {shown}."
        )
    if len(values) > _MOST_CHOICES:
        raise RecipeError(
            f"{field} has {len(values):,} choices, and the limit is {_MOST_CHOICES:,}. Write "
            "bounds, or fewer choices."
        )
    types = (bool, int, float, str)
    if not all(isinstance(value, types) for value in values) or len(set(values)) < len(values):
        raise RecipeError(
            f"{field} has the choices {json.dumps(values, default=str)}. Plain values are "
            "expected, each once."
        )
    return Choices(tuple(values))


def _parse_choice(field: str, text: str, whole_text: str) -> Any:
    """Parse one choice as the field's type: a number, yes or no, or a word."""
    hint = typing.get_type_hints(Recipe)[field]
    types = set(get_args(hint) or (hint,))
    if bool in types:
        known = {"yes": True, "true": True, "no": False, "false": False}
        if text.lower() not in known:
            raise RecipeError(f'"{whole_text}": {field} is yes or no, not "{text}".')
        return known[text.lower()]
    if types & {int, float}:
        number = _parse_number(text, whole_text)
        return int(number) if int in types and number.is_integer() else number
    return text


def _parse_number(text: str, whole_text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if number - number != 0:  # infinite or NaN
        raise RecipeError(f'"{whole_text}": "{text.strip()}" is not a number. {_HINT}')
    return number


def _format(value: Any) -> str:
    words: dict[Literal[True, False], str] = {True: "yes", False: "no"}
    return words[value] if isinstance(value, bool) else str(value)
