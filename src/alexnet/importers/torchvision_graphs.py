"""Networks of torchvision's state dicts beside its alexnet, each written out as a graph.

A state dict holds tensors and no graph: which network they are of shows in their names, and how it
computes is known from its paper. ResNet: He et al. 2015 (in torchvision's form the stride lies in
the 3 x 3 convolution); VGG: Simonyan and Zisserman 2014; SqueezeNet: Iandola et al. 2016, with
pooling windows that may reach over the edge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from alexnet.models import INPUT, VERSION

__all__ = ["ARCHITECTURES", "GraphOfTensors"]


@dataclass
class GraphOfTensors:
    """A graph while it is written out, and where each of its tensors stands in the state dict.

    Attributes:
        name: of the network.
        head: name of the last layer in the state dict; its bias has K numbers.
        nodes: in order, as a description has them.
        origins: by our tensor's name, torchvision's.
    """

    name: str
    head: str
    nodes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    origins: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, name: str, op: str, *inputs: str, **settings: Any) -> str:
        """Append a node; without inputs it takes the one before. Return its name."""
        before = self.nodes[-1]["name"] if self.nodes else INPUT
        if op == "relu":
            settings = {"slope": 0.0}
        node = {"name": name, "op": op, "inputs": list(inputs or (before,)), **settings}
        self.nodes.append(node)
        return name

    def conv(self, theirs: str, outputs: int, kernel: int, *inputs: str, **settings: Any) -> str:
        """Append a convolution whose tensors have torchvision's name `theirs`."""
        bias = settings.pop("bias", True)
        shape = {"stride": 1, "padding": 0, **settings}
        options = {key: [side, side] for key, side in {"kernel": kernel, **shape}.items()}
        options["dilation"] = [1, 1]
        name = self.add(
            _plain(theirs), "conv", *inputs, outputs=outputs, groups=1, bias=bias, **options
        )
        self._keep(name, theirs, ("weight", "bias") if bias else ("weight",))
        return name

    def batch_norm(self, theirs: str) -> str:
        """Append a batch normalization: statistics, then factor and summand."""
        name = _plain(theirs)
        self.add(name, "batch_norm", eps=1e-5)
        self._keep(name, theirs, ("running_mean", "running_var"))
        scale = self.add(f"{name}_scale", "scale", axis=1, axes=1, bias=True)
        self._keep(scale, theirs, ("weight", "bias"))
        return scale

    def linear(self, theirs: str, outputs: int) -> str:
        """Append a fully connected layer."""
        name = self.add(_plain(theirs), "linear", outputs=outputs, bias=True)
        self._keep(name, theirs, ("weight", "bias"))
        return name

    def pool(self, name: str, kind: str, kernel: int, stride: int, **settings: Any) -> str:
        """Append a pooling layer."""
        sides = {"kernel": kernel, "stride": stride, "padding": settings.pop("padding", 0)}
        pairs = {key: [side, side] for key, side in sides.items()}
        return self.add(name, "pool", kind=kind, ceiling=settings.pop("ceiling", False), **pairs)

    def flatten(self, name: str = "flat") -> str:
        """Append what makes a row of a map."""
        return self.add(name, "flatten", axis=1, end=3)

    def description(self, classes: int) -> dict[str, Any]:
        """Return the graph as `build_model` takes it."""
        return {"version": VERSION, "name": self.name, "classes": classes, "nodes": self.nodes}

    def _keep(self, ours: str, theirs: str, kinds: tuple[str, ...]) -> None:
        self.origins |= {f"{ours}.{kind}": f"{theirs}.{kind}" for kind in kinds}


def _plain(name: str) -> str:
    return name.replace(".", "_")


def _resnet(name: str, blocks: tuple[int, ...], *, bottleneck: bool) -> GraphOfTensors:
    graph = GraphOfTensors(name, "fc")
    graph.conv("conv1", 64, 7, stride=2, padding=3, bias=False)
    graph.batch_norm("bn1")
    graph.add("relu1", "relu")
    out = graph.pool("maxpool", "max", 3, 2, padding=1)
    channels = 64
    for stage, count in enumerate(blocks, 1):
        width = 64 << (stage - 1)
        outputs = 4 * width if bottleneck else width
        for number in range(count):
            stride = 2 if stage > 1 and number == 0 else 1
            place = f"layer{stage}.{number}"
            shortcut = stride > 1 or channels != outputs
            out = _block(graph, place, out, (width, outputs, stride), shortcut=shortcut)
            channels = outputs
    graph.add("avgpool", "pool", kind="avg", stride=[1, 1], padding=[0, 0], ceiling=False)
    graph.flatten()
    graph.linear("fc", 1000)
    return graph


