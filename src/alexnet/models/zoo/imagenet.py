"""The network of 2012 in each of its published readings."""

from __future__ import annotations

from dataclasses import dataclass

from alexnet.models.builder import Assembly, Options, even, normal
from alexnet.models.network import Network

__all__ = [
    "TORCHVISION_NAMES",
    "alexnet",
    "alexnet_bn",
    "alexnet_caffe",
    "alexnet_program",
    "alexnet_sixth_conv",
    "caffenet",
    "one_column",
    "one_gpu",
]

TORCHVISION_NAMES = {
    "features.0": "conv1",
    "features.3": "conv2",
    "features.6": "conv3",
    "features.8": "conv4",
    "features.10": "conv5",
    "classifier.1": "fc6",
    "classifier.4": "fc7",
    "classifier.6": "fc8",
}
"""Where torchvision's `alexnet` keeps the layers of `one_column`."""


def alexnet(options: Options) -> Network:
    """The paper's network as printed: towers, ReLU before each normalisation, first weights 0.01.

    Normalisation is the printed formula: k 2, the plain sum over 5 maps, alpha 1e-4, beta 0.75;
    N in the formula is the number of maps that a GPU holds, so windows stay inside a tower. 224
    pixels give 55 positions by the program's ceiling rule.
    """
    a = Assembly("alexnet", options, image_px=256, crop_px=224)
    printed = {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2.0, "towers": 2}
    a.conv("conv1", 96, kernel=11, stride=4, ceiling=True, draw=normal(0.01))
    a.act("relu1")
    a.norm("norm1", **printed)
    a.pool("pool1")
    a.conv("conv2", 256, kernel=5, padding=2, towers=2, draw=normal(0.01, 1))
    a.act("relu2")
    a.norm("norm2", **printed)
    a.pool("pool2")
    a.conv("conv3", 384, kernel=3, padding=1, draw=normal(0.01))
    a.act("relu3")
    a.conv("conv4", 384, kernel=3, padding=1, towers=2, draw=normal(0.01, 1))
    a.act("relu4")
    a.conv("conv5", 256, kernel=3, padding=1, towers=2, draw=normal(0.01, 1))
    a.act("relu5")
    a.pool("pool5")
    _head(a, _Head(hidden_std=0.01, hidden_bias=1))
    return a.network()


def alexnet_program(options: Options) -> Network:
    """Configuration 145 of the authors' program, which the published figures come from.

    ReLU after the pooling of conv1, a spatial normalisation behind the one across maps in conv2,
    sums divided by their windows, and first weights of 0.03 in conv3 to conv5.
    """
    a = Assembly("alexnet_program", options, image_px=256, crop_px=224)
    _program(a, maps=(96, 256, 384, 384, 256), towers=2)
    return a.network()


def alexnet_sixth_conv(options: Options) -> Network:
    """Configuration 146, the paper's 1 CNN*: a sixth convolution over the last pooling.

    Its authors trained it on all of ImageNet of 2011 and fine-tuned it on the 1,000 classes of 2012
    (section 6). conv6 sees both towers; fc6 and what follows are as without it.
    """
    a = Assembly("alexnet_sixth_conv", options, image_px=256, crop_px=224)
    _program_convolutions(a, maps=(96, 256, 384, 384, 256), towers=2)
    a.conv("conv6", 256, kernel=3, padding=1, draw=normal(0.03, 1))
    a.act("relu_conv6")
    _head(a, _Head(hidden_std=0.01, hidden_bias=1))
    return a.network()


def one_gpu(options: Options) -> Network:
    """Configuration 145-half: one tower with half the maps (conv5 and fc6, fc7 whole)."""
    a = Assembly("one_gpu", options, image_px=256, crop_px=224)
    _program(a, maps=(48, 128, 192, 192, 256), towers=1)
    return a.network()


def alexnet_caffe(options: Options) -> Network:
    """Caffe's `bvlc_alexnet`: 227 pixels, biases of 0.1, one window over both groups, k 1."""
    a = Assembly("alexnet_caffe", options, image_px=256, crop_px=227)
    _caffe(a, bias=0.1, pool_first=False)
    return a.network()


def caffenet(options: Options) -> Network:
    """Caffe's `bvlc_reference_caffenet`: pooling before each normalisation, biases of 1."""
    a = Assembly("caffenet", options, image_px=256, crop_px=227)
    _caffe(a, bias=1, pool_first=True)
    return a.network()


def one_column(options: Options) -> Network:
    """The `alexnet` of torchvision: one tower 64-192-384-256-256, no normalisation, padding 2.

    Dropout stands before fc6 and fc7, and pooling rounds down, as there; `TORCHVISION_NAMES` says
    where its weights belong.
    """
    a = Assembly("one_column", options, image_px=256, crop_px=224)
    a.conv("conv1", 64, kernel=11, stride=4, padding=2, draw=even)
    a.act("relu1")
    a.pool("pool1", ceiling=False)
    a.conv("conv2", 192, kernel=5, padding=2, draw=even)
    a.act("relu2")
    a.pool("pool2", ceiling=False)
    for name, maps in (("conv3", 384), ("conv4", 256), ("conv5", 256)):
        a.conv(name, maps, kernel=3, padding=1, draw=even)
        a.act(name.replace("conv", "relu"))
    a.pool("pool5", ceiling=False)
    a.flatten()
    for number in ("6", "7"):
        a.drop(f"drop{number}", inverted=True)
        a.linear(f"fc{number}", 4096, draw=even)
        a.act(f"relu{number}")
    a.linear("fc8", options.classes, draw=even)
    return a.network()


