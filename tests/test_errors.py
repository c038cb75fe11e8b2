"""The errors that a user can meet: a tree, exit codes, and the names that were perhaps meant."""

from __future__ import annotations

import difflib
import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet import errors
from alexnet.errors import (
    AlexNetError,
    Diverged,
    Interrupted,
    RecipeError,
    RunError,
    SourceError,
    WeightsError,
    did_you_mean,
)

CLASSES = [
    each
    for each in vars(errors).values()
    if inspect.isclass(each) and issubclass(each, AlexNetError)
]


def test_the_tree_is_the_one_that_is_drawn():
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^([│├└─ ]*)([A-Z]\w+)(?:\s|$)", line)
        if found is None or found[2] not in errors.__all__:
            continue
        depth = len(found[1])
        above = [each for each in above if each[0] < depth]
        drawn[found[2]] = above[-1][1] if above else "Exception"
        above.append((depth, found[2]))
    assert drawn == {each.__name__: each.__base__.__name__ for each in CLASSES}


def test_all_are_public_and_documented():
    assert set(errors.__all__) == {each.__name__ for each in CLASSES} | {
        *("did_you_mean", "is_out_of_memory")
    }
    assert all(each.__doc__ for each in CLASSES)


@pytest.mark.parametrize("error", CLASSES)
def test_a_message_is_the_sentence_alone(error):
    assert str(error("There is no cat. Get one.")) == "There is no cat. Get one."
    assert issubclass(error, AlexNetError)


def test_only_what_can_go_on_has_a_code_of_its_own():
    assert {each.__name__: each.exit_code for each in CLASSES} == {
        **dict.fromkeys([each.__name__ for each in CLASSES], 2),
        "Interrupted": 3,
    }
    assert issubclass(Diverged, RunError)
    assert issubclass(Interrupted, RunError)
    siblings = (SourceError, RecipeError, WeightsError, RunError)
    assert not any(issubclass(a, b) for a in siblings for b in siblings if a is not b)


@pytest.mark.parametrize(
    ("name", "known", "words"),
    [
        ("alexnt", ["alexnet", "mlp"], ' Did you mean "alexnet"?'),
        ("conv", ["conv1", "conv2", "fc6"], ' Did you mean "conv2" or "conv1"?'),
        ("zebra", ["alexnet", "mlp"], ""),
        ("x", [], ""),
        ("", ["alexnet"], ""),
    ],
)
def test_near_names_are_suggested(name, known, words):
    assert did_you_mean(name, known) == words


NAMES = st.text("abcdefg_123", min_size=1, max_size=10)


@given(NAMES, st.lists(NAMES, unique=True))
def test_suggestions_are_known_names_the_nearest_first(name, known):
    said = did_you_mean(name, iter(known))
    found = re.findall(r'"([^"]*)"', said)
    assert set(found) <= set(known)
    assert len(found) <= 3
    likeness = [difflib.SequenceMatcher(None, each, name).ratio() for each in found]
    assert likeness == sorted(likeness, reverse=True)
    assert all(each >= 0.5 for each in likeness)
    listed = " or ".join(f'"{each}"' for each in found)
    assert said == (f" Did you mean {listed}?" if found else "")
    if name in known:
        assert found[0] == name
