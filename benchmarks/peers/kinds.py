"""Each kind of layer that an export writes, small, with the shapes of its inputs."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from alexnet.models import GroupedLayers, SummedLayers
from alexnet.nn import (
    PROGRAM_ACTIVATIONS,
    AvgPool,
    CaffePool,
    ChannelScale,
    Concat,
    ContrastNorm,
    Convolution,
    Dropout,
    Eltwise,
    FullyConnected,
    Grayscale,
    LocallyConnected,
    MaxPool,
    OffsetPool,
    ProgramActivation,
    Reshape,
    ResponseNorm,
    Slice,
)

MAPS = ((12, 7, 6),)
SQUARE = ((12, 7, 7),)


@dataclass(frozen=True)
class Kind:
    """A row of the table."""

    name: str
    layer: nn.Module
    shapes: tuple[tuple[int, ...], ...] = MAPS
    sizes: tuple[float, ...] = (1.0, 300.0)  # deviations of the numbers
    plain: bool = False  # as --plain-operators writes it
    positive: bool = False  # only numbers from 0 on
    int8: bool = False
    alike: float = field(default=1e-4)


def drawn(layer: nn.Module) -> nn.Module:
    """Draw all numbers of a layer."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in layer.state_dict().items():
        if tensor.is_floating_point():
            tensor.normal_(0, 0.3, generator=generator)
        if name.endswith("running_var"):
            tensor.abs_().add_(0.1)
    return layer.eval()


def conv(name: str, layer: nn.Module, **more: object) -> Kind:
    return Kind(name, drawn(layer), **more)


def pools() -> list[Kind]:
    """Max and mean pools by the rules of the program, of Caffe and of layer files."""
    found = [
        Kind("max pooling", MaxPool(3, stride=2, ceiling=False), SQUARE),
        Kind("max pooling over the edge", MaxPool(3, stride=2), ((12, 8, 8),)),
        Kind("mean pooling over the edge", AvgPool(3, stride=2), ((12, 8, 8),)),
    ]
    for kind, word in (("max", "max"), ("avg", "mean")):
        for padding in (0, 1):
            layer = CaffePool(kind, (3, 3), stride=(2, 2), padding=(padding,) * 2)
            padded = ", padded" if padding else ""
            found.append(Kind(f"Caffe's {word} pooling{padded}", layer, ((12, 8, 7),)))
    for kind, word in (("max", "max"), ("avg", "mean"), ("maxabs", "farthest from zero")):
        layer = OffsetPool(kind, 3, stride=2, start=-1, outputs=4)
        found.append(Kind(f"pooling with an offset, {word}", layer, SQUARE))
    return [*found, Kind("mean of each map", CaffePool("avg", (7, 7)), SQUARE)]


def norms() -> list[Kind]:
    """Normalizations, as operators where there is one and written out."""
    readings = {
        "response norm": ResponseNorm(5, alpha=0.1),
        "response norm, towers": ResponseNorm(5, alpha=0.1, towers=2),
        "response norm, k of 1.5": ResponseNorm(5, alpha=0.1, k=1.5),
        "response norm, beta below 0": ResponseNorm(5, alpha=0.1, beta=-0.5),
        "response norm, even window": ResponseNorm(4, alpha=0.1),
        "response norm inside maps": ResponseNorm(3, alpha=0.3, region="spatial"),
        "contrast norm": ContrastNorm(3, alpha=0.3),
    }
    found = [Kind(name, layer) for name, layer in readings.items()]
    name = "response norm"
    return [*found, Kind(f"{name}, `--plain-operators`", readings[name], plain=True)]


def activations() -> list[Kind]:
    """Activations of torch and of the program."""
    own = [("ReLU", nn.ReLU()), ("leaky ReLU", nn.LeakyReLU(0.1)), ("PReLU", drawn(nn.PReLU(12)))]
    own += [("ELU", nn.ELU(0.7)), ("sigmoid", nn.Sigmoid()), ("tanh", nn.Tanh())]
    found = [Kind(name, layer) for name, layer in own]
    for kind, activation in PROGRAM_ACTIVATIONS.items():
        if kind not in ("relu", "logistic", "ident"):  # these are torch's
            layer = ProgramActivation(kind, *(1.5, 0.7)[: activation.parameters])
            found.append(Kind(f"the program's {kind}", layer, positive=kind in ("sqrt", "log")))
    return [*found, Kind("softmax", nn.Softmax(1), ((12,),))]


KINDS = [
    conv("convolution", nn.Conv2d(12, 6, 3, padding=1)),
    conv("convolution over the edge", Convolution(12, 6, kernel=3, stride=2, ceiling=True)),
    conv("grouped convolution", nn.Conv2d(12, 6, 3, groups=3)),
    conv("depthwise convolution", nn.Conv2d(12, 12, 3, groups=12)),
    conv("dilated convolution", nn.Conv2d(12, 6, 3, dilation=2)),
    conv("convolution, int8", nn.Conv2d(12, 6, 3), sizes=(1.0,), int8=True, alike=0.03),
    conv("fully connected", FullyConnected(504, 6)),
    conv("fully connected, int8", FullyConnected(504, 6), sizes=(1.0,), int8=True, alike=0.03),
    conv(
        "locally connected",
        LocallyConnected(12, 4, positions=7, kernel=3, padding=1),
        shapes=SQUARE,
    ),
    conv("batch normalization", nn.BatchNorm2d(12)),
    conv("scale and shift of channels", ChannelScale((12,), axis=1, bias=True)),
    *norms(),
    *pools(),
    *activations(),
    Kind("dropout as printed", Dropout(0.5)),
    Kind("luma", Grayscale("BGR"), ((3, 7, 6),)),
    *(Kind(f"{what} of layers", Eltwise(what), MAPS * 2) for what in ("sum", "product", "max")),
    Kind("sum with coefficients", Eltwise("sum", (1.0, -0.5)), MAPS * 2),
    Kind("concatenation", Concat(1), MAPS * 2),
    Kind("slice of channels", Slice(1, 3, 5)),
    Kind("reshape", Reshape((6, 14, 6))),
    Kind("flatten", nn.Flatten()),
    conv(
        "sum of convolutions",
        SummedLayers([nn.Conv2d(12, 6, 3) for _ in range(2)], bias=torch.ones(6, 1, 1)),
        shapes=MAPS * 2,
    ),
    conv("groups of layers", GroupedLayers([nn.Conv2d(6, 4, 3), nn.Conv2d(6, 4, 3)])),
]
