"""The loops over images, tiles and channels: what is computed by which thread, in which order.

A unit is some images, or some rows of tiles of one, whose transformed numbers stay in a processor's
second cache while all filters pass by. Legend: see `transforms`.
"""

from __future__ import annotations

import functools
from typing import Any

from alexnet.kernels.numba import compiled_function, register_jitable
from alexnet.kernels.pointers import BYTES, call, pointer, unpack
from alexnet.kernels.vectors import FLOAT_BYTES, LANES
from alexnet.kernels.winograd.instructions import add_rows
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
        wild: address of (N,) bytes; 1: such an image counts as zeros.
        target: address of the first plane.
        group: of channels, its number.
        depth: channels of a group.
        memory: addresses of memory for the blocks and for a patch of vectors.
    """
    m, r, block, padding = form
    first, many, line, high, columns = unit
    blocks, edge = memory
    marks = pointer(wild, BYTES)
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
                marks[first + n],
                target + FLOAT_BYTES * (n * high + row) * columns * depth,
                depth,
                apart,
                edge,
            )


@functools.cache
def convolve() -> int:
    """Return the address of the kernel that convolves, for `launch_parts`.

    Its numbers:

    read, multiply, write: addresses of `read_row` of inputs, `multiply_panel` and `write_row`.
    in_maps: address of (N, H, W, C) float32.
    in_filters: address of float32: for each of a x a numbers, each panel of outputs, each input of
        its group: a row of the panel.
    in_outputs: address of (N, P, Q, K) float32, written.
    in_bias: address of (K,) float32.
    in_floor: address of the float32 that is put for what lies below it.
    wild: address of (N,) bytes; where there is 1, an image's outputs are those of zeros.
    in_memory: address of memory for the units, written.
    unit_bytes: of each part's memory.
    N, H, W, C, P, Q, K: sizes.
    m: outputs of a tile in a row.
    r: side of the filters.
    width: channels of a group, in blocks where there are any.
    panel: outputs that are multiplied at a time.
    block: side of a block in positions; 1: there are none.
    padding: positions of zeros before the maps.
    images: of a unit.
    lines: rows of tiles of a unit: all of them where images are more than one.
    splits: parts of the panels, each with units of its own.

    A part's own memory holds a patch of vectors.
    """

    def convolve_maps(numbers: int, part: int, parts: int, edge: int) -> None:
        read, multiply, write, in_maps, in_filters, in_outputs, in_bias, in_floor = unpack(
            numbers, 8
        )
        wild, in_memory, unit_bytes, N, H, W, C, P, Q, K = unpack(numbers + 64, 10)
        m, r, width, panel, block, padding, images, lines, splits = unpack(numbers + 144, 9)
        a = m + r - 1
        rows, columns = (P + m - 1) // m, (Q + m - 1) // m
        bands = (rows + lines - 1) // lines
        jobs = (N + images - 1) // images * bands * splits
        panels, blocked = K // panel, C * block * block
        groups = blocked // width
        shared = panels // groups  # panels of a group
        size = FLOAT_BYTES * width * panel
        own = in_memory + part * unit_bytes
        for job in range(jobs * part // parts, jobs * (part + 1) // parts):
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

    return compiled_function(convolve_maps)


@functools.cache
def filter_gradients() -> int:
    """Return the address of the kernel that writes the gradient of the transformed filters.

    Its numbers:

    read, read_gradients, multiply: addresses of `read_row` of inputs and of gradients, and of
        `multiply_panel`.
    in_maps: address of (N, H, W, C) float32.
    in_gradients: address of (N, P, Q, K) float32, of the outputs.
    in_totals: address of (splits, numbers) float32, zeros, written: for each part of the images the
        gradient in the order of `in_filters` in `convolve`.
    in_biases: address of (splits, K) float32, zeros, written: the gradient of the biases.
    wild: address of (N,) bytes; where there is 1, an image counts as zeros.
    in_memory: as in `convolve`, and so are the sizes up to `lines`.
    splits: of the images.
    total_bytes: of one of the splits in `in_totals`.
    """

    def add_up_filters(numbers: int, part: int, parts: int, edge: int) -> None:
        read, read_gradients, multiply, in_maps, in_gradients = unpack(numbers, 5)
        in_totals, in_biases, wild, in_memory, unit_bytes = unpack(numbers + 40, 5)
        N, H, W, C, P, Q, K = unpack(numbers + 80, 7)
        m, r, width, panel, block, padding, images, lines = unpack(numbers + 136, 8)
        splits, total_bytes = unpack(numbers + 200, 2)
        a = m + r - 1
        rows, columns = (P + m - 1) // m, (Q + m - 1) // m
        bands = (rows + lines - 1) // lines
        units = (N + images - 1) // images * bands
        panels, blocked = K // panel, C * block * block
        groups = blocked // width
        shared = panels // groups  # panels of a group
        marks = pointer(wild, BYTES)
        size = FLOAT_BYTES * width * panel
        each = parts // splits  # threads that share the panels of a part of the images
        if part >= each * splits:
            return
        own = in_memory + part * unit_bytes
        split, member = part // each, part % each
        total = in_totals + split * total_bytes
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
                                marks[first + n],
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

    return compiled_function(add_up_filters)
