"""The smallest image that works is the first of all that do, found by trying every one."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.errors import RecipeError
from alexnet.models import MODELS, Network, build_model
from alexnet.models.builder import NetworkBuilder, Options, WindowTooLargeError
from alexnet.models.smallest import smallest_options


@cache
def works(name: str, image_px: int | None, crop_px: int | None) -> bool:
    try:
        with torch.device("meta"):
            build_model(name, classes=3, image_px=image_px, crop_px=crop_px)
    except RecipeError:
        return False
    return True


def sentence(name: str, **sides: int) -> str:
    with torch.device("meta"), pytest.raises(RecipeError) as caught:
        build_model(name, classes=3, **sides)
    return str(caught.value)


def flags(text: str) -> dict[str, int]:
    """The sides that a sentence names as flags."""
    return {name: int(side) for name, side in re.findall(r"--(image|crop)-px (\d+)", text)}


def test_smallest_image_is_the_first_that_works(name):
    brute = next(side for side in range(1, 4097) if works(name, side, None))
    found = smallest_options(MODELS[name], Options(classes=3, image_px=1))
    assert found is not None
    assert (found.image_px, found.crop_px) == (brute, None)


def test_smallest_crop_is_named_where_a_crop_is_given(name):
    brute = next(side for side in range(1, 4097) if works(name, max(side, 300), side))
    found = smallest_options(MODELS[name], Options(classes=3, image_px=300, crop_px=1))
    assert found is not None
    assert (found.image_px, found.crop_px) == (300, brute)
    alone = smallest_options(MODELS[name], Options(classes=3, crop_px=1))
    assert alone is not None
    assert (alone.image_px, alone.crop_px) == (None, brute)


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("alexnet", {"image_px": 10}),
        ("alexnet", {"crop_px": 20}),
        ("alexnet_caffe", {"image_px": 30, "crop_px": 20}),
        ("one_column", {"image_px": 300, "crop_px": 11}),
        ("alexnet_small", {"image_px": 12}),
        ("alexnet_adaptive", {"image_px": 12}),
        ("alexnet_adaptive", {"crop_px": 12}),
        ("cifar_11pct", {"image_px": 3}),
    ],
)
def test_suggested_size_works_and_one_pixel_less_does_not(name, sides):
    advised = flags(sentence(name, **sides))
    image_px, crop_px = advised.get("image"), advised.get("crop")
    assert works(name, image_px, crop_px)
    if crop_px is None:
        assert image_px is not None
        assert not works(name, image_px - 1, None)
    else:
        assert not works(name, image_px, crop_px - 1)


def test_error_names_layer_sizes_and_suggestion():
    assert sentence("alexnet", image_px=10) == (
        "alexnet cannot take crops of 9 pixels from images of 10: conv1 has a window of 11 x 11, "
        "and its input is 9 x 9. The smallest that work are crops of 52 pixels from images of "
        "59: --image-px 59."
    )


@st.composite
def towers_of_windows(draw):
    """A random model: convolutions and pools, some rounding up."""
    layers = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["conv", "pool", "mean_pool", "local", "grid"]),
                st.integers(1, 5),
                st.integers(1, 3),
                st.integers(0, 2),
                st.booleans(),
            ),
            min_size=1,
            max_size=4,
        )
    )

    def build(options: Options) -> Network:
        a = NetworkBuilder("random", options, image_px=draw_px, crop_px=draw_crop)
        for i, (kind, kernel, stride, padding, ceiling) in enumerate(layers):
            if kind == "conv":
                a.conv(f"l{i}", 2, kernel=kernel, stride=stride, padding=padding, ceiling=ceiling)
            elif kind == "local":
                a.local(f"l{i}", 2, kernel=kernel, padding=padding)
            elif kind == "grid":
                a.adaptive_avg_pool(f"l{i}", kernel)
            elif kind == "pool":
                a.pool(f"l{i}", kernel, min(stride, kernel), ceiling=ceiling)
            else:
                a.avg_pool(f"l{i}", kernel, min(stride, kernel))
        return a.build()

    draw_px = draw(st.integers(1, 64))
    draw_crop = draw(st.integers(1 + draw_px // 2, draw_px))
    return build


@settings(deadline=None, max_examples=25)
@given(towers_of_windows(), st.booleans())
def test_it_is_the_first_of_all_sides_for_any_windows(build, by_crop):
    def fits(side: int) -> bool:
        sides = {"crop_px": side} if by_crop else {"image_px": side}
        try:
            with torch.device("meta"):
                build(replace(options, **sides))
        except WindowTooLargeError:
            return False
        return True

    options = Options(classes=2, crop_px=1) if by_crop else Options(classes=2, image_px=1)
    found = smallest_options(build, options)
    side = found and (found.crop_px if by_crop else found.image_px)
    assert side == next((each for each in range(1, 4097) if fits(each)), None)


def test_no_suggestion_where_size_is_not_the_problem():
    assert smallest_options(MODELS["mlp"], Options(classes=10**9, image_px=1)) is None
    text = sentence("alexnet", image_px=10)
    assert "smaller model" not in text
    with torch.device("meta"), pytest.raises(RecipeError, match=r"9 x 9\. Use a smaller model\."):
        build_model("alexnet", classes=10**9, image_px=10)
