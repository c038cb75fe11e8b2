import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from alexnet.errors import WeightsError
from alexnet.weights.header import KEY, read_header, tensor_digest, write_header

WHOLE: dict[str, Any] = {
    "model": "alexnet",
    "arguments": {"classes": 2},
    "classes": ["a", "b"],
    "class_words": {},
    "preprocessing": {},
    "recipe": None,
    "results": {"top1": 0.5},
    "versions": {"alexnet": "0.1.0"},
    "digest": "00",
}


def read(values: object) -> dict[str, Any]:
    return read_header({KEY: json.dumps(values)}, Path("w"))


def test_what_is_written_is_read() -> None:
    text = write_header(WHOLE)
    assert read_header({KEY: text}, Path("w")) == WHOLE | {"format": 1}
    assert text == write_header(dict(reversed(WHOLE.items())))
    assert text.isascii()


def test_a_newer_format_says_how_to_update() -> None:
    with pytest.raises(WeightsError, match="format 2; this version reads up to 1. Update"):
        read({"format": 2})


@pytest.mark.parametrize("name", [*WHOLE, "format"])
def test_each_field_is_named_where_it_is_missing_or_wrong(name: str) -> None:
    values = WHOLE | {"format": 1}
    del values[name]
    with pytest.raises(WeightsError, match=f'has nothing as "{name}"'):
        read(values)
    with pytest.raises(WeightsError, match=f'has True as "{name}"'):
        read(values | {name: True})


def test_other_json_than_an_object_is_an_error() -> None:
    with pytest.raises(WeightsError, match="holds list, not an object"):
        read([])
    with pytest.raises(WeightsError, match="not whole JSON"):
        read_header({KEY: "{"}, Path("w"))
    with pytest.raises(WeightsError, match="without alexnet's header"):
        read_header(None, Path("w"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"classes": []}, "names no classes"),
        ({"classes": ["a", 1]}, "names no classes"),
        ({"classes": ["a", "b", "a"]}, 'names the class "a" twice'),
        ({"class_words": {"a": 1}}, 'other values than strings in "class_words"'),
        ({"versions": {"a": None}}, 'other values than strings in "versions"'),
    ],
)
def test_classes_and_words_are_checked(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        read(WHOLE | {"format": 1} | changes)


def test_digest_changes_with_anything() -> None:
    whole = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(1)}
    same = {"b": torch.tensor(1)}
    others = [
        {"a": whole["a"], "c": whole["b"]},
        {"a": whole["a"].reshape(3, 2), "b": whole["b"]},
        {"a": whole["a"].double(), "b": whole["b"]},
        {"a": whole["a"].nextafter(torch.tensor(9.0)), "b": whole["b"]},
        {"a": whole["a"]},
    ]
    digests = {tensor_digest(each) for each in [whole, *others]}
    assert len(digests) == 6
    same["a"] = whole["a"].T.contiguous().T  # the same numbers, laid out otherwise
    assert tensor_digest(same) == tensor_digest(whole)


def test_many_equal_classes_are_told_quickly() -> None:
    names = [str(i) for i in range(120_000)]
    started = time.process_time()
    for classes in (["a"] * 120_000, [*names, names[-1]]):
        with pytest.raises(WeightsError, match='names the class "(a|119999)" twice'):
            read(WHOLE | {"format": 1, "classes": classes})
    assert time.process_time() - started < 5, "each held against each would take an hour"
