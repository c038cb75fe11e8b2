"""The step as one CUDA graph: its operators are recorded once and started together ever after.

A small network on a GPU waits for Python, which starts some hundred operators a step; a graph is
started by one call. Before it is used, its first step is held against the same step made operator
by operator. Whatever a graph cannot do is made that way, too: another size of batch, for one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from alexnet.devices import Device

__all__ = ["Capture", "CudaGraphStep", "StepFunction", "StepResult", "capture_for", "cuda_graph"]

StepResult = tuple[Tensor, Tensor]
"""A batch's mean loss and its number of errors, both ()."""

StepFunction = Callable[[Tensor, Tensor], StepResult]
"""Makes a step on images and labels that lie on the device; no value comes to the host."""

Capture = Callable[[Callable[[], None]], Callable[[], None]]
"""`capture(function)` gives what repeats all that a function does on the device, in its memory.

It may call the function as often as it likes: what that changes is put back.
"""

_WARM = 3  # runs before a capture: libraries choose kernels and take memory in the first ones
_LAST_BITS = 4  # by which numbers may differ besides
_log = logging.getLogger(__name__)


def capture_for(device: Device, *, own: bool) -> tuple[Capture | None, str]:
    """Return what makes graphs on a device, or None; and in the second place why not.

    Args:
        device: where the training runs.
        own: whether the network is made of our own layers alone: an external model may read values
            of tensors in its forward pass, and a graph cannot.
    """
    if device.kind != "cuda":
        return None, "only GPUs have graphs"
    if not own:
        return None, "the network is an external model"
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return None, "several processes train together"
    return cuda_graph, ""


