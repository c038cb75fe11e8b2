"""Records are frozen values that become strict JSON."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
import typing
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from alexnet import records
from alexnet.evaluation import compute_metrics
from alexnet.records import (
    Epoch,
    Interval,
    Prediction,
    Predictions,
    Record,
    Results,
    plain_values,
)

PUBLIC = [getattr(records, name) for name in records.__all__]
CLASSES = [each for each in PUBLIC if inspect.isclass(each) and issubclass(each, Record)]


def strategy(kind: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation of a record's field; floats that are not finite among them."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return st.none() | st.integers() | st.text(max_size=5)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is list:
        return st.lists(strategy(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(strategy(arguments[0]), strategy(arguments[1]), max_size=3)
    if origin is tuple:
        return st.tuples(*map(strategy, arguments))
    if arguments:
        return st.one_of([strategy(each) for each in arguments])
    if isinstance(kind, type) and issubclass(kind, Record):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{name: strategy(each) for name, each in hints.items()})
    return {
        int: st.integers(),
        float: st.floats(),
        bool: st.booleans(),
        str: st.text(max_size=5),
        type(None): st.none(),
    }[kind]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_to_json_is_an_object_of_the_fields(kind, data):
    record = data.draw(strategy(kind))
    values = record.to_json()
    assert list(values) == [field.name for field in dataclasses.fields(kind)]
    assert json.loads(json.dumps(values, allow_nan=False)) == values


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_records_are_frozen_documented_and_keyword_only(kind):
    parameters = inspect.signature(kind).parameters.values()
    assert all(each.kind is each.KEYWORD_ONLY for each in parameters)
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")
    assert kind.__name__ in records.__all__
    if dataclasses.fields(kind):
        record = object.__new__(kind)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, dataclasses.fields(kind)[0].name, 1)


def test_numbers_that_are_not_finite_are_null():
    interval = Interval(low=math.nan, high=math.inf)
    assert interval.to_json() == {"low": None, "high": None}
    assert plain_values({"a": [interval, (-math.inf, 1.5)], 3: math.nan}) == {
        "a": [{"low": None, "high": None}, [None, 1.5]],
        "3": None,
    }
    epoch = Epoch(
        epoch=1,
        step=10,
        lr=0.1,
        train_loss=math.nan,
        train_error=0.5,
        val_loss=None,
        val_error=None,
        val_top5_error=None,
        images_per_s=10.0,
        seconds=1.0,
        best=True,
    )
    assert epoch.to_json()["train_loss"] is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_plain_values_are_kept(value):
    assert plain_values(value) == value


@settings(deadline=None)
@given(
    npst.arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(2, 7)), elements=st.just(1)),
    st.integers(0, 1000),
)
def test_results_round_trip(shape, seed):
    draw = np.random.default_rng(seed)
    n, k = shape.shape
    probabilities = draw.dirichlet(np.ones(k), n)
    labels = draw.integers(0, k, n)
    results = compute_metrics(
        probabilities,
        labels,
        [f"class {i}" for i in range(k)],
        missing=["dog"],
        unreadable=[("a.png", "it is cut off")],
    )
    assert Results.from_json(json.loads(json.dumps(results.to_json()))) == results


def test_results_of_another_form_raise():
    with pytest.raises((KeyError, TypeError)):
        Results.from_json({"images": 3})


def test_defaults_are_not_shared():
    one, other = Prediction(path="a"), Prediction(path="b")
    one.classes.append("cat")
    assert other.classes == []
    predictions = Predictions(predictions=[one], crops=1)
    assert predictions.to_json()["predictions"][0]["classes"] == ["cat"]
