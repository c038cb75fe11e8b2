"""Our own networks for small images and small machines, and the traditional one to compare."""

from __future__ import annotations

from alexnet.models.builder import NetworkBuilder, Options, normal_init
from alexnet.models.network import Network

__all__ = ["alexnet_adaptive", "alexnet_small", "mlp"]


def alexnet_small(options: Options) -> Network:
    """Five convolutions for 64-pixel images, normalized over the batch, crops of 56 pixels.

    The paper's plan (two wide pools, three convolutions in a row, dropout before the classifier)
    at a tenth of its size, with He's initial weights.
    """
    net = NetworkBuilder("alexnet_small", options, image_px=64, crop_px=56)
    shapes = ((64, 5, 2, 2), (128, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
    for n, (maps, kernel, stride, padding) in enumerate(shapes, 1):
        net.conv(f"conv{n}", maps, kernel=kernel, stride=stride, padding=padding, bias=False)
        net.batch_norm(f"bn{n}")
        net.activation(f"relu{n}")
        if n in (1, 2, 5):
            net.pool(f"pool{n}")
    net.flatten()
    net.linear("fc6", 512)
    net.activation("relu6")
    net.dropout("drop6", inverted=True)
    net.linear("fc7", options.classes, init=normal_init(0.01))
    return net.build()


def alexnet_adaptive(options: Options) -> Network:
    """Five convolutions for images from 32 pixels on, pooled to 3 x 3 before fc6.

    The same weights fit every size, so that what was learned from small images is fine-tuned on
    larger ones. Pooling begins behind conv2, since small images have no detail to lose.
    """
    net = NetworkBuilder("alexnet_adaptive", options, image_px=64, crop_px=56)
    shapes = ((64, 5, 2, 2), (128, 3, 1, 1), (256, 3, 1, 1), (384, 3, 1, 1), (384, 3, 1, 1))
    for n, (maps, kernel, stride, padding) in enumerate(shapes, 1):
        net.conv(f"conv{n}", maps, kernel=kernel, stride=stride, padding=padding, bias=False)
        net.batch_norm(f"bn{n}")
        net.activation(f"relu{n}")
        if n in (2, 3):
            net.pool(f"pool{n}")
    net.adaptive_avg_pool("pool5", 3)
    net.flatten()
    net.linear("fc6", 512)
    net.activation("relu6")
    net.dropout("drop6", inverted=True)
    net.linear("fc7", options.classes, init=normal_init(0.01))
    return net.build()


def mlp(options: Options) -> Network:
    """The traditional network: three fully connected layers with sigmoids on 32-pixel images."""
    net = NetworkBuilder("mlp", options, image_px=32, crop_px=32, activation="sigmoid")
    net.flatten()
    for number in ("1", "2"):
        net.linear(f"fc{number}", 512, init=normal_init(0.01))
        net.activation(f"act{number}")
    net.linear("fc3", options.classes, init=normal_init(0.01))
    return net.build()
