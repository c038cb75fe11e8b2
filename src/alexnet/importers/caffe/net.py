"""A network as it is tested: the layers of that phase, and what they take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from alexnet.errors import WeightsError
from alexnet.importers.caffe.caffe_layer import CaffeLayer
from alexnet.importers.caffe.generations import layers_of
from alexnet.importers.caffe.inputs import (
    ImageInput,
    data_inputs,
    declared_inputs,
    makes_images,
)
from alexnet.importers.caffe.message import Message
from alexnet.importers.caffe.prototxt import read_prototxt
from alexnet.importers.caffe.solver import is_solver, network_of_solver

__all__ = ["CaffeNet", "read_net"]

_STAGES = {"deploy"}  # the programs that use stages call the one for answering so


@dataclass(frozen=True)
class CaffeNet:
    """A network in its testing phase: what it takes, and its layers in order.

    Attributes:
        name: of the network, else of its file.
        path: the file that it stands in.
        images: what it takes.
        layers: that compute.
        message: the whole description.
        data_layers: that make the images.
        training: what its training did to the images, where the testing phase does not say.
        remarks: where it was found, in sentences.
    """

    name: str
    path: Path
    images: tuple[ImageInput, ...]
    layers: tuple[CaffeLayer, ...]
    message: Message
    data_layers: tuple[CaffeLayer, ...] = ()
    training: ImageInput | None = None
    remarks: tuple[str, ...] = ()


def read_net(path: Path) -> CaffeNet:
    """Read a description of any generation, for deployment or for training, or a solver's.

    Layers of the training phase alone are left out; data layers become inputs.

    Raises:
        WeightsError: no description of a network, or one that contradicts itself.
    """
    top, remarks = read_prototxt(path), ()
    if is_solver(top):
        top, place = network_of_solver(top, path)
        named = "" if place == path else f": {place}"
        remarks, path = (f"The network is the one of the solver {path}{named}.",), place
    every = layers_of(top)
    if not every:
        raise WeightsError(
            f"{path} describes no layers. Give a .prototxt of a network: for deployment, or for "
            "training and testing."
        )
    state = top.message("state")
    tested = [each for each in every if _in_test(each.message, state)]
    data = [each for each in tested if makes_images(each)]
    if not data and not top.has("input"):  # a description for training alone
        data = [each for each in every if makes_images(each)]
    images = [*declared_inputs(top), *(image for each in data for image in data_inputs(each))]
    return CaffeNet(
        top.text("name") or path.stem,
        path,
        tuple(images),
        tuple(each for each in tested if not makes_images(each)),
        top,
        tuple(data),
        _training(every),
        remarks,
    )


def _training(layers: list[CaffeLayer]) -> ImageInput | None:
    """Return what the first data layer that says so does to images, of whatever phase."""
    for layer in layers:
        if makes_images(layer) and layer.tops and (found := data_inputs(layer)[0]).is_prepared:
            return replace(found, blob=layer.tops[0])
    return None


def _in_test(message: Message, state: Message) -> bool:
    """Return whether a layer is there in the testing phase (Caffe's include and exclude)."""
    include, exclude = message.messages("include"), message.messages("exclude")
    if include:
        return any(_met(rule, state) for rule in include)
    return not any(_met(rule, state) for rule in exclude)


def _met(rule: Message, state: Message) -> bool:
    if rule.word("phase", ("TRAIN", "TEST", "0", "1"), "TEST") not in ("TEST", "1"):
        return False
    level, stages = state.whole("level", 0, -(2**31)), _STAGES | set(state.texts("stage"))
    lowest, highest = (rule.whole(f"{end}_level", level, -(2**31)) for end in ("min", "max"))
    if not lowest <= level <= highest:
        return False
    return set(rule.texts("stage")) <= stages and not set(rule.texts("not_stage")) & stages
