from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from alexnet.recipe import choices, kind_in_words

Fit = Literal["crop", "squash", "pad"]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (Fit, ("crop", "squash", "pad")),
        (Fit | None, ("crop", "squash", "pad")),
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
        (Fit, '"crop", "squash" or "pad"'),
        (Literal["auto"], '"auto"'),
        (Literal[1, 5, 10], "1, 5 or 10"),
        (tuple[str, ...], "a list, each a text"),
        (bytes, "something else"),
    ],
)
def test_kinds_are_said_in_words(kind, words):
    assert kind_in_words(kind) == words
