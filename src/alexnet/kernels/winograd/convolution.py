"""Convolutions by Winograd's minimal filtering, forward and backward (extra: fast).

Some images at a time are cut into tiles and transformed, multiplied with transformed filters, one
product of matrices for each of a tile's numbers, and transformed back. The gradient of the inputs
is a convolution of the same kind with the filters turned round; that of the filters is the adjoint
of the forward pass: products of the transformed inputs, made again, with the transformed gradients.

Bits are equal from run to run for a number of threads. Outputs and gradients of an image do not
depend on what other images are in its batch.

Errors are some times those of torch's kernels (tests/kernels/winograd). They are shares of the
largest number in a tile, so images whose numbers lie too far apart, or that hold a number that is
none, are "wild": they count as zeros here, and `function` leaves them to torch. So a NaN stays
where it is.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import torch
from torch import Tensor

from alexnet.kernels.numba import channels_last_array, thread_count
from alexnet.kernels.pointers import address, float_bits, launch_parts
from alexnet.kernels.vectors import FLOAT_BYTES, LANES
from alexnet.kernels.winograd.instructions import GRADIENTS, INPUTS
from alexnet.kernels.winograd.kernels import convolve, filter_gradients
from alexnet.kernels.winograd.matrices import matrices
from alexnet.kernels.winograd.plan import Plan, backward_plan
from alexnet.kernels.winograd.products import multiply_panel, panel_width
from alexnet.kernels.winograd.space_to_depth import blocked_weight, unblocked_weight
from alexnet.kernels.winograd.transforms import mark_wild, read_row, write_row

__all__ = ["Filters", "find_wild", "forward", "input_gradient", "suits", "weight_gradient"]

_SMALLEST, _LARGEST = 1e-12, 1e12  # root mean squares of filters, as of images

# How many times as large as is usual in its image a number may be. Tiles mix their numbers, so an
# error is a share of the largest of them: beside such a number the others keep three digits. In
# trained networks inputs stay under 30; gradients reach 1,300, and small ones beside large ones
# move no weight.
_OUTLIER, _OUTLIER_GRADIENT = 1e3, 1e5

_memory: Any = threading.local()


def suits(weight: Tensor) -> bool:
    """Whether filters are numbers, and neither so large nor so small that products leave range."""
    rms = float(weight.detach().double().square().mean().sqrt())
    return rms == 0 or _SMALLEST < rms < _LARGEST


def find_wild(x: Tensor, *, gradients: bool = False) -> Any:
    """Return (N,) uint8: 1 for an image whose numbers lie too far apart for this form.

    Args:
        x: (N, C, H, W) float32, channels last.
        gradients: they are some of outputs.
    """
    wild = np.zeros(len(x), dtype=np.uint8)
    outlier = float_bits(_OUTLIER_GRADIENT if gradients else _OUTLIER)
    maps = channels_last_array(x)
    sizes = (len(x), x[0].numel())
    launch_parts(
        mark_wild(), [address(maps), address(wild), *sizes, outlier], 4 * FLOAT_BYTES * LANES
    )
    return wild


class Filters:
    """Filters of a convolution, transformed and in the order in which products read them.

    Args:
        plan: of the convolution.
        weight: (K, C / groups, k, k) float32.
        turned: for the gradient of the inputs: turned by 180 degrees, inputs and outputs exchanged.
    """

    def __init__(self, plan: Plan, weight: Tensor, *, turned: bool = False) -> None:
        if plan.block > 1:
            weight = blocked_weight(weight, plan.block)
        by_group = weight.reshape(plan.groups, plan.outputs, plan.inputs, plan.r, plan.r)
        if turned:
            by_group = by_group.flip(3, 4).transpose(1, 2)
        groups, outputs, inputs = by_group.shape[:3]
        panel = panel_width(outputs)
        split = by_group.reshape(groups, outputs // panel, panel, inputs, plan.r, plan.r)
        flat = split.permute(4, 5, 0, 1, 3, 2).reshape(plan.r**2, -1)
        self.numbers = torch.mm(_both_sides(plan.m, plan.r), flat).view(-1).numpy()


def forward(
    plan: Plan, x: Tensor, filters: Filters, bias: Tensor | None, wild: Any, *, relu: bool = False
) -> Tensor:
    """Return the outputs (N, K, H', W'), channels last; those of wild images are of zeros.

    Args:
        plan: of the convolution.
        x: (N, C, H, W) float32, channels last.
        filters: of the convolution.
        bias: (K,).
        wild: (N,) as `find_wild` gives it.
        relu: put zero for what is below it.
    """
    shape = (len(x), plan.groups * plan.outputs, plan.height, plan.width)
    y = torch.empty(shape, memory_format=torch.channels_last)
    _convolve(plan, x, filters, bias, y, wild, relu=relu)
    return y


def input_gradient(plan: Plan, g: Tensor, turned: Filters, shape: torch.Size, wild: Any) -> Tensor:
    """Return the gradient of the inputs, channels last; zeros for wild images.

    Args:
        plan: of the convolution.
        g: (N, K, H', W') gradient of the outputs, float32, channels last.
        turned: the filters, turned.
        shape: (N, C, H, W) of the inputs.
        wild: (N,).
    """
    dx = torch.empty(shape, memory_format=torch.channels_last)
    _convolve(backward_plan(plan, *shape[2:]), g, turned, None, dx, wild, relu=False)
    return dx


def _convolve(
    plan: Plan,
    x: Tensor,
    filters: Filters,
    bias: Tensor | None,
    y: Tensor,
    wild: Any,
    *,
    relu: bool,
) -> None:
    channels = plan.groups * plan.outputs
    biases = np.zeros(channels, np.float32) if bias is None else bias.detach().contiguous().numpy()
    threads = thread_count()
    images, lines = plan.unit(len(x), threads)
    units = -(-len(x) // images) * -(-plan.rows // lines)
    maps, outputs = channels_last_array(x), channels_last_array(y)
    floor = np.array([0 if relu else -np.inf], dtype=np.float32)
    memory = _thread_memory(threads, plan.unit_numbers(images, lines))
    arrays = (maps, filters.numbers, outputs, biases, floor, wild, memory)
    launch_parts(
        convolve(),
        [
            read_row(plan.m, plan.r, INPUTS),
            multiply_panel(),
            write_row(plan.m, plan.r),
            *[address(array) for array in arrays],
            memory.strides[0],
            *maps.shape,
            *outputs.shape[1:],
            *plan.kernel_sizes(images, lines),
            -(-threads // units),
        ],
        _patch_bytes(plan),
    )


def weight_gradient(
    plan: Plan, x: Tensor, g: Tensor, shape: torch.Size, wild: Any
) -> tuple[Tensor, Tensor]:
    """Return the gradients of the filters (K, C / groups, k, k) and of the biases (K,).

    Those of wild images are missing.

    Args:
        plan: of the convolution.
        x: (N, C, H, W) float32, channels last.
        g: (N, K, H', W') gradient of the outputs, likewise.
        shape: of the filters.
        wild: (N,), of x or of g.
    """
    threads = thread_count()
    images, lines = plan.unit(len(x), 1)
    panels = plan.groups * plan.outputs // plan.panel
    splits = -(-threads // panels)
    totals = np.zeros((splits, plan.numbers * plan.groups * plan.inputs * plan.outputs), np.float32)
    bias_totals = np.zeros((splits, plan.groups * plan.outputs), np.float32)
    maps, gradients = channels_last_array(x), channels_last_array(g)
    memory = _thread_memory(threads, plan.unit_numbers(images, lines))
    launch_parts(
        filter_gradients(),
        [
            read_row(plan.m, plan.r, INPUTS),
            read_row(plan.m, plan.r, GRADIENTS),
            multiply_panel(),
            *[address(array) for array in (maps, gradients, totals, bias_totals, wild, memory)],
            memory.strides[0],
            *maps.shape,
            *gradients.shape[1:],
            *plan.kernel_sizes(images, lines),
            splits,
            totals.strides[0],
        ],
        _patch_bytes(plan),
    )
    total: Any = totals.sum(0) if splits > 1 else totals[0]
    numbers = torch.from_numpy(total)
    flat = torch.mm(_both_sides(plan.m, plan.r).t(), numbers.view(plan.numbers, -1))
    split = flat.view(plan.r, plan.r, panels, plan.inputs, plan.panel)
    dw = split.permute(2, 4, 0, 1, 3).reshape(-1, plan.r, plan.r, plan.inputs).permute(0, 3, 1, 2)
    if plan.block > 1:
        dw = unblocked_weight(dw, shape, plan.block)
    bias_total: Any = bias_totals.sum(0)
    biases = torch.from_numpy(bias_total)
    return dw.contiguous(memory_format=torch.channels_last), biases


def _patch_bytes(plan: Plan) -> int:
    """Return the bytes of a patch of vectors."""
    return FLOAT_BYTES * plan.numbers * LANES


def _thread_memory(threads: int, numbers: int) -> Any:
    """Return (threads, numbers): memory that all layers of a caller use one after the other."""
    buffer = getattr(_memory, "buffer", None)
    if buffer is None or len(buffer) < threads * numbers:
        buffer = _memory.buffer = np.empty(threads * numbers, dtype=np.float32)
    return buffer[: threads * numbers].reshape(threads, numbers)


@functools.cache
def _both_sides(m: int, r: int) -> Tensor:
    """Return the (a * a, r * r) matrix that transforms a flattened filter."""
    filters = torch.from_numpy(matrices(m, r).filters)
    return torch.kron(filters, filters).float()
