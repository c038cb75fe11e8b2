"""From a picture file to the numbers that a network takes: one decoder, one preprocessing."""

from alexnet.images.decoding import UnreadablePicture, decode, decode_as_stored, turned
from alexnet.images.encoding import encoded
from alexnet.images.finishing import Finisher
from alexnet.images.fitting import fitted
from alexnet.images.formats import ends_early, format_of, format_of_suffix
from alexnet.images.preprocessing import MeanAt, Order, Preprocessing, read_picture
from alexnet.images.stored import PlacedPictures, StoredPictures

__all__ = [
    "Finisher",
    "MeanAt",
    "Order",
    "PlacedPictures",
    "Preprocessing",
    "StoredPictures",
    "UnreadablePicture",
    "decode",
    "decode_as_stored",
    "encoded",
    "ends_early",
    "fitted",
    "format_of",
    "format_of_suffix",
    "read_picture",
    "turned",
]
