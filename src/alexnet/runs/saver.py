"""Saving beside the training: a thread that writes tensors, or copies of those that change."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

__all__ = ["Saver"]


class Saver:
    """Writes tensors in a thread of its own, one write at a time.

    Memory is bounded by one copy of those that may change meanwhile, whose buffers are used again.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "saving")
        self._copies: dict[str, Tensor] = {}
        self._write: Future[None] | None = None
        self.writing_s: float | None = None  # what the last finished write took

    def save(
        self,
        tensors: Mapping[str, Tensor],
        write: Callable[[dict[str, Tensor]], None],
        *,
        held: Collection[str] = (),
    ) -> None:
        """Copy `tensors` to the CPU and have `write` called with the copies, in the thread.

        The caller waits for the copying, and before it for the write that is under way.

        Args:
            tensors: by name.
            write: must not need any of them when it has returned.
            held: names of those on the CPU that are not copied, because they stay as they are
                until `write` has said that it read them, or has returned.

        Raises:
            AlexNetError: what the write before raised.
        """
        self.wait()
        copies = {
            name: tensor.detach() if name in held else self._copied(name, tensor)
            for name, tensor in tensors.items()
        }
        self._write = self._thread.submit(self._timed, write, copies)

    def check(self) -> None:
        """Raise what the last write raised, without waiting for one that is under way."""
        if self._write is not None and self._write.done():
            self.wait()

    def wait(self) -> None:
        """Wait until nothing is being written, and raise what the last write raised."""
        if self._write is not None:
            self._write.exception()  # may be broken off by Ctrl-C, and is then still under way
            written, self._write = self._write, None
            written.result()

    def release(self) -> None:
        """Wait as `wait` does, and let go of the copies' memory."""
        self.wait()
        self._copies.clear()

    def close(self) -> None:
        """Wait for the thread; what the last write raised is raised by `wait` alone."""
        self._thread.shutdown()

    def _copied(self, name: str, tensor: Tensor) -> Tensor:
        copy = self._copies.get(name)
        if copy is None or copy.shape != tensor.shape or copy.dtype != tensor.dtype:
            # In the order in which it is written, so that the thread only reads it.
            copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
            self._copies[name] = copy
        return copy.copy_(tensor.detach())

    def _timed(self, write: Callable[[dict[str, Tensor]], None], copies: dict[str, Tensor]) -> None:
        started = time.perf_counter()
        write(copies)
        self.writing_s = time.perf_counter() - started
