"""From a picture file to the numbers that a network takes: one decoder, one preprocessing."""

from alexnet.images.decoding import UnreadablePicture, decode
from alexnet.images.fitting import fitted
from alexnet.images.preprocessing import MeanAt, Order, Preprocessing, read_picture

__all__ = [
    "MeanAt",
    "Order",
    "Preprocessing",
    "UnreadablePicture",
    "decode",
    "fitted",
    "read_picture",
]
