import numpy as np

from alexnet.reporting.charts.images import (
    cell_strength,
    confusion_image,
    filter_columns,
    filter_grid,
)


def test_the_ink_is_the_root_of_the_share_of_the_row():
    confusion = np.array([[9, 7], [0, 0]])
    np.testing.assert_allclose(cell_strength(confusion), [[0.75, np.sqrt(7 / 16)], [0, 0]])
    pixels = confusion_image(confusion)
    assert (pixels[0, 0, :3] == (34, 108, 100)).all()
    assert (pixels[0, 1, :3] == (186, 68, 28)).all()
    assert pixels[0, 0, 3] > pixels[0, 1, 3] > 40
    assert (pixels[1, :, 3] == 0).all()


def test_each_kernel_lies_at_its_place_scaled_by_its_own_largest_weight():
    filters = np.random.default_rng(0).normal(size=(96, 3, 11, 11)).astype(np.float32)
    filters[5] *= 1e-4
    grid = filter_grid(filters)
    assert filter_columns(96) == 16
    assert grid.shape == (6 * 12 - 1, 16 * 12 - 1, 4)
    for index in (0, 5, 37, 95):
        row, column = divmod(index, 16)
        patch = grid[12 * row : 12 * row + 11, 12 * column : 12 * column + 11]
        kernel = filters[index].transpose(1, 2, 0)
        expected = 127.5 * (1 + kernel / np.abs(kernel).max())
        assert np.abs(patch[:, :, :3] - expected).max() <= 0.51
        assert (patch[:, :, 3] == 255).all()


def test_between_kernels_and_after_the_last_nothing_is_painted():
    grid = filter_grid(np.ones((10, 3, 5, 5), np.float32))
    assert grid.shape == (11, 8 * 6 - 1, 4)
    assert (grid[:, 5::6, 3] == 0).all()
    assert (grid[5, :, 3] == 0).all()
    assert (grid[6:, 12:, 3] == 0).all()


def test_zeros_are_gray_and_what_is_not_a_number_too():
    dead = np.zeros((2, 3, 3, 3), np.float32)
    dead[1, 0, 0, 0] = np.nan
    grid = filter_grid(dead)
    assert set(np.unique(grid[:, :3, :3])) <= {127, 128}
    assert grid[0, 4, 0] in (127, 128)
