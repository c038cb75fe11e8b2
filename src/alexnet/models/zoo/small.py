"""Our own networks for small pictures and small machines, and the traditional one to compare."""

from __future__ import annotations

from alexnet.models.builder import Assembly, Options, normal
from alexnet.models.network import Network

__all__ = ["alexnet_small", "mlp"]


def alexnet_small(options: Options) -> Network:
    """Five convolutions for 64-pixel pictures, normalised over the batch, crops of 56 pixels.

    The paper's plan (two wide pools, three convolutions in a row, dropout before the classifier)
    at a tenth of its size, with He's first weights.
    """
    a = Assembly("alexnet_small", options, image_px=64, crop_px=56)
    shapes = ((64, 5, 2, 2), (128, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
    for n, (maps, kernel, stride, padding) in enumerate(shapes, 1):
        a.conv(f"conv{n}", maps, kernel=kernel, stride=stride, padding=padding, bias=False)
        a.batch_norm(f"bn{n}")
        a.act(f"relu{n}")
        if n in (1, 2, 5):
            a.pool(f"pool{n}")
    a.flatten()
    a.linear("fc6", 512)
    a.act("relu6")
    a.drop("drop6", inverted=True)
    a.linear("fc7", options.classes, draw=normal(0.01))
    return a.network()


def mlp(options: Options) -> Network:
    """The traditional network: three fully connected layers with sigmoids on 32-pixel pictures."""
    a = Assembly("mlp", options, image_px=32, crop_px=32, activation="sigmoid")
    a.flatten()
    for number in ("1", "2"):
        a.linear(f"fc{number}", 512, draw=normal(0.01))
        a.act(f"act{number}")
    a.linear("fc3", options.classes, draw=normal(0.01))
    return a.network()
