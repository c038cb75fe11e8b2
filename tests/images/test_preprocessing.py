"""Preprocessing of stored images, against loops written out."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from alexnet.errors import RecipeError
from alexnet.images import PlacedImages, Preprocessing, StoredImages
from alexnet.images import crops as crops_module

S, C = 9, 6
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (5, S, S, 3), dtype=np.uint8)
MEAN = RNG.uniform(0, 255, (S, S, 3)).astype(np.float32)
STD = np.array([50, 60, 70], dtype=np.float32)


def places(top, left, mirror):
    n = len(IMAGES)
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
    mean=st.sampled_from(["none", "image", "center", "channel"]),
    order=st.sampled_from(["RGB", "BGR"]),
    scaled=st.booleans(),
    noisy=st.booleans(),
    boxed=st.booleans(),
    threads=st.integers(1, 3),
)
def test_kernels_normalize_to_the_same_bits_on_any_number_of_threads(
    compiled, seed, side, room, count, mean, order, scaled, noisy, boxed, threads
):
    """Whether or not kernels are there; crop and normalize are held against loops below."""
    rng = np.random.default_rng(seed)
    stored = side + room
    image = rng.uniform(0, 255, (stored, stored, 3)).astype(np.float32)
    rule = Preprocessing(
        image_px=stored,
        crop_px=side,
        order=order,
        mean={"none": None, "image": image, "center": image, "channel": image[0, 0]}[mean],
        mean_at="center" if mean == "center" else "crop",
        std=STD if scaled else None,
    )
    images = rng.integers(0, 256, (count, stored, stored, 3), dtype=np.uint8)
    top, left = rng.integers(0, room + 1, (2, count))
    mirror = rng.random(count) < 0.5
    boxes = np.tile([0.0, 0.0, side, side], (count, 1)) if boxed else None
    color = {"shift": None, "divide": 1.0}
    if noisy:
        color = {"shift": rng.normal(size=(count, 3)).astype(np.float32), "divide": 1.1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crops_module, "_kernels", lambda: None)
        crops = rule.crop(images, top, left, mirror, boxes)
        expected = rule.normalize(crops, top, left, mirror, **color)
        if compiled:
            pytest.importorskip("numba", reason="the compiled kernels need numba")
            patch.undo()
        assert (rule.crop(images, top, left, mirror, boxes) == crops).all()
        patch.setattr(crops_module, "_NUMBERS_PER_THREAD", 1)
        found = rule.normalize(crops, top, left, mirror, **color, threads=threads)
    assert torch.equal(found, expected)
    assert found.shape == expected.shape == (count, 3, side, side)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("count", [3, 40])  # without and with kernels
@pytest.mark.parametrize("boxed", [False, True])
def test_stored_images_are_cropped_where_they_lie(count, boxed):
    """In several arrays, among others, some twice, in an order of their own."""
    rng = np.random.default_rng(count)
    arrays = [rng.integers(0, 256, (m, S, S, 3), dtype=np.uint8) for m in (4, 1, 7)]
    arrays[1].flags.writeable = False  # as mapped files are
    homes = rng.integers(0, len(arrays), count)
    places = np.array([rng.integers(0, len(arrays[home])) for home in homes])
    stored = StoredImages(
        tuple(
            PlacedImages(array, places[homes == home], np.flatnonzero(homes == home))
            for home, array in enumerate(arrays)
        ),
        S,
    )
    images = np.stack([arrays[home][place] for home, place in zip(homes, places, strict=True)])
    assert len(stored) == count
    assert np.array_equal(stored.to_array(), images)
    top, left = rng.integers(0, S - C + 1, (2, count))
    mirror = rng.random(count) < 0.5
    boxes = np.tile([0.5, 1.0, C + 1, C], (count, 1)) if boxed else None
    rule = Preprocessing(image_px=S, crop_px=C, mean=MEAN)
    crops = [rule.crop(form, top, left, mirror, boxes) for form in (stored, images)]
    assert np.array_equal(*crops)


def test_positions_outside_of_the_images_raise():
    for places in ([5], [-1]):
        with pytest.raises(IndexError, match="there are images 0 to 4"):
            StoredImages.select(IMAGES, np.array(places))


@settings(max_examples=60, deadline=None)
@given(
    top=st.integers(0, S - C),
    left=st.integers(0, S - C),
    mirror=st.booleans(),
    mean=st.sampled_from(["none", "image", "center", "channel"]),
    order=st.sampled_from(["RGB", "BGR"]),
    scaled=st.booleans(),
    noisy=st.booleans(),
)
def test_normalize_gives_the_numbers_of_a_loop(top, left, mirror, mean, order, scaled, noisy):
    color = MEAN.mean(axis=(0, 1)).astype(np.float32)
    rule = Preprocessing(
        image_px=S,
        crop_px=C,
        order=order,
        mean={"none": None, "image": MEAN, "center": MEAN, "channel": color}[mean],
        mean_at="center" if mean == "center" else "crop",
        std=STD if scaled else None,
    )
    shift = RNG.normal(size=(5, 3)).astype(np.float32) if noisy else None
    where = places(top, left, mirror)
    found = rule.normalize(
        rule.crop(IMAGES, *where), *where, shift=shift, divide=1.1 if noisy else 1.0
    )
    assert found.shape == (5, 3, C, C)
    assert found.dtype == torch.float32
    assert found.is_contiguous(memory_format=torch.channels_last)
    center = (S - C) // 2
    for n in range(5):
        for y in range(C):
            for x in range(C):
                column = C - 1 - x if mirror else x
                pixel = IMAGES[n, top + y, left + column].astype(np.float64)
                if mean == "image":
                    pixel -= MEAN[top + y, left + column]
                elif mean == "center":
                    pixel -= MEAN[center + y, center + x]
                elif mean == "channel":
                    pixel -= color
                pixel = (pixel + (0 if shift is None else shift[n])) / (1.1 if noisy else 1)
                pixel = pixel / STD if scaled else pixel
                pixel = pixel[::-1] if order == "BGR" else pixel
                assert found[n, :, y, x].numpy() == pytest.approx(pixel, abs=2e-4)


def test_each_image_has_its_own_crop():
    rule = Preprocessing(image_px=S, crop_px=C)
    top, left = np.array([0, 1, 2, 3, 0]), np.array([3, 2, 1, 0, 0])
    mirror = np.array([True, False, True, False, True])
    found = rule.crop(IMAGES, top, left, mirror)
    for i in range(5):
        expected = IMAGES[i, top[i] : top[i] + C, left[i] : left[i] + C]
        assert (found[i] == (expected[:, ::-1] if mirror[i] else expected)).all()


def test_preprocessing_survives_json():
    for mean in (None, MEAN, np.ones(3, dtype=np.float32)):
        rule = Preprocessing(
            image_px=S, crop_px=C, resize_mode="pad", order="BGR", mean=mean, std=STD
        )
        values = json.loads(json.dumps(rule.to_json()))
        assert Preprocessing.from_json(values, mean) == rule
    assert rule != replace(rule, crop_px=C - 1)
    assert rule != replace(rule, mean=MEAN)
    assert replace(rule, mean=MEAN) != replace(rule, mean=MEAN + 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"crop_px": S + 1}, "A crop of 10 pixels cannot be cut from an image of 9"),
        ({"image_px": "large"}, "image_px must be between 1 and 4096 pixels; got 'large'"),
        ({"image_px": 5000}, "image_px must be between 1 and 4096 pixels; got 5000"),
        ({"resize_mode": "stretch"}, 'resize_mode must be "crop" or "squash" or "pad"'),
        ({"order": "GBR"}, 'order must be "RGB" or "BGR"'),
        ({"mean": MEAN[1:]}, r"mean must be float32 of shape \(3,\) or \(9, 9, 3\); got float32"),
        ({"mean": MEAN.astype(np.float64)}, "got float64"),
        ({"mean": MEAN * np.float32("nan")}, "mean holds numbers that are not finite"),
        ({"std": STD * 0}, "std must be above 0"),
    ],
)
def test_invalid_preprocessing_is_an_error(changes, words):
    with pytest.raises(RecipeError, match=words):
        Preprocessing(**{"image_px": S, "crop_px": C, **changes})


def test_a_mean_of_another_shape_is_an_error():
    rule = Preprocessing(image_px=S, crop_px=C, mean=MEAN)
    with pytest.raises(RecipeError, match='The mean should be "image"'):
        Preprocessing.from_json(rule.to_json(), None)


def test_gray_is_made_before_the_resize_and_kept_with_the_weights():
    cv2 = pytest.importorskip("cv2", reason="the reader that Caffe has")
    colors = np.random.default_rng(3).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(colors).save(file, "PNG")
    rule = Preprocessing(image_px=24, crop_px=24, gray=True)
    stored = rule.read(file.getvalue(), "p")
    assert np.array_equal(stored[:, :, 1], cv2.cvtColor(colors, cv2.COLOR_RGB2GRAY))
    assert np.array_equal(rule.as_stored(colors[None])[0], stored)
    assert Preprocessing.from_json(rule.to_json(), None) == rule
    plain = Preprocessing(image_px=24, crop_px=24)
    assert plain != rule
    assert "gray" not in plain.to_json()  # older weights have no such field
    assert plain.as_stored(colors[None])[0] is not None
    assert np.array_equal(plain.read(file.getvalue(), "p"), colors)
