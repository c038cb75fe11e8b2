"""Which layers answer: from the end of the network back to its picture.

Blobs may be written over (a ReLU in place), so each layer's inputs are resolved to the layer that
wrote them last. Losses, accuracies and branches that no answer comes from are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from alexnet.errors import WeightsError
from alexnet.importers.caffe.net import CaffeLayer, CaffeNet, Picture

__all__ = ["Plan", "Source", "plan_of"]

_AFTER_THE_END = frozenset(("Accuracy", "ArgMax", "Silence", "HDF5Output"))


@dataclass(frozen=True)
class Source:
    """Where a blob comes from: a layer (None: the picture), and which of its tops it is."""

    layer: int | None
    top: int = 0


@dataclass(frozen=True)
class Plan:
    """The layers that are needed, in order, with the sources of their inputs, and the answer."""

    picture: Picture
    layers: tuple[tuple[int, CaffeLayer, tuple[Source, ...]], ...]
    answer: Source


def plan_of(net: CaffeNet) -> Plan:
    """Find the answer of a network and what it needs.

    A softmax at the end is left out, since our networks answer with what stands before it. Of
    several losses the last one's input is the answer.

    Raises:
        WeightsError: no answer, several, or an input that nothing makes.
    """
    inputs = {each.blob: place for place, each in enumerate(net.pictures)}
    written: dict[str, Source] = {}
    sources: dict[int, tuple[Source, ...]] = {}
    taken: set[Source] = set()
    lost: list[Source] = []
    for place, layer in enumerate(net.layers):
        ended = layer.type in _AFTER_THE_END or layer.type.endswith("Loss")
        found: list[Source] = []
        for blob in layer.bottoms[:1] if ended else layer.bottoms:
            if blob not in written and blob not in inputs:
                raise layer.error(f'takes "{blob}", which nothing before it makes.')
            found.append(written.get(blob, Source(None, inputs.get(blob, 0))))
        if ended:
            lost += found if layer.type.endswith("Loss") else []
            continue
        sources[place] = tuple(found)
        taken |= set(found)
        written |= {blob: Source(place, top) for top, blob in enumerate(layer.tops)}
    ends = [
        Source(place, top)
        for place in sources
        for top in range(len(net.layers[place].tops))
        if Source(place, top) not in taken
    ]
    answer = _without_softmax(net, sources, _answer(net, ends, lost))
    needed = _needed(sources, answer)
    used = {each.top for place in needed for each in sources[place] if each.layer is None}
    if len(used) != 1:
        raise WeightsError(
            f"{net.path} describes a network whose answer needs {len(used)} inputs; networks that "
            "take one picture can be read."
        )
    layers = tuple((place, net.layers[place], sources[place]) for place in sorted(needed))
    return Plan(net.pictures[used.pop()], layers, answer)


def _answer(net: CaffeNet, ends: list[Source], lost: list[Source]) -> Source:
    """Choose among the blobs that no layer takes any more."""
    losses = [each for each in lost if each.layer is not None]
    if losses:
        return losses[-1]
    if len(ends) == 1:
        return ends[0]
    names = ", ".join(f'"{net.layers[e.layer].name}"' for e in ends if e.layer is not None)
    raise WeightsError(
        f"{net.path} describes a network with {len(ends)} answers ({names or 'none'}); a network "
        "that classifies has one. Take the layers of the others out of the description."
    )


def _without_softmax(
    net: CaffeNet, sources: dict[int, tuple[Source, ...]], answer: Source
) -> Source:
    while answer.layer is not None and net.layers[answer.layer].type == "Softmax":
        before = sources[answer.layer]
        if len(before) != 1:
            raise net.layers[answer.layer].error(f"takes {len(before)} inputs instead of one.")
        answer = before[0]
    return answer


def _needed(sources: dict[int, tuple[Source, ...]], answer: Source) -> set[int]:
    """Return the places of all layers that the answer comes from."""
    found: set[int] = set()
    waiting = [answer.layer]
    while waiting:
        place = waiting.pop()
        if place is not None and place not in found:
            found.add(place)
            waiting += [each.layer for each in sources[place]]
    return found
