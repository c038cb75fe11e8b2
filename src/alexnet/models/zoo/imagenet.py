"""The network of 2012 in each of its published readings."""

from __future__ import annotations

from alexnet.models.builder import NetworkBuilder, Options, normal_init, uniform_init
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
    """The paper's network as printed: towers, ReLU before each normalization, initial weights 0.01.

    Normalization is the printed formula: k 2, the plain sum over 5 maps, alpha 1e-4, beta 0.75;
    N in the formula is the number of maps that a GPU holds, so windows stay inside a tower. 224
    pixels give 55 positions by the program's ceiling rule.
    """
    net = NetworkBuilder("alexnet", options, image_px=256, crop_px=224)
    printed = {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2.0, "towers": 2}
    net.conv("conv1", 96, kernel=11, stride=4, ceiling=True, init=normal_init(0.01))
    net.activation("relu1")
    net.response_norm("norm1", **printed)
    net.pool("pool1")
    net.conv("conv2", 256, kernel=5, padding=2, towers=2, init=normal_init(0.01, 1))
    net.activation("relu2")
    net.response_norm("norm2", **printed)
    net.pool("pool2")
    net.conv("conv3", 384, kernel=3, padding=1, init=normal_init(0.01))
    net.activation("relu3")
    net.conv("conv4", 384, kernel=3, padding=1, towers=2, init=normal_init(0.01, 1))
    net.activation("relu4")
    net.conv("conv5", 256, kernel=3, padding=1, towers=2, init=normal_init(0.01, 1))
    net.activation("relu5")
    net.pool("pool5")
    _fully_connected(net)
    return net.build()


def alexnet_program(options: Options) -> Network:
    """Configuration 145 of the authors' program, which the published figures come from.

    ReLU after the pooling of conv1, a spatial normalization behind the one across maps in conv2,
    sums divided by their windows, and initial weights of 0.03 in conv3 to conv5.
    """
    net = NetworkBuilder("alexnet_program", options, image_px=256, crop_px=224)
    _program(net, maps=(96, 256, 384, 384, 256), towers=2)
    return net.build()


def alexnet_sixth_conv(options: Options) -> Network:
    """Configuration 146, the paper's 1 CNN*: a sixth convolution over the last pooling.

    Its authors trained it on all of ImageNet of 2011 and fine-tuned it on the 1,000 classes of 2012
    (section 6). conv6 sees both towers; fc6 and what follows are as without it.
    """
    net = NetworkBuilder("alexnet_sixth_conv", options, image_px=256, crop_px=224)
    _program_convolutions(net, maps=(96, 256, 384, 384, 256), towers=2)
    net.conv("conv6", 256, kernel=3, padding=1, init=normal_init(0.03, 1))
    net.activation("relu_conv6")
    _fully_connected(net)
    return net.build()


def one_gpu(options: Options) -> Network:
    """Configuration 145-half: one tower with half the maps (conv5 and fc6, fc7 whole)."""
    net = NetworkBuilder("one_gpu", options, image_px=256, crop_px=224)
    _program(net, maps=(48, 128, 192, 192, 256), towers=1)
    return net.build()


def alexnet_caffe(options: Options) -> Network:
    """Caffe's `bvlc_alexnet`: 227 pixels, biases of 0.1, one window over both groups, k 1."""
    net = NetworkBuilder("alexnet_caffe", options, image_px=256, crop_px=227)
    _caffe(net, bias=0.1, pool_first=False)
    return net.build()


def caffenet(options: Options) -> Network:
    """Caffe's `bvlc_reference_caffenet`: pooling before each normalization, biases of 1."""
    net = NetworkBuilder("caffenet", options, image_px=256, crop_px=227)
    _caffe(net, bias=1, pool_first=True)
    return net.build()


def one_column(options: Options) -> Network:
    """The `alexnet` of torchvision: one tower 64-192-384-256-256, no normalization, padding 2.

    Dropout stands before fc6 and fc7, and pooling rounds down, as there; `TORCHVISION_NAMES` says
    where its weights belong.
    """
    net = NetworkBuilder("one_column", options, image_px=256, crop_px=224)
    net.conv("conv1", 64, kernel=11, stride=4, padding=2, init=uniform_init)
    net.activation("relu1")
    net.pool("pool1", ceiling=False)
    net.conv("conv2", 192, kernel=5, padding=2, init=uniform_init)
    net.activation("relu2")
    net.pool("pool2", ceiling=False)
    for name, maps in (("conv3", 384), ("conv4", 256), ("conv5", 256)):
        net.conv(name, maps, kernel=3, padding=1, init=uniform_init)
        net.activation(name.replace("conv", "relu"))
    net.pool("pool5", ceiling=False)
    net.flatten()
    for number in ("6", "7"):
        net.dropout(f"drop{number}", inverted=True)
        net.linear(f"fc{number}", 4096, init=uniform_init)
        net.activation(f"relu{number}")
    net.linear("fc8", options.classes, init=uniform_init)
    return net.build()


