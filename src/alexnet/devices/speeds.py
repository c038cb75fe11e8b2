"""How fast a convolution is in each precision: measured, and remembered while it can be trusted.

What is measured beside busy programs says little, and a machine changes (another kernel, another
limit of a container): a measurement is forgotten after some weeks, one of a busy moment after some
minutes.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet.devices.cuda import synchronize
from alexnet.errors import AlexNetError
from alexnet.files import read_json, write_json
from alexnet.records import Record

if TYPE_CHECKING:
    import torch

__all__ = ["Speeds", "measure_speeds", "remembered_speeds"]

_MEASURING_S = 0.4
_QUIET = 0.8  # processor time over the clock's; the thread waits for others that have its core
_KEPT_S = 30 * 24 * 3600.0
_BUSY_KEPT_S = 600.0  # no second measurement in each of the many calls of a script


@dataclass(frozen=True, kw_only=True)
class Speeds(Record):
    """GFLOP/s of a convolution forward and backward, and how far they can be trusted."""

    fp32: float
    bf16: float
    processor_share: float  # of the measurement's time in which this thread had a processor, 0..1
    measured_at: float  # seconds since 1970

    @property
    def quiet(self) -> bool:
        """Whether hardly anything else ran meanwhile."""
        return self.processor_share >= _QUIET

    def is_current(self, now: float) -> bool:
        """Whether this is young enough at a time (seconds since 1970) to be taken as it is."""
        return 0 <= now - self.measured_at < (_KEPT_S if self.quiet else _BUSY_KEPT_S)


def remembered_speeds(cached: Path, kind: str) -> Speeds:
    """Return the speeds of a file, or measure them and write them there.

    Of two measurements in busy moments the higher speed of each precision counts: other programs
    only ever slow it down.

    Args:
        cached: JSON file; what it holds is replaced where it is old, damaged or of a busy moment.
        kind: "cpu" or "cuda".
    """
    before, now = _read(cached), time.time()
    if before is not None and before.is_current(now):
        return before
    speeds = measure_speeds(kind)
    if before is not None and not speeds.quiet and 0 <= now - before.measured_at < _KEPT_S:
        speeds = Speeds(
            fp32=max(before.fp32, speeds.fp32),
            bf16=max(before.bf16, speeds.bf16),
            processor_share=speeds.processor_share,
            measured_at=speeds.measured_at,
        )
    with contextlib.suppress(AlexNetError):  # a cache that cannot be written is no obstacle
        write_json(cached, speeds.to_json())
    return speeds


def _read(cached: Path) -> Speeds | None:
    """Return what a file holds; None: nothing that can be used, such as one without a date."""
    with contextlib.suppress(AlexNetError, TypeError, ValueError, KeyError):
        values = read_json(cached)
        names = ("fp32", "bf16", "processor_share", "measured_at")
        return Speeds(**{name: float(values[name]) for name in names})
    return None


def measure_speeds(kind: str) -> Speeds:
    """Measure a convolution forward and backward in both precisions, in a fraction of a second.

    They alternate and the best run of each counts, so that another program that is busy for a
    moment slows both or neither.
    """
    import torch

    step, flops = _convolution(kind)
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16}
    for dtype in dtypes.values():
        step(dtype)  # the first call chooses kernels
    best = dict.fromkeys(dtypes, float("inf"))
    start, had = time.perf_counter(), time.thread_time()
    while time.perf_counter() < start + _MEASURING_S:
        for name, dtype in dtypes.items():
            best[name] = min(best[name], _seconds(step, dtype))
    # A GPU computes by itself, and this thread may sleep meanwhile: its share says nothing.
    on_cpu = kind == "cpu"
    share = (time.thread_time() - had) / (time.perf_counter() - start) if on_cpu else 1.0
    return Speeds(
        fp32=flops / best["fp32"] / 1e9,
        bf16=flops / best["bf16"] / 1e9,
        processor_share=min(share, 1.0),
        measured_at=time.time(),
    )


def _seconds(step: Any, dtype: torch.dtype) -> float:
    start = time.perf_counter()
    step(dtype)
    return time.perf_counter() - start


def _convolution(kind: str) -> tuple[Any, int]:
    """Return a function of the dtype that goes forward and backward once, and its FLOPs."""
    import torch

    # The caller's random stream must not depend on whether the measurement was cached.
    generator = torch.Generator().manual_seed(0)
    layer: Any = torch.nn.utils.skip_init(torch.nn.Conv2d, 64, 128, 3, padding=1)
    with torch.no_grad():
        layer.weight.normal_(generator=generator)
        layer.bias.zero_()
    layer = layer.to(kind).to(memory_format=torch.channels_last)
    x = torch.randn(16, 64, 16, 16, generator=generator).to(kind)
    x = x.to(memory_format=torch.channels_last).requires_grad_()

    def step(dtype: torch.dtype) -> None:
        with torch.autocast(kind, dtype=dtype, enabled=dtype is not torch.float32):
            y = layer(x)
        y.backward(torch.ones_like(y))
        synchronize(kind)

    return step, 3 * 2 * x.shape[0] * 16 * 16 * 64 * 128 * 9