def _block(
    graph: GraphOfTensors, place: str, before: str, sizes: tuple[int, int, int], *, shortcut: bool
) -> str:
    """Append a residual block: 3 x 3, 3 x 3; or 1 x 1, 3 x 3, 1 x 1 where it has a bottleneck."""
    width, outputs, stride = sizes
    bottleneck = outputs != width
    kernels = ((1, width), (3, width), (1, outputs)) if bottleneck else ((3, width), (3, outputs))
    strided = 1 if bottleneck else 0
    main = before
    for number, (kernel, channels) in enumerate(kernels):
        inputs = (before,) if number == 0 else ()
        step = stride if number == strided else 1
        theirs = f"{place}.conv{number + 1}"
        graph.conv(theirs, channels, kernel, *inputs, stride=step, padding=kernel // 2, bias=False)
        main = graph.batch_norm(f"{place}.bn{number + 1}")
        if number < len(kernels) - 1:
            graph.add(f"{_plain(place)}_relu{number + 1}", "relu")
    side = before
    if shortcut:
        graph.conv(f"{place}.downsample.0", outputs, 1, before, stride=stride, bias=False)
        side = graph.batch_norm(f"{place}.downsample.1")
    graph.add(f"{_plain(place)}_sum", "sum", main, side, coefficients=[1.0, 1.0])
    return graph.add(f"{_plain(place)}_relu", "relu")


_VGG = {
    "VGG-11": (1, 1, 2, 2, 2),
    "VGG-13": (2, 2, 2, 2, 2),
    "VGG-16": (2, 2, 3, 3, 3),
    "VGG-19": (2, 2, 4, 4, 4),
}
"""Convolutions before each pooling."""


def _vgg(name: str) -> GraphOfTensors:
    graph = GraphOfTensors(name, "classifier.6")
    place = 0
    for stage, count in enumerate(_VGG[name], 1):
        for _ in range(count):
            graph.conv(f"features.{place}", min(64 << (stage - 1), 512), 3, padding=1)
            graph.add(f"features_{place + 1}", "relu")
            place += 2
        graph.pool(f"features_{place}", "max", 2, 2)
        place += 1
    graph.flatten()
    for place in (0, 3):
        graph.linear(f"classifier.{place}", 4096)
        graph.add(f"classifier_{place + 1}", "relu")
        graph.add(f"classifier_{place + 2}", "dropout", p=0.5, inverted=True)
    graph.linear("classifier.6", 1000)
    return graph


_FIRE = {16: 64, 32: 128, 48: 192, 64: 256}
"""Channels that a Fire module expands to, each of two times, by those it squeezes to."""


def _squeezenet(name: str, pools: dict[int, int | None], first: tuple[int, int]) -> GraphOfTensors:
    """Write out SqueezeNet: `pools` has, by place, what a Fire module squeezes to; None pools."""
    graph = GraphOfTensors(name, "classifier.1")
    graph.conv("features.0", first[0], first[1], stride=2)
    graph.add("features_1", "relu")
    for place, squeezed in pools.items():
        theirs = f"features.{place}"
        if squeezed is None:
            graph.pool(_plain(theirs), "max", 3, 2, ceiling=True)
            continue
        graph.conv(f"{theirs}.squeeze", squeezed, 1)
        before = graph.add(f"{_plain(theirs)}_squeeze_relu", "relu")
        halves: list[str] = []
        for kernel in (1, 3):
            expand = f"{theirs}.expand{kernel}x{kernel}"
            graph.conv(expand, _FIRE[squeezed], kernel, before, padding=kernel // 2)
            halves.append(graph.add(f"{_plain(expand)}_relu", "relu"))
        graph.add(_plain(theirs), "concat", *halves, axis=1)
    graph.add("dropout", "dropout", p=0.5, inverted=True)
    graph.conv("classifier.1", 1000, 1)
    graph.add("classifier_2", "relu")
    graph.add("avgpool", "pool", kind="avg", stride=[1, 1], padding=[0, 0], ceiling=False)
    graph.flatten()
    return graph


_V1_0 = {2: None, 3: 16, 4: 16, 5: 32, 6: None, 7: 32, 8: 48, 9: 48, 10: 64, 11: None, 12: 64}
_V1_1 = {2: None, 3: 16, 4: 16, 5: None, 6: 32, 7: 32, 8: None, 9: 48, 10: 48, 11: 64, 12: 64}

ARCHITECTURES: dict[str, Callable[[], GraphOfTensors]] = {
    "resnet18": lambda: _resnet("ResNet-18", (2, 2, 2, 2), bottleneck=False),
    "resnet34": lambda: _resnet("ResNet-34", (3, 4, 6, 3), bottleneck=False),
    "resnet50": lambda: _resnet("ResNet-50", (3, 4, 6, 3), bottleneck=True),
    "resnet101": lambda: _resnet("ResNet-101", (3, 4, 23, 3), bottleneck=True),
    "resnet152": lambda: _resnet("ResNet-152", (3, 8, 36, 3), bottleneck=True),
    "vgg11": lambda: _vgg("VGG-11"),
    "vgg13": lambda: _vgg("VGG-13"),
    "vgg16": lambda: _vgg("VGG-16"),
    "vgg19": lambda: _vgg("VGG-19"),
    "squeezenet1_0": lambda: _squeezenet("SqueezeNet 1.0", _V1_0, (96, 7)),
    "squeezenet1_1": lambda: _squeezenet("SqueezeNet 1.1", _V1_1, (64, 3)),
}
"""By the name that torchvision, and timm, have for each."""
