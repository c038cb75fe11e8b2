from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from alexnet.images.crops import crop_and_resize


def images(n=6, side=20):
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def test_a_box_of_whole_pixels_is_a_plain_crop():
    stored = images()
    boxes = np.tile([3.0, 5.0, 12.0, 12.0], (6, 1))
    assert np.array_equal(crop_and_resize(stored, boxes, 12), stored[:, 3:15, 5:17])


@pytest.mark.parametrize("crop_px", [5, 12, 31])
def test_a_box_is_what_torch_interpolates(crop_px):
    stored = images()
    top, left, height, width = 4, 2, 9, 14
    boxes = np.tile([4.0, 2.0, 9.0, 14.0], (6, 1))
    # torch ends at the window's border; a box sees beyond it, so only the inside is compared.
    window = torch.from_numpy(stored[:, top : top + height, left : left + width]).permute(
        0, 3, 1, 2
    )
    expected = functional.interpolate(window.float(), (crop_px, crop_px), mode="bilinear")
    found = crop_and_resize(stored, boxes, crop_px).transpose(0, 3, 1, 2).astype(np.float32)
    edge = -(-crop_px // 18)
    inside = (slice(None), slice(None), slice(edge, -edge), slice(edge, -edge))
    assert np.abs(found - expected.numpy())[inside].max() <= 0.501


def test_a_crop_does_not_depend_on_the_other_images():
    stored, rng = images(), np.random.default_rng(1)
    boxes = np.concatenate([rng.uniform(0, 5, (6, 2)), rng.uniform(4, 15, (6, 2))], axis=1)
    together = crop_and_resize(stored, boxes, 9)
    for each in range(6):
        alone = crop_and_resize(stored[each : each + 1], boxes[each : each + 1], 9)
        assert np.array_equal(alone[0], together[each])


def test_the_border_goes_on_beyond_the_image():
    stored = np.full((1, 8, 8, 3), 77, dtype=np.uint8)
    assert (crop_and_resize(stored, np.array([[-0.5, 0.0, 8.5, 8.0]]), 16) == 77).all()
