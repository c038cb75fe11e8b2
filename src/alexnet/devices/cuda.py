"""What is asked of an accelerator: is one there, its memory, memory it copies from, its queues.

All that the package says to `torch.cuda` for data and devices is said here, and every request has
an answer on a processor too, so that the same code runs there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["Lane", "accelerator_name", "finish", "free_bytes", "mark", "pinned", "reach"]


def accelerator_name() -> str | None:
    """Return the accelerator's name; None where there is none."""
    cuda = _cuda()
    return cuda.get_device_name() if cuda.is_available() else None


def free_bytes(device_kind: str) -> int:
    """Return the memory of the device that nobody holds; none of a processor's is meant."""
    return 0 if device_kind == "cpu" else int(_cuda().mem_get_info()[0])


def finish(device_kind: str) -> None:
    """Wait for all that the device was asked to do."""
    if device_kind != "cpu":
        _cuda().synchronize()


def pinned(shape: tuple[int, ...], dtype: torch.dtype, device_kind: str) -> torch.Tensor:
    """Return memory of the processor, not filled, from which the device copies by itself.

    Torch keeps what was freed for the next request, but no earlier than when copies that were
    asked for are done: nobody needs to wait before letting go of it.
    """
    import torch

    return torch.empty(shape, dtype=dtype, pin_memory=device_kind != "cpu")


def mark(device_kind: str) -> Any:
    """Return a mark behind all that this thread's queue was asked for so far."""
    if device_kind == "cpu":
        return None
    cuda = _cuda()
    event = cuda.Event(blocking=True)
    event.record(cuda.current_stream())
    return event


def reach(found: Any) -> None:
    """Wait until the device is at a mark; the thread sleeps meanwhile."""
    if found is not None:
        found.synchronize()


class Lane:
    """A queue of its own beside the one that trains: copies and kernels in it wait for nobody.

    On a processor work is done where it is asked for, and all of this does nothing.

    Args:
        device_kind: "cpu" or "cuda".
    """

    def __init__(self, device_kind: str) -> None:
        self._kind = device_kind
        self._stream: Any = None

    def beside(self) -> AbstractContextManager[object]:
        """Return the context in which this thread's requests go to the lane."""
        if self._kind == "cpu":
            return contextlib.nullcontext()
        cuda = _cuda()
        if self._stream is None:
            self._stream = cuda.Stream()
        return cuda.stream(self._stream)

    def hand_over(self, made: Any, tensors: Iterable[torch.Tensor]) -> None:
        """Let this thread's queue use what was made on the lane.

        The queue goes on when the lane is at the mark, which holds up no thread; and memory that is
        let go of later is not used for anything else before the queue is through with it.

        Args:
            made: a mark behind the work that filled the tensors.
            tensors: allocated on the lane.
        """
        if made is None:
            return
        stream = _cuda().current_stream()
        stream.wait_event(made)
        for each in tensors:
            each.record_stream(stream)


def _cuda() -> Any:
    import torch

    return torch.cuda
