"""Sixty images and a copy of each, in all the ways in which people copy: never on both sides."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from alexnet.data.loading.copies import find_copies, pixel_coefficients
from alexnet.data.loading.splits import draw_splits
from alexnet.data.packs.pack import open_pack
from alexnet.data.packs.plan import PackingPlan
from alexnet.data.packs.unreadable import UnreadablePolicy
from alexnet.data.packs.writer import pack_in_memory, write_pack

PAIRS = 60


def smooth(seed: int) -> Image.Image:
    """An image of few frequencies: most of its DCT coefficients are nearly nothing."""
    grid = np.random.default_rng(seed).integers(0, 200, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(grid).resize((48, 40), Image.Resampling.BICUBIC)


def detailed(seed: int) -> Image.Image:
    """An image of all frequencies, the low ones strongest, as photographs have."""
    rng = np.random.default_rng(seed)
    total = np.zeros((48, 48))
    for side, weight in ((3, 80), (6, 50), (12, 30), (24, 20), (48, 10)):
        grid = Image.fromarray(rng.standard_normal((side, side)).astype(np.float32))
        total += weight * np.asarray(grid.resize((48, 48), Image.Resampling.BICUBIC))
    gray = np.clip(110 + total, 0, 255).astype(np.uint8)
    return Image.fromarray(gray).convert("RGB")


def encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def scaled(image: Image.Image, factor: float) -> Image.Image:
    width, height = image.size
    size = (round(width * factor), round(height * factor))
    return image.resize(size, Image.Resampling.BICUBIC)


COPIES = {
    "the same file": lambda image: encoded(image, "PNG"),
    "BMP": lambda image: encoded(image, "BMP"),
    "TIFF": lambda image: encoded(image, "TIFF"),
    "WebP without loss": lambda image: encoded(image, "WEBP", lossless=True),
    "PNG compressed otherwise": lambda image: encoded(image, "PNG", compress_level=0),
    "JPEG 90": lambda image: encoded(image, "JPEG", quality=90),
    "JPEG 50": lambda image: encoded(image, "JPEG", quality=50),
    "JPEG 30": lambda image: encoded(image, "JPEG", quality=30),
    "half": lambda image: encoded(scaled(image, 0.5), "PNG"),
    "double": lambda image: encoded(scaled(image, 2), "PNG"),
    "half as JPEG": lambda image: encoded(scaled(image, 0.5), "JPEG", quality=75),
    "brighter": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.25), "PNG"),
    "darker": lambda image: encoded(ImageEnhance.Brightness(image).enhance(0.7), "PNG"),
    "more contrast": lambda image: encoded(ImageEnhance.Contrast(image).enhance(1.2), "PNG"),
    "gray": lambda image: encoded(image.convert("L"), "PNG"),
}
KINDS = list(COPIES.values())


def source_of(tiny_source, files, labels, splits=None):
    source = tiny_source(len(files))
    source.files = list(files)
    source.sizes = np.array([len(each) for each in files], dtype=np.int64)
    source.labels = np.asarray(labels, dtype=np.int64)
    source.splits = np.zeros(len(files), np.uint8) if splits is None else np.asarray(splits, "u1")
    return source


def packed(tiny_source, files, labels, splits=None):
    source = source_of(tiny_source, files, labels, splits)
    return pack_in_memory(source, PackingPlan(32, "crop", UnreadablePolicy()))


def pairs(draw, kinds):
    """Sixty images, then a copy of each; half of each class, of two."""
    images = [draw(seed) for seed in range(PAIRS)]
    copies = [kinds[i % len(kinds)](image) for i, image in enumerate(images)]
    labels = np.arange(PAIRS) % 2
    return [*(encoded(image, "PNG") for image in images), *copies], np.tile(labels, 2)


def torn(splits) -> int:
    """How many pairs have one on either side."""
    sides = {int(i): name for name, each in splits.items() for i in each}
    return sum(sides[i] != sides[i + PAIRS] for i in range(PAIRS))


@pytest.mark.parametrize("draw", [smooth, detailed])
def test_sixty_pairs_of_all_kinds_stay_together(tiny_source, draw):
    files, labels = pairs(draw, KINDS)
    pack = packed(tiny_source, files, labels)
    for seed in range(5):
        drawn = draw_splits(pack, val_fraction=0.3, seed=seed)
        assert torn(drawn.indices) == 0
        assert drawn.warnings == ()
        held = np.bincount(labels[drawn.indices["val"]], minlength=2)
        assert held.tolist() == [18, 18], "shares of the classes stay exact"


@pytest.mark.parametrize("kind", list(COPIES))
def test_each_kind_of_copy_is_found_and_nothing_else(tiny_source, kind):
    files, labels = pairs(detailed, [COPIES[kind]])
    found = find_copies(packed(tiny_source, files, labels)).similar
    assert np.array_equal(found[:PAIRS], found[PAIRS:])
    assert len(np.unique(found)) == PAIRS


@pytest.mark.parametrize("kind", ["BMP", "JPEG 50", "half", "brighter"])
def test_a_given_val_that_repeats_train_brings_a_warning(tiny_source, kind):
    files, labels = pairs(smooth, [COPIES[kind]])
    files, labels = files[: PAIRS + 20], labels[: PAIRS + 20]
    splits = [1] * PAIRS + [2] * 20
    drawn = draw_splits(packed(tiny_source, files, labels, splits), val_fraction=0.1, seed=0)
    assert len(drawn.indices["val"]) == 20
    (warning,) = drawn.warnings
    assert "20 of 20 images in val are duplicates or near duplicates of training" in warning


def test_equal_pixels_of_one_color_are_copies_and_similar_ones_are_not(tiny_source):
    colors = [(i, 40, 90) for i in range(0, 250, 25)]
    images = [Image.new("RGB", (8, 8), color) for color in colors]
    files = [encoded(image, kind) for kind in ("PNG", "BMP") for image in images]
    found = find_copies(packed(tiny_source, files, np.arange(20) % 2)).similar
    assert np.array_equal(found[:10], found[10:])
    assert len(np.unique(found)) == 10


def test_images_that_are_alike_by_nature_make_no_group_of_half_the_set(tiny_source):
    frame, rng = np.asarray(detailed(0), dtype=np.float64), np.random.default_rng(1)
    frames = []
    for _ in range(80):
        change = Image.fromarray(rng.standard_normal((8, 8)).astype(np.float32)).resize((48, 48))
        frame = frame + 22 * np.asarray(change)[..., None]
        frames.append(encoded(Image.fromarray(np.clip(frame, 0, 255).astype(np.uint8)), "PNG"))
    found = find_copies(packed(tiny_source, frames, np.arange(80) % 2)).similar
    assert np.bincount(found).max() <= 10


def test_classes_of_near_duplicates_alone_are_drawn_image_by_image_and_that_is_said(tiny_source):
    image = detailed(3)
    files = [encoded(image, "JPEG", quality=q) for q in (95, 90, 85, 80, 75, 70)]
    pack = packed(tiny_source, files, [0, 1] * 3)
    drawn = draw_splits(pack, val_fraction=0.3, seed=0)
    assert len(drawn.indices["val"]) == 2
    assert "no class could give any to validation without leaving others" in drawn.warnings[0]


def test_a_pack_of_an_older_version_is_hashed_from_its_pixels(tiny_source, tmp_path):
    files, labels = pairs(smooth, KINDS)
    whole = write_pack(source_of(tiny_source, files, labels), tmp_path / "pack", image_px=32)
    older = replace(whole, index=replace(whole.index, coefficients=None))
    everything = np.arange(len(files))
    assert np.array_equal(
        pixel_coefficients(older, everything),
        pixel_coefficients(open_pack(tmp_path / "pack"), everything),
    )
    drawn = [draw_splits(each, val_fraction=0.3, seed=1).indices["val"] for each in (whole, older)]
    assert np.array_equal(*drawn)
    assert whole.fingerprint == older.fingerprint


def test_the_order_of_the_images_changes_nothing(tiny_source):
    files, labels = pairs(smooth, KINDS)
    order = np.random.default_rng(0).permutation(len(files))
    one = draw_splits(packed(tiny_source, files, labels), val_fraction=0.2, seed=2)
    turned = packed(tiny_source, [files[i] for i in order], labels[order])
    other = draw_splits(turned, val_fraction=0.2, seed=2)
    assert {files[i] for i in one.indices["val"]} == {files[order[i]] for i in other.indices["val"]}


def test_the_search_of_many_images_is_far_from_all_pairs(pack_of_pixels):
    count = 20_000
    coefficients = np.random.default_rng(0).normal(0, 50, (count, 64)).astype(np.float16)
    coefficients[-200:] = coefficients[:200] * np.float16(1.1)
    small = pack_of_pixels(np.zeros((2, 1, 1, 3), np.uint8))
    digests = np.random.default_rng(1).integers(0, 256, (count, 16), dtype=np.uint8)
    index = replace(
        small.index,
        digests=digests,
        checksums=np.arange(count, dtype=np.uint32),
        coefficients=coefficients,
    )
    started = time.process_time()
    found = find_copies(replace(small, index=index)).similar
    assert time.process_time() - started < 5
    assert np.array_equal(found[:200], found[-200:])
    assert len(np.unique(found)) == count - 200
