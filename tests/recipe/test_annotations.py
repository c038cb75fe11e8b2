from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from alexnet.recipe import choices, describe_type

ResizeMode = Literal["crop", "squash", "pad"]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (ResizeMode, ("crop", "squash", "pad")),
        (ResizeMode | None, ("crop", "squash", "pad")),
        (tuple[Literal[1, 5], ...], (1, 5)),
        (int, ()),
        (int | None, ()),
    ],
)
def test_choices_are_those_of_the_literal(kind, found):
    assert choices(kind) == found


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (int, "a whole number"),
        (float | None, "a number or none"),
        (bool, "true or false"),
        (Path | str, "a path or a text"),
        (ResizeMode, '"crop", "squash" or "pad"'),
        (Literal["auto"], '"auto"'),
        (Literal[1, 5, 10], "1, 5 or 10"),
        (tuple[str, ...], "a list, each a text"),
        (bytes, "something else"),
    ],
)
def test_types_are_described(kind, words):
    assert describe_type(kind) == words
