"""The rule from stored pictures to numbers, against loops written out."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.errors import RecipeError
from alexnet.images import PlacedPictures, Preprocessing, StoredPictures
from alexnet.images import crops as cutting

S, C = 9, 6
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (5, S, S, 3), dtype=np.uint8)
MEAN = RNG.uniform(0, 255, (S, S, 3)).astype(np.float32)
SCALE = np.array([50, 60, 70], dtype=np.float32)


def places(top, left, mirror):
    n = len(PICTURES)
    return (
        np.full(n, top, dtype=np.int64),
        np.full(n, left, dtype=np.int64),
        np.full(n, mirror, dtype=np.bool_),
    )


@pytest.mark.parametrize("compiled", [True, False])
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    side=st.integers(1, 12),
    room=st.integers(0, 5),
    count=st.integers(1, 40),
    mean=st.sampled_from(["none", "image", "centre", "channel"]),
    order=st.sampled_from(["RGB", "BGR"]),
    scaled=st.booleans(),
    noisy=st.booleans(),
    boxed=st.booleans(),
)
def test_one_pass_gives_the_bits_of_two(
    compiled, seed, side, room, count, mean, order, scaled, noisy, boxed
):
    """Whether or not kernels are there; cut and to_tensor are held against loops below."""
    rng = np.random.default_rng(seed)
    stored = side + room
    image = rng.uniform(0, 255, (stored, stored, 3)).astype(np.float32)
    rule = Preprocessing(
        image_px=stored,
        crop_px=side,
        order=order,
        mean={"none": None, "image": image, "centre": image, "channel": image[0, 0]}[mean],
        mean_at="centre" if mean == "centre" else "crop",
        scale=SCALE if scaled else None,
    )
    pictures = rng.integers(0, 256, (count, stored, stored, 3), dtype=np.uint8)
    top, left = rng.integers(0, room + 1, (2, count))
    mirror = rng.random(count) < 0.5
    boxes = np.tile([0.0, 0.0, side, side], (count, 1)) if boxed else None
    colour = {"shift": None, "divide": 1.0}
    if noisy:
        colour = {"shift": rng.normal(size=(count, 3)).astype(np.float32), "divide": 1.1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "_kernels", lambda: None)
        crops = rule.cut(pictures, top, left, mirror, boxes)
        wanted = rule.to_tensor(crops, top, left, mirror, **colour)
        if compiled:
            pytest.importorskip("numba", reason="the compiled kernels need numba")
            patch.undo()
        assert (rule.cut(pictures, top, left, mirror, boxes) == crops).all()
        found = rule.numbers(pictures, top, left, mirror, boxes=boxes, **colour)
    assert torch.equal(found, wanted)
    assert found.shape == wanted.shape == (count, 3, side, side)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("count", [3, 40])  # without and with kernels
@pytest.mark.parametrize("boxed", [False, True])
def test_pictures_are_cut_where_they_lie(count, boxed):
    """In several arrays, among others, some twice, in an order of their own."""
    rng = np.random.default_rng(count)
    arrays = [rng.integers(0, 256, (m, S, S, 3), dtype=np.uint8) for m in (4, 1, 7)]
    arrays[1].flags.writeable = False  # as mapped files are
    homes = rng.integers(0, len(arrays), count)
    places = np.array([rng.integers(0, len(arrays[home])) for home in homes])
    stored = StoredPictures(
        tuple(
            PlacedPictures(array, places[homes == home], np.flatnonzero(homes == home))
            for home, array in enumerate(arrays)
        ),
        S,
    )
    pictures = np.stack([arrays[home][place] for home, place in zip(homes, places, strict=True)])
    assert len(stored) == count
    assert np.array_equal(stored.together(), pictures)
    top, left = rng.integers(0, S - C + 1, (2, count))
    mirror = rng.random(count) < 0.5
    boxes = np.tile([0.5, 1.0, C + 1, C], (count, 1)) if boxed else None
    rule = Preprocessing(image_px=S, crop_px=C, mean=MEAN)
    cut = [rule.cut(each, top, left, mirror, boxes) for each in (stored, pictures)]
    assert np.array_equal(*cut)
    made = [rule.numbers(each, top, left, mirror, boxes=boxes) for each in (stored, pictures)]
    assert torch.equal(*made)


def test_pictures_that_are_not_there_are_not_cut():
    for places in ([5], [-1]):
        with pytest.raises(IndexError, match="there are pictures 0 to 4"):
            StoredPictures.some_of(PICTURES, np.array(places))


@settings(max_examples=60, deadline=None)
@given(
    top=st.integers(0, S - C),
    left=st.integers(0, S - C),
    mirror=st.booleans(),
    mean=st.sampled_from(["none", "image", "centre", "channel"]),
    order=st.sampled_from(["RGB", "BGR"]),
    scaled=st.booleans(),
    noisy=st.booleans(),
)
def test_numbers_are_those_of_a_loop(top, left, mirror, mean, order, scaled, noisy):
    colour = MEAN.mean(axis=(0, 1)).astype(np.float32)
    rule = Preprocessing(
        image_px=S,
        crop_px=C,
        order=order,
        mean={"none": None, "image": MEAN, "centre": MEAN, "channel": colour}[mean],
        mean_at="centre" if mean == "centre" else "crop",
        scale=SCALE if scaled else None,
    )
    shift = RNG.normal(size=(5, 3)).astype(np.float32) if noisy else None
    where = places(top, left, mirror)
    found = rule.to_tensor(
        rule.cut(PICTURES, *where), *where, shift=shift, divide=1.1 if noisy else 1.0
    )
    assert found.shape == (5, 3, C, C)
    assert found.dtype == torch.float32
    assert found.is_contiguous(memory_format=torch.channels_last)
    middle = (S - C) // 2
    for n in range(5):
        for y in range(C):
            for x in range(C):
                column = C - 1 - x if mirror else x
                pixel = PICTURES[n, top + y, left + column].astype(np.float64)
                if mean == "image":
                    pixel -= MEAN[top + y, left + column]
                elif mean == "centre":
                    pixel -= MEAN[middle + y, middle + x]
                elif mean == "channel":
                    pixel -= colour
                pixel = (pixel + (0 if shift is None else shift[n])) / (1.1 if noisy else 1)
                pixel = pixel / SCALE if scaled else pixel
                pixel = pixel[::-1] if order == "BGR" else pixel
                assert found[n, :, y, x].numpy() == pytest.approx(pixel, abs=2e-4)


def test_each_picture_has_its_own_crop():
    rule = Preprocessing(image_px=S, crop_px=C)
    top, left = np.array([0, 1, 2, 3, 0]), np.array([3, 2, 1, 0, 0])
    mirror = np.array([True, False, True, False, True])
    found = rule.cut(PICTURES, top, left, mirror)
    for i in range(5):
        wanted = PICTURES[i, top[i] : top[i] + C, left[i] : left[i] + C]
        assert (found[i] == (wanted[:, ::-1] if mirror[i] else wanted)).all()


def test_it_survives_json():
    for mean in (None, MEAN, np.ones(3, dtype=np.float32)):
        rule = Preprocessing(image_px=S, crop_px=C, fit="pad", order="BGR", mean=mean, scale=SCALE)
        values = json.loads(json.dumps(rule.to_json()))
        assert Preprocessing.from_json(values, mean) == rule
    assert rule != replace(rule, crop_px=C - 1)
    assert rule != replace(rule, mean=MEAN)
    assert replace(rule, mean=MEAN) != replace(rule, mean=MEAN + 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"crop_px": S + 1}, "A crop of 10 pixels cannot be cut from a picture of 9"),
        ({"image_px": "large"}, "image_px must be between 1 and 4096 pixels; got 'large'"),
        ({"image_px": 5000}, "image_px must be between 1 and 4096 pixels; got 5000"),
        ({"fit": "stretch"}, 'fit must be "crop" or "squash" or "pad"; got \'stretch\''),
        ({"order": "GBR"}, 'order must be "RGB" or "BGR"'),
        ({"mean": MEAN[1:]}, r"mean must be float32 of shape \(3,\) or \(9, 9, 3\); got float32"),
        ({"mean": MEAN.astype(np.float64)}, "got float64"),
        ({"mean": MEAN * np.float32("nan")}, "mean holds numbers that are not finite"),
        ({"scale": SCALE * 0}, "scale must be above 0"),
    ],
)
def test_what_cannot_be_is_a_sentence(changes, words):
    with pytest.raises(RecipeError, match=words):
        Preprocessing(**{"image_px": S, "crop_px": C, **changes})


def test_a_mean_of_another_kind_is_refused():
    rule = Preprocessing(image_px=S, crop_px=C, mean=MEAN)
    with pytest.raises(RecipeError, match='The mean should be "image"'):
        Preprocessing.from_json(rule.to_json(), None)
