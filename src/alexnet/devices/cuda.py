"""What the package asks of `torch.cuda`: name, free memory, pinned memory, streams and events.

Every request has an answer on a processor too, so that the same code runs there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = [
    "SideStream",
    "accelerator_name",
    "empty_pinned",
    "free_bytes",
    "record_event",
    "synchronize",
    "wait_event",
]


def accelerator_name() -> str | None:
    """Return the accelerator's name; None where there is none."""
    cuda = _cuda()
    return cuda.get_device_name() if cuda.is_available() else None


def free_bytes(device_kind: str) -> int:
    """Return the device memory that no program holds; 0 for "cpu"."""
    return 0 if device_kind == "cpu" else int(_cuda().mem_get_info()[0])


def synchronize(device_kind: str) -> None:
    """Wait for all work that the device was given."""
    if device_kind != "cpu":
        _cuda().synchronize()


def empty_pinned(shape: tuple[int, ...], dtype: torch.dtype, device_kind: str) -> torch.Tensor:
    """Return uninitialized host memory, pinned so that copies to the device are asynchronous.

    Torch's caching allocator gives freed memory out again, but not before the copies that read it
    are done: nobody needs to wait before dropping it.
    """
    import torch

    return torch.empty(shape, dtype=dtype, pin_memory=device_kind != "cpu")


def record_event(device_kind: str) -> Any:
    """Return an event after all work of this thread's current stream so far; None for "cpu"."""
    if device_kind == "cpu":
        return None
    cuda = _cuda()
    event = cuda.Event(blocking=True)  # whoever waits sleeps instead of holding a core
    event.record(cuda.current_stream())
    return event


def wait_event(event: Any) -> None:
    """Let this thread sleep until the device has reached an event."""
    if event is not None:
        event.synchronize()


class SideStream:
    """A stream beside the one that trains: copies and kernels in it run alongside.

    On a processor work is done where it is asked for, and all of this does nothing.

    Args:
        device_kind: "cpu" or "cuda".
    """

    def __init__(self, device_kind: str) -> None:
        self._kind = device_kind
        self._stream: Any = None

    def context(self) -> AbstractContextManager[object]:
        """Return the context in which this thread's current stream is this one."""
        if self._kind == "cpu":
            return contextlib.nullcontext()
        cuda = _cuda()
        if self._stream is None:
            self._stream = cuda.Stream()
        return cuda.stream(self._stream)

    def make_available(self, event: Any, tensors: Iterable[torch.Tensor]) -> None:
        """Let this thread's current stream use what was made in the side stream.

        The current stream waits for the event on the device, which blocks no thread. And the
        tensors' memory, which the allocator would give out again as soon as the side stream is
        done with it, is recorded as in use by the current stream.

        Args:
            event: recorded after the work that filled the tensors.
            tensors: allocated in the side stream.
        """
        if event is None:
            return
        stream = _cuda().current_stream()
        stream.wait_event(event)
        for tensor in tensors:
            tensor.record_stream(stream)


def _cuda() -> Any:
    import torch

    return torch.cuda