def alexnet_bn(options: Options) -> Network:
    """The paper's shapes in one column, each convolution normalised over the batch, He's weights.

    Ours, after Ioffe and Szegedy 2015: it trains at higher rates and from any scale of input.
    """
    a = Assembly("alexnet_bn", options, image_px=256, crop_px=224)
    shapes = ((96, 11, 4, 0), (256, 5, 1, 2), (384, 3, 1, 1), (384, 3, 1, 1), (256, 3, 1, 1))
    for n, (maps, kernel, stride, padding) in enumerate(shapes, 1):
        a.conv(
            f"conv{n}",
            maps,
            kernel=kernel,
            stride=stride,
            padding=padding,
            ceiling=n == 1,
            bias=False,
        )
        a.batch_norm(f"bn{n}")
        a.act(f"relu{n}")
        if n in (1, 2, 5):
            a.pool(f"pool{n}")
    a.flatten()
    for number in ("6", "7"):
        a.linear(f"fc{number}", 4096)
        a.act(f"relu{number}")
        a.drop(f"drop{number}", inverted=True)
    a.linear("fc8", options.classes, draw=normal(0.01))
    return a.network()


@dataclass(frozen=True)
class _Head:
    """First weights of the fully connected layers, and the reading of dropout."""

    hidden_std: float
    hidden_bias: float
    inverted: bool = False


def _head(a: Assembly, head: _Head) -> None:
    """Append fc6, fc7 and fc8, dropout on the outputs of the first two."""
    a.flatten()
    for number in ("6", "7"):
        a.linear(f"fc{number}", 4096, draw=normal(head.hidden_std, head.hidden_bias))
        a.act(f"relu{number}")
        a.drop(f"drop{number}", inverted=head.inverted)
    a.linear("fc8", a.options.classes, draw=normal(0.01))


def _program(a: Assembly, *, maps: tuple[int, int, int, int, int], towers: int) -> None:
    """Append configuration 145 (`layers-145.cfg`, `layer-params-145.cfg`)."""
    _program_convolutions(a, maps=maps, towers=towers)
    _head(a, _Head(hidden_std=0.01, hidden_bias=1))


def _program_convolutions(
    a: Assembly, *, maps: tuple[int, int, int, int, int], towers: int
) -> None:
    """Append what stands below its fully connected layers."""
    across = {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2.0, "divide": True, "towers": towers}
    a.conv("conv1", maps[0], kernel=11, stride=4, ceiling=True, draw=normal(0.01))
    a.norm("norm1", **across)
    a.pool("pool1")
    a.act("relu1")
    a.conv("conv2", maps[1], kernel=5, padding=2, towers=towers, draw=normal(0.01, 1))
    a.act("relu2")
    a.norm("norm2", **across)
    a.norm("norm2_spatial", size=5, alpha=1e-3, beta=0.75, k=1.0, divide=True, region="spatial")
    a.pool("pool2")
    a.conv("conv3", maps[2], kernel=3, padding=1, draw=normal(0.03))
    a.act("relu3")
    a.conv("conv4", maps[3], kernel=3, padding=1, towers=towers, draw=normal(0.03, 1))
    a.act("relu4")
    a.conv("conv5", maps[4], kernel=3, padding=1, towers=towers, draw=normal(0.03, 1))
    a.pool("pool5")
    a.act("relu5")


def _caffe(a: Assembly, *, bias: float, pool_first: bool) -> None:
    """Append Caffe's reading: groups, but one normalisation window across them, k 1."""
    across = {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 1.0, "divide": True}

    def norm_and_pool(n: int) -> None:
        if pool_first:
            a.pool(f"pool{n}")
        a.norm(f"norm{n}", **across)
        if not pool_first:
            a.pool(f"pool{n}")

    a.conv("conv1", 96, kernel=11, stride=4, draw=normal(0.01))
    a.act("relu1")
    norm_and_pool(1)
    a.conv("conv2", 256, kernel=5, padding=2, towers=2, draw=normal(0.01, bias))
    a.act("relu2")
    norm_and_pool(2)
    a.conv("conv3", 384, kernel=3, padding=1, draw=normal(0.01))
    a.act("relu3")
    a.conv("conv4", 384, kernel=3, padding=1, towers=2, draw=normal(0.01, bias))
    a.act("relu4")
    a.conv("conv5", 256, kernel=3, padding=1, towers=2, draw=normal(0.01, bias))
    a.act("relu5")
    a.pool("pool5")
    _head(a, _Head(hidden_std=0.005, hidden_bias=bias, inverted=True))
