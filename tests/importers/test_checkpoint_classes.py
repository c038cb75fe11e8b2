"""Class names that programs write beside the tensors are taken where they fit the outputs."""

from __future__ import annotations

import pytest

from alexnet.importers.checkpoint_classes import classes_beside

NAMES = ("ant", "bee", "crab")


@pytest.mark.parametrize(
    ("found", "key"),
    [
        ({"classes": list(NAMES)}, "classes"),
        ({"class_names": NAMES, "epoch": 3}, "class_names"),
        ({"class_to_idx": {"bee": 1, "ant": 0, "crab": 2}}, "class_to_idx"),
        ({"idx_to_class": {2: "crab", 0: "ant", 1: "bee"}}, "idx_to_class"),
        ({"config": {"id2label": {0: "ant", 1: "bee", 2: "crab"}}}, "config.id2label"),
        ({"meta": {"CLASSES": NAMES}}, "meta.CLASSES"),
    ],
)
def test_names_are_found_where_programs_write_them(found, key):
    assert classes_beside(found, 3) == (NAMES, key)


@pytest.mark.parametrize(
    "found",
    [
        None,
        [1],
        {"classes": 3},
        {"classes": ["ant", "bee"]},
        {"classes": ["ant", "ant", "bee"]},
        {"classes": [0, 1, 2]},
        {"class_to_idx": {"ant": 1, "bee": 2, "crab": 3}},
        {"class_to_idx": {"ant": "a", "bee": 1, "crab": 2}},
        {"meta": 1},
    ],
)
def test_what_does_not_name_each_output_is_passed_over(found):
    assert classes_beside(found, 3) is None
