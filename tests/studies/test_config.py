from __future__ import annotations

import pytest

from alexnet.errors import RecipeError

from .formula import make_config


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"trials": 0}, "trials must be at least 1; got 0"),
        ({"sampler": "rnadom"}, 'no sampler "rnadom". Did you mean "random"'),
        ({"pruner": "median"}, 'no pruner "median".*Known: halving, hyperband, none'),
    ],
)
def test_invalid_configs(changes, sentence):
    with pytest.raises(RecipeError, match=sentence):
        make_config(**changes)
