"""What this machine is and does best: precision, convolutions, threads, memory layout, allocator.

The choice is made once, by a measurement and not by a processor's flags: some processors with bf16
units multiply slower in bf16 than in fp32, and by Winograd's form fp32 may be as fast as bf16. The
measurement takes a fraction of a second and is kept in the cache folder for each processor, torch
and numba, for some weeks (see `speeds`).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import re
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from alexnet.devices.convolution_form import ConvolutionForm, convolving
from alexnet.devices.cuda import accelerator_name
from alexnet.devices.forking import usable_threads
from alexnet.devices.speeds import Speeds, remembered_speeds, supports_bf16
from alexnet.devices.waiting import let_waiting_threads_sleep, share_cores_of_openmp
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
    "default_threads",
    "peak_memory_mb",
    "processor",
    "return_freed_memory",
    "share_cores",
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
    reason: str  # why this form, for people
    convolutions: ConvolutionForm = "torch"  # their form where they compute in fp32

    @contextlib.contextmanager
    def arithmetic(self) -> Generator[None]:
        """Compute forward passes in this precision, and convolutions in this form."""
        import torch

        with convolving(self.convolutions):
            if self.precision == "fp32":
                yield
            else:
                with torch.autocast(self.kind, dtype=torch.bfloat16):
                    yield

    def place(self, network: torch.nn.Module) -> torch.nn.Module:
        """Move a network here, in the memory layout that is fastest (channels last)."""
        import torch

        return network.to(self.kind).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def choose_device(
    precision: Precision = "auto",
    threads: int | None = None,
    *,
    exact_convolutions: bool = False,
) -> Device:
    """Choose device, precision and the form of convolutions, and say why.

    Torch's threads and the allocator are set.

    Args:
        precision: "auto" measures; "fp32" and "bf16" are taken as they are.
        threads: threads of arithmetic; None: what OMP_NUM_THREADS says, else every core that this
            process may use.
        exact_convolutions: in fp32 convolve as torch does, whatever is faster.

    Raises:
        RecipeError: `threads` is under 1, or `precision` is unknown.
    """
    import torch

    if threads is not None and threads < 1:
        raise RecipeError(f"threads must be at least 1; got {threads}.")
    if precision not in ("auto", "fp32", "bf16"):
        raise RecipeError(f'precision must be "auto", "fp32" or "bf16"; got "{precision}".')
    threads = usable_threads(threads or default_threads())
    torch.set_num_threads(threads)
    let_waiting_threads_sleep(threads, cores())
    _keep_freed_memory()
    accelerator = accelerator_name()
    kind, name = ("cpu", processor()) if accelerator is None else ("cuda", accelerator)
    if kind == "cuda":
        _use_exact_deterministic_kernels()
    chosen, form, reason = _fastest(kind, name, threads, precision, exact=exact_convolutions)
    return Device(
        kind=kind,
        processor=name,
        precision=chosen,
        threads=threads,
        reason=reason,
        convolutions=form,
    )


def _fastest(
    kind: str, name: str, threads: int, precision: Precision, *, exact: bool
) -> tuple[str, ConvolutionForm, str]:
    """Return the fastest precision and form of convolutions that may be taken, and why."""
    whys = _requests(precision, exact=exact)
    if kind == "cpu" and precision == "bf16" and not supports_bf16():
        whys += ["this processor has no instructions for bf16 and takes many times as long"]
    if precision != "auto" and (exact or kind != "cpu"):  # nothing is left to choose
        return precision, "torch", "; ".join(whys)
    speeds = _speeds(kind, name, threads)
    by_winograd = not exact and speeds.winograd > speeds.fp32
    fp32 = speeds.winograd if by_winograd else speeds.fp32
    chosen = "bf16" if speeds.bf16 > _BF16_GAIN * fp32 else "fp32"
    return (
        chosen if precision == "auto" else precision,
        "winograd" if by_winograd else "torch",
        "; ".join([*whys, speeds.sentence]),
    )


def _requests(precision: Precision, *, exact: bool) -> list[str]:
    if exact:
        what = "exact convolutions" if precision == "auto" else "precision and exact convolutions"
        return [f"{what} as requested"]
    return [] if precision == "auto" else ["as requested"]


def share_cores() -> None:
    """Set how OpenMP's threads wait and where memory comes from, before torch is imported.

    What the environment says about it is left as it is.
    """
    share_cores_of_openmp()
    _keep_freed_memory()


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_threads() -> int:
    """Return OMP_NUM_THREADS where it is set to a number above 0, else how many cores there are."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdecimal() and int(text) else cores()


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


def _speeds(kind: str, name: str, threads: int) -> Speeds:
    """Return the speeds of this machine's convolutions, measured or cached."""
    from importlib.metadata import PackageNotFoundError, version  # takes long to import

    import torch

    try:
        numba = version("numba")  # compiles Winograd's form, which is missing without it
    except PackageNotFoundError:
        numba = "none"
    # A virtual machine may hide some of a processor's instructions, and another one not.
    capability = torch.backends.cpu.get_cpu_capability()
    facts = f"{name}-{capability}-{threads}-torch-{torch.__version__}-numba-{numba}"
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", facts)
    return remembered_speeds(cache_folder() / "measured" / f"{slug}.json", kind)


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


def return_freed_memory() -> None:
    """Give the system what was freed and kept; takes some 50 ms, and it has to be cleared anew.

    For the end of a part of the work that allocates other blocks than what follows.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


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