def alexnet_bn(options: Options) -> Network:
    """The paper's shapes in one column, each convolution normalized over the batch, He's weights.

    Ours, after Ioffe and Szegedy 2015: it trains at higher rates and from any scale of input.
    """
    net = NetworkBuilder("alexnet_bn", options, image_px=256, crop_px=224)
    shapes = ((96, 11, 4, 0), (256, 5, 1, 2), (384, 3, 1, 1), (384, 3, 1, 1), (256, 3, 1, 1))
    for n, (maps, kernel, stride, padding) in enumerate(shapes, 1):
        net.conv(
            f"conv{n}",
            maps,
            kernel=kernel,
            stride=stride,
            padding=padding,
            ceiling=n == 1,
            bias=False,
        )
        net.batch_norm(f"bn{n}")
        net.activation(f"relu{n}")
        if n in (1, 2, 5):
            net.pool(f"pool{n}")
    net.flatten()
    for number in ("6", "7"):
        net.linear(f"fc{number}", 4096)
        net.activation(f"relu{number}")
        net.dropout(f"drop{number}", inverted=True)
    net.linear("fc8", options.classes, init=normal_init(0.01))
    return net.build()


def _fully_connected(
    net: NetworkBuilder, *, std: float = 0.01, bias: float = 1, inverted: bool = False
) -> None:
    """Append fc6, fc7 and fc8, dropout on the outputs of the first two."""
    net.flatten()
    for number in ("6", "7"):
        net.linear(f"fc{number}", 4096, init=normal_init(std, bias))
        net.activation(f"relu{number}")
        net.dropout(f"drop{number}", inverted=inverted)
    net.linear("fc8", net.options.classes, init=normal_init(0.01))


def _program(net: NetworkBuilder, *, maps: tuple[int, int, int, int, int], towers: int) -> None:
    """Append configuration 145 (`layers-145.cfg`, `layer-params-145.cfg`)."""
    _program_convolutions(net, maps=maps, towers=towers)
    _fully_connected(net)


def _program_convolutions(
    net: NetworkBuilder, *, maps: tuple[int, int, int, int, int], towers: int
) -> None:
    """Append the layers below its fully connected ones."""
    across = {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2.0, "divide": True, "towers": towers}
    net.conv("conv1", maps[0], kernel=11, stride=4, ceiling=True, init=normal_init(0.01))
    net.response_norm("norm1", **across)
    net.pool("pool1")
    net.activation("relu1")
    net.conv("conv2", maps[1], kernel=5, padding=2, towers=towers, init=normal_init(0.01, 1))
    net.activation("relu2")
    net.response_norm("norm2", **across)
    net.response_norm(
        "norm2_spatial", size=5, alpha=1e-3, beta=0.75, k=1.0, divide=True, region="spatial"
    )
    net.pool("pool2")
    net.conv("conv3", maps[2], kernel=3, padding=1, init=normal_init(0.03))
    net.activation("relu3")
    net.conv("conv4", maps[3], kernel=3, padding=1, towers=towers, init=normal_init(0.03, 1))
    net.activation("relu4")
    net.conv("conv5", maps[4], kernel=3, padding=1, towers=towers, init=normal_init(0.03, 1))
    net.pool("pool5")
    net.activation("relu5")


def _caffe(net: NetworkBuilder, *, bias: float, pool_first: bool) -> None:
    """Append Caffe's reading: groups, but one normalization window across them, k 1."""
    across = {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 1.0, "divide": True}

    def norm_and_pool(n: int) -> None:
        if pool_first:
            net.pool(f"pool{n}")
        net.response_norm(f"norm{n}", **across)
        if not pool_first:
            net.pool(f"pool{n}")

    net.conv("conv1", 96, kernel=11, stride=4, init=normal_init(0.01))
    net.activation("relu1")
    norm_and_pool(1)
    net.conv("conv2", 256, kernel=5, padding=2, towers=2, init=normal_init(0.01, bias))
    net.activation("relu2")
    norm_and_pool(2)
    net.conv("conv3", 384, kernel=3, padding=1, init=normal_init(0.01))
    net.activation("relu3")
    net.conv("conv4", 384, kernel=3, padding=1, towers=2, init=normal_init(0.01, bias))
    net.activation("relu4")
    net.conv("conv5", 256, kernel=3, padding=1, towers=2, init=normal_init(0.01, bias))
    net.activation("relu5")
    net.pool("pool5")
    _fully_connected(net, std=0.005, bias=bias, inverted=True)
