"""Which convolutions have a fast form, in tiles of which size, and how many images at a time."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from alexnet.kernels import vectors
from alexnet.kernels.winograd.products import panel_width
from alexnet.kernels.winograd.transforms import plane_numbers
from alexnet.text import join_words

__all__ = ["Plan", "make_plan", "plan_or_reason"]

# Tiles by side of the filter. Larger ones save more products and lose more digits: F(6, 3) and
# F(6, 5) have ten times the error of these.
_TILES = {3: (4, 5), 5: (4,)}
# Transforms cost a channel of a tile as much as its products with so many channels; of images,
# whose gradient is not made, less. Filters are transformed once a step: as much as one tile of each
# image. Of 30 convolutions in training, on processors with vectors of 8 and of 16 numbers, those
# with less than this gain, so estimated, took longer than torch's.
_TRANSFORMS, _TRANSFORMS_OF_IMAGES = 60, 36
_LEAST_GAIN = 1.2
_NO_PANEL = f"no multiple of {2 * vectors.LANES} or {3 * vectors.LANES}"  # see `panel_width`
_FEW_CHANNELS = 4  # of images: a layer that reads them can have a stride
# What a thread transforms at a time stays in or near its second cache while all filters pass by:
# 1.5 MB, but so many tiles at least that fetching the filters does not take longer.
_UNIT, _FEWEST_TILES = 3 << 17, 48


@dataclass(frozen=True)
class Plan:
    """How one convolution is computed.

    Attributes:
        m: outputs of a tile in a row.
        r: side of the filter, in blocks.
        block: side of a block in positions; 1: no blocks are made.
        groups: of channels.
        inputs: channels of a group in, after blocks were made.
        outputs: channels of a group out.
        height, width: of the output maps.
        padding: positions of zeros around the maps.
        overhang: positions below and right of that, which the last windows read as zeros.
        saving: products of the plain form over those of this one.
    """

    m: int
    r: int
    block: int
    groups: int
    inputs: int
    outputs: int
    height: int
    width: int
    padding: int
    overhang: tuple[int, int]
    saving: float

    @property
    def numbers(self) -> int:
        """Products of a tile and a pair of channels: a * a."""
        return (self.m + self.r - 1) ** 2

    @property
    def rows(self) -> int:
        """Tiles over the height."""
        return -(-self.height // self.m)

    @property
    def columns(self) -> int:
        """Tiles over the width."""
        return -(-self.width // self.m)

    @property
    def tiles(self) -> int:
        """Tiles of an image."""
        return self.rows * self.columns

    @property
    def panel(self) -> int:
        """Outputs that are multiplied at a time."""
        return panel_width(self.outputs)

    def unit(self, images: int, threads: int) -> tuple[int, int]:
        """Return how many images, or rows of tiles of one, a thread transforms at a time.

        As many as stay in its cache, and no more than let all threads do as much.

        Args:
            images: of the batch.
            threads: that share them.
        """
        tile = self.numbers * (self.inputs + self.panel)
        fitting = max(_FEWEST_TILES, _UNIT // tile)  # tiles
        if fitting < self.tiles:
            return 1, max(1, min(self.rows, fitting // self.columns))
        most = min(fitting // self.tiles, -(-images // threads))
        rounds = -(-images // (most * threads))
        return -(-images // (rounds * threads)), self.rows

    def kernel_sizes(self, images: int, lines: int) -> tuple[int, ...]:
        """Return what both kernels want to know of a convolution and of a unit, in their order."""
        form = (self.m, self.r, self.inputs, self.panel, self.block, self.padding)
        return (*form, images, lines)

    def unit_numbers(self, images: int, lines: int) -> int:
        """Return how many numbers of memory a thread needs for a unit."""
        tiles = images * lines * self.columns
        planes = plane_numbers(tiles, self.inputs) + plane_numbers(tiles, self.panel)
        blocks = 0
        if self.block > 1:
            sides = (lines * self.m + self.r - 1, self.columns * self.m + self.r - 1)
            blocks = sides[0] * sides[1] * self.inputs
        return self.numbers * planes + blocks


@functools.lru_cache(maxsize=256)
def backward_plan(plan: Plan, height: int, width: int) -> Plan:
    """Return the plan of the convolution that makes the gradient of inputs of this size."""
    return replace(
        plan,
        inputs=plan.outputs,
        outputs=plan.inputs,
        height=height,
        width=width,
        padding=plan.r - 1 - plan.padding,
        overhang=(0, 0),
    )


def make_plan(
    shape: tuple[int, int, int],
    filters: tuple[int, int, int, int],
    stride: int,
    padding: int,
    groups: int,
    overhang: tuple[int, int] = (0, 0),
) -> Plan | None:
    """Return how to compute a convolution in the fast form; None: there is none, or it is slower.

    Args:
        shape: of a map: (C, H, W).
        filters: (K, C / groups, k, k).
        stride: of the window.
        padding: zeros around the maps.
        groups: of channels.
        overhang: zeros below and right of the padded maps.
    """
    found = plan_or_reason(shape, filters, stride, padding, groups, overhang)
    return found if isinstance(found, Plan) else None


@functools.lru_cache(maxsize=256)
def plan_or_reason(
    shape: tuple[int, int, int],
    filters: tuple[int, int, int, int],
    stride: int,
    padding: int,
    groups: int,
    overhang: tuple[int, int] = (0, 0),
) -> Plan | str:
    """Return what `make_plan` does, or as a phrase why there is no plan."""
    outputs, inputs, side, other_side = filters
    channels, *sides = shape
    height, width = (
        (size + 2 * padding + further - side) // stride + 1
        for size, further in zip(sides, overhang, strict=True)
    )
    block = stride if stride > 1 and channels <= _FEW_CHANNELS and groups == 1 else 1
    r = -(-side // block)
    if min(height, width) < 1 or padding >= side:
        return "no tile fits into the maps"
    reason = _window_reason(side, other_side, stride, block) or _channels_reason(
        inputs * block * block, outputs // groups, block
    )
    if reason is not None:
        return reason
    plans = [
        Plan(
            m=m,
            r=r,
            block=block,
            groups=groups,
            inputs=inputs * block * block,
            outputs=outputs // groups,
            height=height,
            width=width,
            padding=padding,
            overhang=overhang,
            saving=0.0,
        )
        for m in _TILES[r]
    ]
    best = min(plans, key=lambda plan: (plan.numbers * plan.tiles, plan.m))
    saving = height * width * side * side * inputs / (best.numbers * best.tiles * best.inputs)
    best = replace(best, saving=saving)
    if _estimated_gain(best) >= _LEAST_GAIN:
        return best
    return (
        f"the transforms of {best.inputs} channels in and {best.outputs} out, over maps of "
        f"{height} x {width}, take what {saving:.1f} times fewer multiplications save"
    )


def _estimated_gain(plan: Plan) -> float:
    """Return the time of a training step in the direct form over that in the fast one."""
    transforms = _TRANSFORMS if plan.block == 1 else _TRANSFORMS_OF_IMAGES
    taken = 1 + transforms * (1 / plan.inputs + 1 / plan.outputs) + 1 / plan.tiles
    return plan.saving / taken


def _window_reason(side: int, other_side: int, stride: int, block: int) -> str | None:
    """Return why windows have no fast form; None: they have."""
    if side != other_side:
        return f"windows of {side} x {other_side} are not square"
    if stride != block:
        return f"a stride of {stride} over more than {_FEW_CHANNELS} channels has no tiles"
    if (r := -(-side // block)) not in _TILES:
        sides = join_words([f"{each} x {each}" for each in _TILES])
        blocks = f", {r} x {r} in blocks of {block}," if block > 1 else ""
        return f"windows are {side} x {side}{blocks} and tiles are for {sides}"
    return None


def _channels_reason(inputs: int, outputs: int, block: int) -> str | None:
    """Return why this processor's vectors do not suit channels of a group; None: they do."""
    if not vectors.has_fma():
        return "this processor has no fused multiply-add"
    # The gradient of the inputs, which images do not need, is a product with as many columns.
    if inputs % vectors.LANES or (block == 1 and not panel_width(inputs)):
        if block > 1:
            blocks = f"blocks of {block} x {block} make {inputs} channels"
            return f"{blocks}, no multiple of {vectors.LANES}"
        return f"{inputs} channels in are {_NO_PANEL}"
    return None if panel_width(outputs) else f"{outputs} channels out are {_NO_PANEL}"
