"""How fast a convolution is in each form: measured, and remembered while it can be trusted.

There are three: float32 as torch computes it, float32 by Winograd's minimal filtering, bfloat16.
What is measured beside busy programs says little, and a machine changes (another kernel, another
limit of a container): a measurement is forgotten after some weeks, one of a busy moment after some
minutes.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet.devices.cuda import synchronize
from alexnet.errors import AlexNetError
from alexnet.files import read_json, write_json
from alexnet.records import Record

if TYPE_CHECKING:
    import torch

__all__ = ["Speeds", "has_winograd", "measure_speeds", "remembered_speeds", "supports_bf16"]

_MEASURING_S = 0.4
_QUIET = 0.8  # processor time over the clock's; the thread waits for others that have its core
_KEPT_S = 30 * 24 * 3600.0
_BUSY_KEPT_S = 600.0  # no second measurement in each of the many calls of a script

# Images, channels in and out, sides of the maps and of the filters: conv2 and conv4 of the paper,
# one of the two towers. Neither would stand for the other: Winograd's gain is 1.5 to 3.
_LAYERS = ((8, 48, 128, 27, 5), (16, 192, 192, 13, 3))


@dataclass(frozen=True, kw_only=True)
class Speeds(Record):
    """GFLOP/s of a convolution forward and backward, and how far they can be trusted.

    Every form's are counted as those of the direct one: what Winograd saves is a gain in speed.
    """

    fp32: float  # as torch computes it
    winograd: float  # in float32, too; 0: there is no such form here
    bf16: float  # 0: the processor has no instructions for it
    processor_share: float  # of the measurement's time in which this thread had a processor, 0..1
    measured_at: float  # seconds since 1970

    @property
    def quiet(self) -> bool:
        """Whether hardly anything else ran meanwhile."""
        return self.processor_share >= _QUIET

    @property
    def sentence(self) -> str:
        """What was measured, for people."""
        by_winograd = f"{self.winograd:.0f} by Winograd, " if self.winograd else ""
        in_bf16 = f"{self.bf16:.0f} in bf16" if self.bf16 else "no instructions for bf16"
        beside = "" if self.quiet else ", beside other programs, so that it is not kept for long"
        return (
            f"measured: convolution forward and backward {self.fp32:.0f} GFLOP/s in fp32, "
            f"{by_winograd}{in_bf16}{beside}"
        )

    def is_current(self, now: float) -> bool:
        """Whether this is young enough at a time (seconds since 1970) to be taken as it is."""
        return 0 <= now - self.measured_at < (_KEPT_S if self.quiet else _BUSY_KEPT_S)


def remembered_speeds(cached: Path, kind: str) -> Speeds:
    """Return the speeds of a file, or measure them and write them there.

    Of two measurements in busy moments the higher speed of each form counts: other programs only
    ever slow it down.

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
            winograd=max(before.winograd, speeds.winograd),
            bf16=max(before.bf16, speeds.bf16),
            processor_share=speeds.processor_share,
            measured_at=speeds.measured_at,
        )
    with contextlib.suppress(AlexNetError):  # a cache that cannot be written is no obstacle
        write_json(cached, speeds.to_json())
    return speeds


def _read(cached: Path) -> Speeds | None:
    """Return what a file holds; None: nothing that can be used, such as one of two forms alone."""
    with contextlib.suppress(AlexNetError, TypeError, ValueError, KeyError):
        values = read_json(cached)
        names = ("fp32", "winograd", "bf16", "processor_share", "measured_at")
        return Speeds(**{name: float(values[name]) for name in names})
    return None


def has_winograd() -> bool:
    """Whether Winograd's form runs here; not without numba (extra: fast)."""
    return bool(_winograd_plans())


def _winograd_plans() -> list[Any]:
    """Return how Winograd's form computes the convolutions that are measured; empty: not at all."""
    try:
        from alexnet.kernels.winograd.plan import make_plan
    except ImportError:
        return []
    plans = [
        make_plan((inputs, side, side), (outputs, inputs, kernel, kernel), 1, kernel // 2, 1)
        for _, inputs, outputs, side, kernel in _LAYERS
    ]
    return plans if None not in plans else []


def supports_bf16() -> bool:
    """Whether oneDNN computes in bf16 on this processor, fast or not."""
    import torch

    operators: Any = torch.ops.mkldnn
    return torch.backends.mkldnn.is_available() and bool(operators._is_mkldnn_bf16_supported())


def measure_speeds(kind: str) -> Speeds:
    """Measure convolutions forward and backward in each form, in a fraction of a second.

    They alternate and the best run of each counts, so that another program that is busy for a
    moment slows all or none.
    """
    steps = _steps(kind)
    for step in steps.values():
        step()  # the first call chooses kernels, or compiles them
    best = dict.fromkeys(steps, float("inf"))
    start, had = time.perf_counter(), time.thread_time()
    while time.perf_counter() < start + _MEASURING_S:
        for name, step in steps.items():
            best[name] = min(best[name], _seconds(step))
    # A GPU computes by itself, and this thread may sleep meanwhile: its share says nothing.
    on_cpu = kind == "cpu"
    share = (time.thread_time() - had) / (time.perf_counter() - start) if on_cpu else 1.0
    flops = sum(3 * 2 * n * side**2 * i * o * kernel**2 for n, i, o, side, kernel in _LAYERS)
    speeds = {name: flops / seconds / 1e9 for name, seconds in best.items()}
    return Speeds(
        **{"winograd": 0.0, "bf16": 0.0, **speeds},
        processor_share=min(share, 1.0),
        measured_at=time.time(),
    )


def _seconds(step: Callable[[], None]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def _steps(kind: str) -> dict[str, Callable[[], None]]:
    """Return for each form that there is here a function that goes forward and backward once."""
    import torch

    layers = _tensors(kind)

    def direct(dtype: torch.dtype) -> None:
        for x, weight, bias, gradient in layers:
            with torch.autocast(kind, dtype=dtype, enabled=dtype is not torch.float32):
                padding = weight.shape[2] // 2
                y = torch.nn.functional.conv2d(x, weight, bias, padding=padding)
            y.backward(gradient.to(y.dtype))
        synchronize(kind)

    steps = {"fp32": lambda: direct(torch.float32)}
    plans = _winograd_plans() if kind == "cpu" else []
    if plans:
        from alexnet.kernels.winograd.function import convolution

        def minimal() -> None:
            for plan, (x, weight, bias, gradient) in zip(plans, layers, strict=True):
                y: torch.Tensor = convolution(plan, x, weight, bias)
                y.backward(gradient)

        steps["winograd"] = minimal
    if kind != "cpu" or supports_bf16():  # without instructions it takes many times as long
        steps["bf16"] = lambda: direct(torch.bfloat16)
    return steps


def _tensors(kind: str) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Return images, weights, biases and gradients of the convolutions that are measured."""
    import torch

    # The caller's random stream must not depend on whether the measurement was cached.
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        values = torch.randn(shape, generator=generator)
        return values.to(kind, memory_format=torch.channels_last)

    return [
        (
            drawn(images, inputs, side, side).requires_grad_(),
            drawn(outputs, inputs, kernel, kernel).requires_grad_(),
            torch.zeros(outputs, device=kind, requires_grad=True),
            drawn(images, outputs, side, side),
        )
        for images, inputs, outputs, side, kernel in _LAYERS
    ]
