from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from alexnet.data.loading.augmentation import Augmentation
from alexnet.data.loading.statistics import ColorPCA
from alexnet.errors import RecipeError

MANY = np.arange(20_000, dtype=np.int64)
PAPER = SimpleNamespace(image_px=256, crop_px=224)
# Deviations on 0..255 of the authors' program (paper.md 2.7), most varied first.
COLORS = ColorPCA(np.eye(3)[:, ::-1].copy(), np.array([121.78, 37.09, 19.72]))


def test_crops_take_each_of_the_33_offsets_equally_often():
    params = Augmentation(seed=1).sample(0, MANY, MANY, PAPER)
    for offsets in (params.top, params.left):
        counts = np.bincount(offsets, minlength=33)
        assert len(counts) == 33
        assert counts.min() > 480 and counts.max() < 740  # 606 each, deviation 24
    assert abs(np.corrcoef(params.top, params.left)[0, 1]) < 0.03
    assert abs(np.corrcoef(params.top, params.mirror)[0, 1]) < 0.03


def test_half_of_the_images_are_mirrored_or_none():
    assert abs(Augmentation(seed=1).sample(0, MANY, MANY, PAPER).mirror.mean() - 0.5) < 0.02
    assert not Augmentation(flip=False).sample(0, MANY, MANY, PAPER).mirror.any()


def test_a_crop_of_the_whole_image_is_not_moved():
    params = Augmentation().sample(0, MANY, MANY, SimpleNamespace(image_px=32, crop_px=32))
    assert not params.top.any() and not params.left.any()


def test_draws_do_not_depend_on_position_or_neighbors():
    augmentation = Augmentation(color_jitter=0.1, color_pca=COLORS, seed=3)
    whole = augmentation.sample(2, MANY, MANY, PAPER)
    some = np.array([77, 3, 19_000])
    part = augmentation.sample(2, np.array([5, 900, 1]), some, PAPER)
    for name in ("top", "left", "mirror", "shift"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[some])


def test_draws_differ_in_the_next_epoch_and_for_a_repeat():
    augmentation = Augmentation(color_jitter=0.1, color_pca=COLORS)
    first = augmentation.sample(0, MANY, MANY, PAPER)
    later = augmentation.sample(1, MANY, MANY, PAPER)
    again = augmentation.sample(0, MANY, MANY, PAPER, repeats=np.ones_like(MANY))
    unseen = augmentation.sample(0, MANY, MANY, PAPER, repeats=np.zeros_like(MANY))
    for other in (later, again):
        assert abs(np.corrcoef(first.top, other.top)[0, 1]) < 0.03
        assert abs(np.corrcoef(first.shift[:, 0], other.shift[:, 0])[0, 1]) < 0.03
    assert np.array_equal(first.top, unseen.top)


def test_program_shares_one_crop_and_flip_among_32_images_in_a_row():
    augmentation = Augmentation(crop_group=32, color_jitter=0.1, color_pca=COLORS)
    indices = np.random.default_rng(0).permutation(128)
    params = augmentation.sample(0, np.arange(128), indices, PAPER)
    for values in (params.top, params.left, params.mirror):
        groups = values.reshape(4, 32)
        assert (groups == groups[:, :1]).all()
    assert len(set(params.top[::32].tolist())) > 1
    assert len(np.unique(params.shift[:, 2])) == 128  # color stays each image's own


def test_program_color_jitter_is_a_tenth_of_the_deviations_and_divides_the_image():
    augmentation = Augmentation(color_jitter_form="program", color_jitter=0.1, color_pca=COLORS)
    params = augmentation.sample(0, MANY, MANY, PAPER)
    assert params.shift.dtype == np.float32
    assert params.shift.std(axis=0) == pytest.approx([1.97, 3.71, 12.2], rel=0.03)
    assert abs(params.shift.mean(axis=0)).max() < 0.3
    assert params.divide == pytest.approx(1.1)


def test_paper_color_jitter_uses_eigenvalues_of_colors_between_0_and_1():
    augmentation = Augmentation(color_jitter_form="paper", color_jitter=0.1, color_pca=COLORS)
    params = augmentation.sample(0, MANY, MANY, PAPER)
    assert params.shift[:, 2].std() == pytest.approx(5.8, rel=0.03)  # half of the program's 12.2
    assert params.divide == 1


def test_shift_is_the_product_of_components_and_scaled_draws():
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    straight = Augmentation(color_jitter_form="program", color_jitter=0.1, color_pca=COLORS)
    rotated = Augmentation(
        color_jitter_form="program",
        color_jitter=0.1,
        color_pca=ColorPCA(turned, COLORS.stds),
    )
    along_axes = straight.sample(0, MANY, MANY, PAPER).shift @ COLORS.components
    assert np.allclose(rotated.sample(0, MANY, MANY, PAPER).shift, along_axes @ turned.T, atol=1e-4)


def test_color_jitter_stops_at_its_epoch():
    augmentation = Augmentation(
        color_jitter_form="program", color_jitter=0.1, color_jitter_until=67, color_pca=COLORS
    )
    assert augmentation.sample(66, MANY, MANY, PAPER).divide == pytest.approx(1.1)
    late = augmentation.sample(67, MANY, MANY, PAPER)
    assert late.shift is None
    assert late.divide == 1


def test_color_jitter_without_principal_components_is_an_error():
    with pytest.raises(RecipeError, match="no principal components to draw it along"):
        Augmentation(color_jitter=0.1)


def test_boxes_lie_inside_and_show_every_share_of_the_area():
    params = Augmentation(random_resized_crop=0.25, seed=1).sample(0, MANY, MANY, PAPER)
    top, left, height, width = params.boxes.T
    assert (params.boxes >= 0).all()
    assert (top + height).max() <= 256 + 1e-9 and (left + width).max() <= 256 + 1e-9
    share = height * width / 256**2
    assert share.min() == pytest.approx(0.25, abs=0.01) and share.max() > 0.99
    uncut = share < 0.7  # a stretched box of a larger share may be longer than the image
    assert np.histogram(share[uncut], 9, (0.25, 0.7))[0] == pytest.approx(1333, rel=0.12)
    ratio = (width / height)[uncut]
    assert 0.75 <= ratio.min() < 0.76 and 1.32 < ratio.max() <= 4 / 3 + 1e-9
    assert (params.top == 16).all() and (params.left == 16).all()
    assert Augmentation().sample(0, MANY, MANY, PAPER).boxes is None


def test_boxes_do_not_depend_on_position_or_neighbors():
    augmentation = Augmentation(random_resized_crop=0.3, seed=3)
    some = np.array([77, 3, 19_000])
    whole, part = (augmentation.sample(2, each, each, PAPER).boxes for each in (MANY, some))
    assert np.array_equal(part, whole[some])
