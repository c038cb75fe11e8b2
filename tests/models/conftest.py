"""Every model, small enough to run, and every model without memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
import torch

from alexnet.models import MODELS, Network, build_model

SMALL_PX = {256: 80, 64: 48, 32: 32}  # the model's own side of the image: one that runs quickly


@lru_cache(maxsize=4)  # the large ones take 80 MB each
def _small(name: str) -> Network:
    with torch.device("meta"):
        own = build_model(name, classes=3).image_px
    return build_model(name, classes=3, image_px=SMALL_PX[own], seed=1)


@pytest.fixture(scope="session")
def small() -> Callable[[str], Network]:
    """A model for three classes on small images; shared, so not to be changed."""
    return _small


@pytest.fixture(scope="session")
def weightless() -> Callable[..., Network]:
    """A model of its own size on the meta device, with any arguments of `build_model`."""

    def weightless(name: str, **arguments: Any) -> Network:
        with torch.device("meta"):
            return build_model(name, **{"classes": 1000, **arguments})

    return weightless


@pytest.fixture(params=MODELS, scope="session")  # so that the tests of one model run together
def name(request: pytest.FixtureRequest) -> str:
    """Each model's name in turn."""
    return request.param
