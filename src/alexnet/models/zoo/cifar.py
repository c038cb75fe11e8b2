"""The authors' CIFAR-10 nets, named by the test error that they published.

From `example-layers/` and `layers-cifar/` of the program; the net of 11 % from its successor
(`layers-cifar10-11pct.cfg`). All convolutions are 5 x 5 with padding 2, all pools 3 x 3 with stride
2 and the ceiling rule. Each layer's weight decay is as published (`Network.decay`).
"""

from __future__ import annotations

from alexnet.models.builder import NetworkBuilder, Options, normal_init
from alexnet.models.network import Network

__all__ = [
    "cifar_11pct",
    "cifar_11pct_no_norm",
    "cifar_13pct",
    "cifar_13pct_norm",
    "cifar_18pct",
    "cifar_26pct",
]


def cifar_26pct(options: Options) -> Network:
    """The net of 26 % in 80 seconds: three convolutions, max and mean pooling, fc64, fc10."""
    net = NetworkBuilder("cifar_26pct", options, image_px=32, crop_px=32)
    _three_convolutions(net, spatial_norm=False)
    net.linear("fc4", 64, init=normal_init(0.1))
    net.activation("relu4")
    net.linear("fc5", options.classes, init=normal_init(0.1))
    net.weight_decay = {"conv1": 0.004, "conv2": 0.004, "conv3": 0.004, "fc4": 0.03, "fc5": 0.03}
    return net.build()


def cifar_18pct(options: Options) -> Network:
    """The net of 18 %: the same convolutions, a spatial normalization after pool1 and pool2."""
    net = NetworkBuilder("cifar_18pct", options, image_px=32, crop_px=32)
    _three_convolutions(net, spatial_norm=True)
    net.linear("fc4", options.classes, init=normal_init(0.01))
    net.weight_decay = {"conv1": 0.004, "conv2": 0.004, "conv3": 0.004, "fc4": 1.0}
    return net.build()


def cifar_13pct(options: Options) -> Network:
    """The net of 13 %: two convolutions, two locally connected layers of 32 maps, no norm."""
    net = NetworkBuilder("cifar_13pct", options, image_px=32, crop_px=32)
    _locally_connected(net, norm=False, local_maps=(32, 32))
    return net.build()


def cifar_13pct_norm(options: Options) -> Network:
    """`cifar_13pct` with the normalization of `cifar_11pct` as the only difference."""
    net = NetworkBuilder("cifar_13pct_norm", options, image_px=32, crop_px=32)
    _locally_connected(net, norm=True, local_maps=(32, 32))
    return net.build()


def cifar_11pct(options: Options) -> Network:
    """The net of 11 %: normalization over 9 maps, 64 and 32 local maps, crops of 24 pixels."""
    net = NetworkBuilder("cifar_11pct", options, image_px=32, crop_px=24)
    _locally_connected(net, norm=True, local_maps=(64, 32))
    return net.build()


def cifar_11pct_no_norm(options: Options) -> Network:
    """`cifar_11pct` without its normalization as the only difference."""
    net = NetworkBuilder("cifar_11pct_no_norm", options, image_px=32, crop_px=24)
    _locally_connected(net, norm=False, local_maps=(64, 32))
    return net.build()


def _three_convolutions(net: NetworkBuilder, *, spatial_norm: bool) -> None:
    """Append conv1 to pool3 and the flattening.

    relu1 stands behind pool1, as in the program's newer files; in front of it the numbers would be
    the same, because both only rise. Both generations of the program's parser (`layer.py`, class
    NormLayerParser; keys `sizeX` and `size`) divide the scale of a spatial norm by size**2.
    """
    spatial = {"size": 3, "alpha": 5e-5, "beta": 0.75, "k": 1.0, "divide": True}
    net.conv("conv1", 32, kernel=5, padding=2, init=normal_init(0.0001))
    net.pool("pool1")
    net.activation("relu1")
    if spatial_norm:
        net.response_norm("norm1", region="spatial", **spatial)
    net.conv("conv2", 32, kernel=5, padding=2, init=normal_init(0.01))
    net.activation("relu2")
    net.avg_pool("pool2")
    if spatial_norm:
        net.response_norm("norm2", region="spatial", **spatial)
    net.conv("conv3", 64, kernel=5, padding=2, init=normal_init(0.01))
    net.activation("relu3")
    net.avg_pool("pool3")
    net.flatten()


def _locally_connected(net: NetworkBuilder, *, norm: bool, local_maps: tuple[int, int]) -> None:
    """Append all layers of the nets of 13 % and 11 %; one `norm` behind pool1, one before pool2."""
    across = {"size": 9, "alpha": 0.001, "beta": 0.75, "k": 1.0, "divide": True}
    net.conv("conv1", 64, kernel=5, padding=2, init=normal_init(0.0001))
    net.activation("relu1")
    net.pool("pool1")
    if norm:
        net.response_norm("norm1", **across)
    net.conv("conv2", 64, kernel=5, padding=2, init=normal_init(0.01))
    net.activation("relu2")
    if norm:
        net.response_norm("norm2", **across)
    net.pool("pool2")
    for number, maps in zip(("3", "4"), local_maps, strict=True):
        net.local(f"local{number}", maps, kernel=3, padding=1, init=normal_init(0.04))
        net.activation(f"relu{number}")
    net.flatten()
    net.linear("fc5", net.options.classes, init=normal_init(0.01))
    top = 0.004 if local_maps == (32, 32) else 0.01
    net.weight_decay = {"conv1": 0.0, "conv2": 0.0, "local3": 0.004, "local4": 0.004, "fc5": top}
