"""From a picture file to the numbers that a network takes: one decoder, one preprocessing."""

from alexnet.images.decoding import UnreadablePicture, decode
from alexnet.images.encoding import encoded
from alexnet.images.finishing import Finisher
from alexnet.images.fitting import fitted
from alexnet.images.preprocessing import MeanAt, Order, Preprocessing, read_picture

__all__ = [
    "Finisher",
    "MeanAt",
    "Order",
    "Preprocessing",
    "UnreadablePicture",
    "decode",
    "encoded",
    "fitted",
    "read_picture",
]
