"""The loops over images, tiles and channels: what is computed by which thread, in which order.

A unit is some images, or some rows of tiles of one, whose transformed numbers stay in a processor's
second cache while all filters pass by. Legend: see `transforms`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from alexnet.kernels.numba import cached_njit, prange
from alexnet.kernels.vectors import FLOAT_BYTES, LANES
from alexnet.kernels.winograd.instructions import add_rows, call
from alexnet.kernels.winograd.space_to_depth import fill_blocks
from alexnet.kernels.winograd.transforms import plane_numbers

__all__ = ["convolve", "filter_gradients"]


@register_jitable
def _read_unit(
    read: Any,
    maps: Any,
    sizes: Any,
    form: Any,
    unit: Any,
    wild: Any,
    target: Any,
    group: Any,
    depth: Any,
    memory: Any,
) -> None:
    """Transform the inputs of a unit, of one group of channels.

    Args:
        read: address of `read_row`.
        maps: address of the first image.
        sizes: (H, W, C).
        form: m, r, side of a block, padding.
        unit: first image, images; first row of tiles, rows, columns.
        wild: (N,) uint8; such an image counts as zeros.
        target: address of the first plane.
        group: of channels, its number.
        depth: channels of a group.
        memory: addresses of memory for the blocks and for a patch of vectors.
    """
    m, r, block, padding = form
    first, many, line, high, columns = unit
    blocks, edge = memory
    apart = FLOAT_BYTES * plane_numbers(many * high * columns, depth)
    for n in range(many):
        height, width, channels = sizes
        image = maps + FLOAT_BYTES * (first + n) * height * width * channels
        top, left = line * m - padding, -padding
        if block > 1:
            height, width = high * m + r - 1, columns * m + r - 1
            fill_blocks(image, sizes, block, padding, line * m, height, width, blocks)
            image, channels, top, left = blocks, channels * block * block, 0, 0
        for row in range(high):
            call(
                read,
                image + FLOAT_BYTES * group * depth,
                height,
                width,
                channels,
                top + row * m,
                left,
                columns,
                np.int64(wild[first + n]),
                target + FLOAT_BYTES * (n * high + row) * columns * depth,
                depth,
                apart,
                edge,
            )


@cached_njit(parallel=True)
def convolve(
    functions: Any,
    maps: Any,
    filters: Any,
    outputs: Any,
    bias: Any,
    floor: Any,
    wild: Any,
    memory: Any,
    m: int,
    r: int,
    width: int,
    panel: int,
    block: int,
    padding: int,
    images: int,
    lines: int,
    splits: int,
    threads: int,
) -> None:
    """Convolve.

    Args:
        functions: addresses of `read_row` of inputs, `multiply_panel` and `write_row`.
        maps: (N, H, W, C) float32.
        filters: flat float32: for each of a x a numbers, each panel of outputs, each input of its
            group: a row of the panel.
        outputs: (N, P, Q, K) float32, written.
        bias: (K,) float32.
        floor: (1,) float32 that is put for what lies below it.
        wild: (N,) uint8; such an image's outputs are those of zeros.
        memory: (threads, numbers) float32, written.
        m: outputs of a tile in a row.
        r: side of the filters.
        width: channels of a group, in blocks where there are any.
        panel: outputs that are multiplied at a time.
        block: side of a block in positions; 1: there are none.
        padding: positions of zeros before the maps.
        images: of a unit.
        lines: rows of tiles of a unit: all of them where images are more than one.
        splits: parts of the panels, each with units of its own.
        threads: that share the units.
    """
    read, multiply, write = functions
    N, H, W, C = maps.shape
    P, Q, K = outputs.shape[1:]
    a = m + r - 1
    rows, columns = (P + m - 1) // m, (Q + m - 1) // m
    bands = (rows + lines - 1) // lines
    jobs = (N + images - 1) // images * bands * splits
    panels, blocked = K // panel, C * block * block
    groups = blocked // width
    shared = panels // groups  # panels of a group
    in_maps, in_filters = np.int64(maps.ctypes.data), np.int64(filters.ctypes.data)
    in_outputs, in_bias = np.int64(outputs.ctypes.data), np.int64(bias.ctypes.data)
    in_memory, in_floor = np.int64(memory.ctypes.data), np.int64(floor.ctypes.data)
    size = FLOAT_BYTES * width * panel
    for thread in prange(threads):
        edges = np.empty(a * a * LANES, dtype=np.float32)
        edge = np.int64(edges.ctypes.data)
        own = in_memory + FLOAT_BYTES * thread * memory.shape[1]
        for job in range(jobs * thread // threads, jobs * (thread + 1) // threads):
            unit, split = job // splits, job % splits
            first, line = unit // bands * images, unit % bands * lines
            many, high = min(images, N - first), min(lines, rows - line)
            T = many * high * columns
            planes = FLOAT_BYTES * plane_numbers(T, width)
            products = own + a * a * planes
            apart = FLOAT_BYTES * plane_numbers(T, panel)
            blocks = products + a * a * apart  # of one image at a time
            start, stop = panels * split // splits, panels * (split + 1) // splits
            for group in range(start // shared, (stop + shared - 1) // shared):
                _read_unit(
                    read,
                    in_maps,
                    (H, W, C),
                    (m, r, block, padding),
                    (first, many, line, high, columns),
                    wild,
                    own,
                    group,
                    width,
                    (blocks, edge),
                )
                for p in range(max(start, group * shared), min(stop, (group + 1) * shared)):
                    for number in range(a * a):
                        right = in_filters + (number * panels + p) * size
                        last = number + 1 == a * a
                        call(
                            multiply,
                            panel,
                            0,
                            T,
                            width,
                            own + number * planes,
                            FLOAT_BYTES * width,
                            FLOAT_BYTES,
                            right,
                            FLOAT_BYTES * panel,
                            products + number * apart,
                            FLOAT_BYTES * panel,
                            in_filters + (p + 1) * size if last else right + panels * size,
                            size,
                        )
                    for n in range(many):
                        target = in_outputs + FLOAT_BYTES * ((first + n) * P * Q * K + p * panel)
                        for row in range(high):
                            call(
                                write,
                                products + FLOAT_BYTES * (n * high + row) * columns * panel,
                                apart,
                                target,
                                P,
                                Q,
                                K,
                                (line + row) * m,
                                columns,
                                panel,
                                in_bias + FLOAT_BYTES * p * panel,
                                in_floor,
                                edge,
                            )


@cached_njit(parallel=True)
def filter_gradients(
    functions: Any,
    maps: Any,
    gradients: Any,
    totals: Any,
    bias_totals: Any,
    wild: Any,
    memory: Any,
    m: int,
    r: int,
    width: int,
    panel: int,
    block: int,
    padding: int,
    images: int,
    lines: int,
    threads: int,
) -> None:
    """Write the gradient of the transformed filters.

    Args:
        functions: addresses of `read_row` of inputs and of gradients, and of `multiply_panel`.
        maps: (N, H, W, C) float32.
        gradients: (N, P, Q, K) float32, of the outputs.
        totals: (splits, numbers) float32, zeros, written: for each part of the images the gradient
            in the order of `filters` in `convolve`.
        bias_totals: (splits, K) float32, zeros, written: the gradient of the biases.
        wild: (N,) uint8; such an image counts as zeros.
        memory: as in `convolve`.
        m: as in `convolve`.
        r: as in `convolve`.
        width: as in `convolve`.
        panel: as in `convolve`.
        block: as in `convolve`.
        padding: as in `convolve`.
        images: as in `convolve`.
        lines: as in `convolve`.
        threads: as in `convolve`.
    """
    read, read_gradients, multiply = functions
    N, H, W, C = maps.shape
    P, Q, K = gradients.shape[1:]
    a = m + r - 1
    rows, columns = (P + m - 1) // m, (Q + m - 1) // m
    bands = (rows + lines - 1) // lines
    units = (N + images - 1) // images * bands
    panels, blocked = K // panel, C * block * block
    groups = blocked // width
    shared = panels // groups  # panels of a group
    splits = len(totals)
    in_maps, in_gradients = np.int64(maps.ctypes.data), np.int64(gradients.ctypes.data)
    in_totals, in_memory = np.int64(totals.ctypes.data), np.int64(memory.ctypes.data)
    in_biases = np.int64(bias_totals.ctypes.data)
    size = FLOAT_BYTES * width * panel
    each = threads // splits  # threads that share the panels of a part of the images
    for thread in prange(each * splits):
        edges = np.empty(a * a * LANES, dtype=np.float32)
        edge = np.int64(edges.ctypes.data)
        own = in_memory + FLOAT_BYTES * thread * memory.shape[1]
        split, member = thread // each, thread % each
        total = in_totals + FLOAT_BYTES * split * totals.shape[1]
        start, stop = panels * member // each, panels * (member + 1) // each
        for unit in range(units * split // splits, units * (split + 1) // splits):
            first, line = unit // bands * images, unit % bands * lines
            many, high = min(images, N - first), min(lines, rows - line)
            T = many * high * columns
            planes = FLOAT_BYTES * plane_numbers(T, width)
            others = own + a * a * planes
            apart = FLOAT_BYTES * plane_numbers(T, panel)
            blocks = others + a * a * apart  # of one image at a time
            for group in range(start // shared, (stop + shared - 1) // shared):
                _read_unit(
                    read,
                    in_maps,
                    (H, W, C),
                    (m, r, block, padding),
                    (first, many, line, high, columns),
                    wild,
                    own,
                    group,
                    width,
                    (blocks, edge),
                )
                for p in range(max(start, group * shared), min(stop, (group + 1) * shared)):
                    for n in range(many):
                        source = in_gradients + FLOAT_BYTES * ((first + n) * P * Q * K + p * panel)
                        for row in range(high):
                            call(
                                read_gradients,
                                source,
                                P,
                                Q,
                                K,
                                (line + row) * m,
                                0,
                                columns,
                                np.int64(wild[first + n]),
                                others + FLOAT_BYTES * (n * high + row) * columns * panel,
                                panel,
                                apart,
                                edge,
                            )
                    # A's row of the point 1 is all ones: this number is the sum over the tile
                    ones = others + (a + 1) * apart
                    for c in range(0, panel, LANES):
                        add_rows(
                            ones + FLOAT_BYTES * c,
                            FLOAT_BYTES * panel,
                            T,
                            in_biases + FLOAT_BYTES * (split * K + p * panel + c),
                        )
                    for number in range(a * a):
                        sums = total + (number * panels + p) * size
                        last = number + 1 == a * a
                        call(
                            multiply,
                            panel,
                            1,
                            width,
                            T,
                            own + number * planes,
                            FLOAT_BYTES,
                            FLOAT_BYTES * width,
                            others + number * apart,
                            FLOAT_BYTES * panel,
                            sums,
                            FLOAT_BYTES * panel,
                            total + (p + 1) * size if last else sums + panels * size,
                            size,
                        )
