"""What this machine is and does best: precision, threads, memory layout, allocator.

The choice is made once, by a measurement and not by a processor's flags: some processors with bf16
units multiply slower in bf16 than in fp32. The measurement takes a fraction of a second and is kept
in the cache folder for each processor and torch version, for some weeks (see `speeds`).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import re
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from alexnet.devices.cuda import accelerator_name
from alexnet.devices.forking import usable_threads
from alexnet.devices.speeds import remembered_speeds
from alexnet.errors import RecipeError
from alexnet.files import cache_folder
from alexnet.records import Record

if TYPE_CHECKING:
    import torch

__all__ = [
    "Device",
    "Precision",
    "choose_device",
    "cores",
    "peak_memory_mb",
    "processor",
    "share_cores",
    "supports_bf16",
]

Precision = Literal["auto", "fp32", "bf16"]

_BF16_GAIN = 1.15  # bf16 must be faster by this much before its rounding is accepted


@dataclass(frozen=True, kw_only=True)
class Device(Record):
    """Where and how arithmetic runs; goes into the journal as it is."""

    kind: str  # "cpu" or "cuda"
    processor: str
    precision: str  # "fp32" or "bf16": of convolutions and matrix products; sums stay fp32
    threads: int
    reason: str  # why this precision, for people

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which forward passes run in this precision."""
        import torch

        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.kind, dtype=torch.bfloat16)

    def place(self, network: torch.nn.Module) -> torch.nn.Module:
        """Move a network here, in the memory layout that is fastest (channels last)."""
        import torch

        return network.to(self.kind).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def choose_device(precision: Precision = "auto", threads: int | None = None) -> Device:
    """Choose device and precision, set torch's threads and the allocator, and say why.

    Args:
        precision: "auto" measures; "fp32" and "bf16" are taken as they are.
        threads: threads of arithmetic; None: what OMP_NUM_THREADS says, else every core that this
            process may use.

    Raises:
        RecipeError: `threads` is under 1, or `precision` is unknown.
    """
    import torch

    if threads is not None and threads < 1:
        raise RecipeError(f"threads must be at least 1; got {threads}.")
    if precision not in ("auto", "fp32", "bf16"):
        raise RecipeError(f'precision must be "auto", "fp32" or "bf16"; got "{precision}".')
    threads = usable_threads(threads or _omp_num_threads() or cores())
    torch.set_num_threads(threads)
    _keep_freed_memory()
    accelerator = accelerator_name()
    kind, name = ("cpu", processor()) if accelerator is None else ("cuda", accelerator)
    if kind == "cuda":
        _use_exact_deterministic_kernels()
    if precision != "auto":
        reason = "as requested"
        if kind == "cpu" and precision == "bf16" and not supports_bf16():
            reason += "; this processor has no instructions for bf16 and takes many times as long"
        return Device(
            kind=kind, processor=name, precision=precision, threads=threads, reason=reason
        )
    chosen, reason = _measured_precision(kind, name, threads)
    return Device(kind=kind, processor=name, precision=chosen, threads=threads, reason=reason)


def share_cores() -> None:
    """Set how OpenMP's threads wait and where memory comes from, before torch is imported.

    What the environment says about it is left as it is.
    """
    # GNU's OpenMP lets threads that wait spin some hundred thousand times, which holds a core that
    # another program, or the loader's thread, would use: beside one busy program training was
    # several times slower. The library reads this once, when it is loaded.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    _keep_freed_memory()


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _omp_num_threads() -> int | None:
    """Return OMP_NUM_THREADS where it is set to a number above 0."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdecimal() and int(text) else None


@functools.cache
def processor() -> str:
    """Return the processor's name as the system gives it."""
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text()
        fields = dict(re.findall(r"^(model name|model|cpu family)\s*:\s*(.*)$", text, re.M))
        if "model name" in fields:
            return f"{fields['model name']} family {fields['cpu family']} model {fields['model']}"
    return platform.processor() or platform.machine()


def peak_memory_mb() -> float | None:
    """Return the most memory this process ever held, in MiB; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def supports_bf16() -> bool:
    """Whether oneDNN computes in bf16 on this processor, fast or not."""
    import torch

    operators: Any = torch.ops.mkldnn
    return torch.backends.mkldnn.is_available() and bool(operators._is_mkldnn_bf16_supported())


def _measured_precision(kind: str, name: str, threads: int) -> tuple[str, str]:
    """Return the faster precision and a sentence with both speeds, measured or cached."""
    import torch

    # A virtual machine may hide some of a processor's instructions, and another one not.
    capability = torch.backends.cpu.get_cpu_capability()
    slug = re.sub(
        r"[^A-Za-z0-9.]+", "-", f"{name}-{capability}-{threads}-torch-{torch.__version__}"
    )
    cached = cache_folder() / "measured" / f"{slug}.json"
    speeds = remembered_speeds(cached, kind)
    chosen = "bf16" if speeds.bf16 > _BF16_GAIN * speeds.fp32 else "fp32"
    beside = "" if speeds.quiet else ", beside other programs, so that it is not kept for long"
    return chosen, (
        f"measured: convolution forward and backward {speeds.fp32:.0f} GFLOP/s in fp32, "
        f"{speeds.bf16:.0f} in bf16{beside}"
    )


def _use_exact_deterministic_kernels() -> None:
    """Let a GPU's fp32 be fp32, and its sums be made in the same order each time.

    By default torch multiplies in TF32 inside convolutions (10 bits of a fraction for 23), adds
    parts of bf16 products in bf16, and takes convolutions that add in any order.
    """
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cudnn.deterministic = True
    # cuDNN's benchmark goes by the clock: another process could choose another kernel.
    torch.backends.cudnn.benchmark = False


def _keep_freed_memory() -> None:
    """Tell glibc to keep large freed blocks: a step frees and allocates the same ones again.

    By default malloc maps blocks over 32 MiB anew each time, and the kernel clears every page.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        # One arena for all threads: an arena of a thread's own holds at most 64 MiB, less than a
        # batch, and what does not fit is mapped anew. Threads that ended before leave their arenas
        # to the next ones.
        m_trim_threshold, m_top_pad, m_mmap_threshold, m_arena_max = -1, -2, -3, -8
        libc.mallopt(m_arena_max, 1)
        libc.mallopt(m_mmap_threshold, 1 << 30)
        libc.mallopt(m_trim_threshold, (1 << 31) - 1)
        libc.mallopt(m_top_pad, 256 << 20)
