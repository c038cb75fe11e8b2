"""Products of matrices as Winograd's planes need them: many, and of middling size (extra: fast).

A tile of the result, some rows of some vectors, is kept in registers while the inner dimension is
run through. The right matrix is cut into panels of as many columns, each of which lies together.

Legend: a product is (M, K) times (K, N).
"""

from __future__ import annotations

import functools

from alexnet.kernels.numba import compiled_function
from alexnet.kernels.vectors import LANES
from alexnet.kernels.winograd.instructions import MOST_ROWS, tile_product

__all__ = ["multiply_panel", "panel_width"]

_TWO, _THREE, _FOUR = (MOST_ROWS.get(width, 1) for width in (2, 3, 4))


def panel_width(columns: int) -> int:
    """Return how many columns of the right matrix lie together; 0: the kernels cannot do it."""
    return next((width * LANES for width in MOST_ROWS if columns % (width * LANES) == 0), 0)


@functools.cache
def multiply_panel() -> int:
    """Return the address of a function that multiplies (M, K) with a panel (K, panel).

    Its arguments are whole numbers; addresses and strides are in bytes:

    panel: columns, as `panel_width` says.
    adds: 1: add to what is in the result; 0: write.
    M, K: sizes.
    left, left_row, left_step: address of the left matrix, and its strides along M and K.
    right, right_step: address of the panel, and its stride along K.
    result, result_row: address of the result, and its stride along M.
    ahead, ahead_size: address and bytes of what will be needed next; it is fetched meanwhile.
    """

    def multiply(
        panel: int,
        adds: int,
        M: int,
        K: int,
        left: int,
        left_row: int,
        left_step: int,
        right: int,
        right_step: int,
        result: int,
        result_row: int,
        ahead: int,
        ahead_size: int,
    ) -> None:
        width = panel // LANES
        most = _FOUR if width == 4 else _THREE if width == 3 else _TWO
        blocks = (M + most - 1) // most
        fetched = ahead_size // (blocks * K)  # bytes for each of K
        for block in range(blocks):
            i = M * block // blocks
            tile_product(
                width,
                M * (block + 1) // blocks - i,
                adds,
                K,
                left + i * left_row,
                left_row,
                left_step,
                right,
                right_step,
                result + i * result_row,
                result_row,
                ahead + block * K * fetched,
                fetched,
            )

    return compiled_function(multiply)
