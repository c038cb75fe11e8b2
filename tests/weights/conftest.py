"""Weights that were never trained, of any network; the authors' net with a sixth layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from alexnet.images import Preprocessing
from alexnet.models import HeadedNetwork, Network, build_model, make_head
from alexnet.weights import ExportRequest, Weights


def weights_of(network: Network, **more) -> Weights:
    """Weights with an odd preprocessing: a mean image, a scale for each channel, BGR."""
    side = network.image_px
    mean = np.random.default_rng(0).random((side, side, 3), dtype=np.float32) * 255
    scale = np.array([60, 61, 62], dtype=np.float32)
    rule = {"mean": mean, "scale": scale, "order": "BGR", **more}
    return Weights(
        model=network.model,
        arguments=network.arguments,
        state=network.state_dict(),
        classes=tuple(f"class {i}" for i in range(network.classes)),
        class_words={"class 0": "größer"},
        preprocessing=Preprocessing(image_px=side, crop_px=network.crop_px, **rule),
    )


@pytest.fixture
def weigh():
    return weights_of


DATA = """
[data]
type=data
dataIdx=0
[labels]
type=data
dataIdx=1
"""
RATES = "epsW=0.001\nepsB=0.002\nmomW=0.9\nmomB=0.9\n"


def two_towers() -> dict[str, str]:
    """The authors' network with a sixth convolution that sees both towers, with fewer maps."""
    layers, rates, below = DATA, "", {"a": "data", "b": "data"}

    def add(kind: str, name: str, inputs: str, **options: object) -> None:
        nonlocal layers, rates
        lines = "".join(f"{key}={value}\n" for key, value in options.items())
        layers += f"\n[{name}]\ntype={kind}\ninputs={inputs}\n{lines}"
        if kind in ("conv", "fc"):
            rates += f"[{name}]\n{RATES}" + "wc=0.0005\n"
        if kind == "cmrnorm":
            rates += f"[{name}]\nscale=0.0001\npow=0.75\nminDiv=2\n"
        if kind == "rnorm":
            rates += f"[{name}]\nscale=0.001\npow=0.75\n"
        if kind == "hs":
            rates += f"[{name}]\nkeep=0.5\n"

    def conv(number: int, both: bool, kernel: int, **more: object) -> None:
        sources = {t: f"{below['a']},{below['b']}" if both else below[t] for t in "ab"}
        channels = 3 if number == 1 else 16
        for t in "ab":
            several = ",".join
            count = 2 if both else 1
            add(
                "conv",
                f"conv{number}{t}",
                sources[t],
                channels=several([str(channels)] * count),
                filters=several(["16"] * count),
                filterSize=several([str(kernel)] * count),
                padding=several([str(more.get("padding", 0))] * count),
                stride=several([str(more.get("stride", 1))] * count),
                initW=several(["0.1"] * count),
                initB=1,
                partialSum=0,
                **({"neuron": "relu"} if number > 1 else {}),
            )
        below.update({t: f"conv{number}{t}" for t in "ab"})

    def each(kind: str, name: str, **options: object) -> None:
        for t in "ab":
            add(kind, f"{name}{t}", below[t], channels=16, **options)
        below.update({t: f"{name}{t}" for t in "ab"})

    pool = {"pool": "max", "start": 0, "sizeX": 3, "stride": 2, "outputsX": 0}
    conv(1, False, 5, stride=2)
    each("cmrnorm", "rnorm1", size=5)
    each("pool", "pool1", **pool, neuron="relu")
    conv(2, False, 5, padding=2)
    each("cmrnorm", "cnorm2", size=5)
    each("rnorm", "rnorm2", size=5)
    each("pool", "pool2", **pool)
    conv(3, True, 3, padding=1)
    conv(4, False, 3, padding=1)
    conv(5, False, 3, padding=1)
    each("pool", "pool5", **pool)
    conv(6, True, 3, padding=1)  # the sixth, over the last pool
    for number, inputs in ((7, "conv6a,conv6b"), (8, "drop7a,drop7b")):
        for t in "ab":
            add("fc", f"fc{number}{t}", inputs, outputs=32, initW="0.1,0.1", neuron="relu")
            add("hs", f"drop{number}{t}", f"fc{number}{t}")
    add("fc", "fc10", "drop8a,drop8b", outputs=3, initW="0.1,0.1")
    add("softmax", "probs", "fc10")
    layers += "\n[logprob]\ntype=cost.logreg\ninputs=labels,probs\n"
    rates += "[logprob]\ncoeff=1\n"
    return {"layers": layers, "parameters": rates}


@pytest.fixture(scope="session")
def sixth_layer() -> Network:
    """The authors' network with a sixth convolution over its last pool; not to be changed."""
    arguments = {"image_px": 60, "crop_px": 52, "files": two_towers(), "seed": 2}
    return build_model("cuda_convnet", classes=3, **arguments)


@pytest.fixture(params=("logistic", "svm", "mlp", "knn", "tree"))
def headed(request) -> Network:
    """A network of two convolutions' features with a head of each kind on them."""
    kind = request.param
    layer = "relu4" if kind != "svm" else "pool3"
    body = build_model("cifar_26pct", classes=2, initialisation="he", seed=4)
    features = 64 if layer == "relu4" else 1024
    sizes = {
        "mlp": {"hidden": 7},
        "knn": {"rows": 9, "neighbours": 3, "by_distance": 1},
        "tree": {"nodes": 5, "depth": 2},
    }
    settings = {"kind": kind, "layer": layer, "features": features, "classes": 3}
    head = make_head({**settings, **sizes.get(kind, {})}).to_empty(device="cpu")
    draw = torch.Generator().manual_seed(5)
    for name, each in head.named_buffers():
        if each.is_floating_point():
            each.normal_(0, 0.5, generator=draw)
        if name == "scale":
            each.uniform_(1, 3, generator=draw)
    if kind == "knn":
        head.rows.abs_().mul_(5)
        head.labels.copy_(torch.arange(9) % 3)
    if kind == "tree":
        head.asks.copy_(torch.tensor([3, -1, 9, -1, -1]))
        head.at_most.copy_(torch.tensor([1, 0, 3, 0, 0]))
        head.above.copy_(torch.tensor([2, 0, 4, 0, 0]))
        head.value.copy_(torch.softmax(head.value, 1))
    return HeadedNetwork(body, head)


@pytest.fixture
def held(tmp_path):
    """Write weights in some form, open the file again, and compare both on pictures."""
    from alexnet.transfer.comparison import asked, compare, made_pictures, reference

    def held(write, opens, weights: Weights, name: str = "file", **wishes):
        request = ExportRequest(**wishes)
        write(weights, request, tmp_path / name)
        rule = weights.preprocessing
        pictures = made_pictures(rule.image_px, 3)
        batches = iter([(pictures, None), (pictures[1:2], None)])  # any number of pictures
        wanted = reference(weights, request)
        found = asked(opens(tmp_path / name), rule, request)
        return compare(wanted, found, batches, weights.classes)

    return held