def cuda_graph(function: Callable[[], None]) -> Callable[[], None]:
    """Capture a function's work as a CUDA graph, after warm-up runs on a stream of its own.

    Random numbers come from the default generator: torch gives a graph that generator's seed and
    offset anew at each start, so a seed that is set before holds for the graph as for operators.

    Raises:
        RuntimeError: the function does what cannot be captured, or memory is lacking.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    graph = torch.cuda.CUDAGraph()
    # A capture that fails leaves its stream as the current one: the outer block takes that back.
    with torch.cuda.stream(side):
        for _ in range(_WARM):
            function()
        # The loader's thread takes memory on the device meanwhile; it may.
        with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
            function()
    torch.cuda.current_stream().wait_stream(side)
    return graph.replay


@dataclass
class _Graph:
    """A graph, the memory that it reads, and where it leaves its result."""

    key: Hashable
    layout: Hashable  # of the batches that it was made for
    images: Tensor
    labels: Tensor
    replay: Callable[[], None]
    result: list[StepResult]

    def start(self, images: Tensor, labels: Tensor, seed: int) -> StepResult:
        self.images.copy_(images, non_blocking=True)
        self.labels.copy_(labels, non_blocking=True)
        torch.manual_seed(seed)
        self.replay()
        return self.result[0]


class CudaGraphStep:
    """Makes steps by a graph, where that is possible and has shown to be right.

    Args:
        capture: makes graphs.
        tensors: every tensor that a step changes, by name; they stay the same tensors.

    Attributes:
        failure: why there are no graphs any more, for people; None: there may be.
    """

    def __init__(self, capture: Capture, tensors: Mapping[str, Tensor]) -> None:
        self.failure: str | None = None
        self._capture, self._tensors = capture, tensors
        self._graph: _Graph | None = None

    def __call__(
        self,
        step: StepFunction,
        images: Tensor,
        labels: Tensor,
        *,
        seed: int,
        key: Hashable,
        tolerance: float,
    ) -> StepResult | None:
        """Make a step; None: it has to be made operator by operator, and nothing has happened.

        Args:
            step: makes the step.
            images: (N, 3, c, c), on any device.
            labels: (N,) int64, likewise.
            seed: of the step's random numbers.
            key: what a graph is made for besides the batch: for another one it is made anew.
            tolerance: how far the first step may be from the same step operator by operator, as a
                share of its length.

        Returns:
            The result; it holds until the next step.
        """
        graph = self._graph
        if self.failure is not None:
            return None
        if graph is not None and graph.key == key and len(labels) <= len(graph.labels):
            fits = graph.layout == _layout(images, labels)
            return graph.start(images, labels, seed) if fits else None
        graph = self._graph = None  # its memory is free for the new one
        return self._capture_first(step, images, labels, seed=seed, key=key, tolerance=tolerance)

    def _capture_first(
        self,
        step: StepFunction,
        images: Tensor,
        labels: Tensor,
        *,
        seed: int,
        key: Hashable,
        tolerance: float,
    ) -> StepResult | None:
        """Make a step operator by operator, then again by a new graph, and compare the two."""
        before: dict[str, Tensor] = {}
        expected: dict[str, Tensor] = {}
        plain: StepResult | None = None
        try:
            before, expected = self._copies(), self._copies()
            device = next(iter(self._tensors.values())).device
            still = [torch.empty_like(each, device=device) for each in (images, labels)]
            still[0].copy_(images)
            still[1].copy_(labels)
            torch.manual_seed(seed)
            plain = step(still[0], still[1])
            _copy(self._tensors, expected)
            if not bool(torch.isfinite(plain[0])):
                return plain  # there is nothing to compare; the loop will say so
            with torch.random.fork_rng([] if device.type == "cpu" else [device.index]):
                replay, result = self._captured(step, still[0], still[1], seed, before)
                layout = _layout(images, labels)
                graph = _Graph(key, layout, still[0], still[1], replay, result)
                replayed = graph.start(images, labels, seed)
            difference = _difference({"loss": replayed[0]}, {"loss": plain[0]}, {}, tolerance)
            difference = difference or _difference(self._tensors, expected, before, tolerance)
            if difference is None:
                self._graph = graph
                return replayed
            self._give_up(f"a graph of it gave other results: {difference}")
        except RuntimeError as error:
            first = str(error).partition("\n")[0].rstrip(".")
            self._give_up(f"capturing it failed: {first or type(error).__name__}")
        _copy(expected if plain is not None else before, self._tensors)
        return plain

    def _captured(
        self,
        step: StepFunction,
        images: Tensor,
        labels: Tensor,
        seed: int,
        before: Mapping[str, Tensor],
    ) -> tuple[Callable[[], None], list[StepResult]]:
        """Capture a step; all that it changes is afterward what it was before."""
        result: list[StepResult] = []

        def function() -> None:
            result[:] = [step(images, labels)]

        _copy(before, self._tensors)
        torch.manual_seed(seed)
        replay = self._capture(function)
        _copy(before, self._tensors)
        return replay, result

    def _copies(self) -> dict[str, Tensor]:
        return {name: each.detach().clone() for name, each in self._tensors.items()}

    def _give_up(self, why: str) -> None:
        """Make no graphs any more, and say so."""
        self.failure = why
        _log.warning(
            "The training step is not used as one CUDA graph: %s. Its operators are started one "
            "by one; results are the same, only slower on small networks.",
            why,
        )


def _layout(images: Tensor, labels: Tensor) -> Hashable:
    """Return how a batch lies in memory."""
    return tuple((each.shape, each.dtype, each.stride()) for each in (images, labels))


@torch.no_grad()
def _copy(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    for name, each in source.items():
        target[name].copy_(each)


@torch.no_grad()
def _difference(
    actual: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    before: Mapping[str, Tensor],
    tolerance: float,
) -> str | None:
    """Say which tensor is elsewhere than it should be, by more than rounding; None: none is.

    Lengths are compared, of the difference and of the step (`before` to `expected`, else from 0).
    """
    for name, own in actual.items():
        to, origin = expected[name], before.get(name)
        step = _length(to if origin is None else to - origin)
        eps = torch.finfo(own.dtype).eps if own.is_floating_point() else 0.0
        apart = _length(own - to)
        if not apart <= tolerance * step + _LAST_BITS * eps * _length(to):
            return f"{name} by {apart / step:.2g} of the step" if step else f"{name} moved"
    return None


def _length(x: Tensor) -> float:
    exact = x if x.is_floating_point() else x.double()
    linalg: Any = torch.linalg  # untyped
    return float(linalg.vector_norm(exact, dtype=torch.float64))
