from .decoding import (
    UnreadablePicture,
    decode,
    decode_as_stored,
    turned,
)
from .device import Finisher
from .encoding import (
    encoded,
    ends_early,
    format_of,
    format_of_suffix,
)
from .preprocessing import (
    MeanAt,
    Order,
    Preprocessing,
    read_picture,
)
from .resize import fitted
from .stored import PlacedPictures, StoredPictures

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
