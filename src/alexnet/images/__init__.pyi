from .capture_time import capture_time
from .decoding import (
    UnreadableImage,
    apply_orientation,
    decode,
    decode_unoriented,
)
from .device_preprocessing import DevicePreprocessing
from .formats import (
    detect_format,
    encode_jpeg,
    format_from_suffix,
    is_truncated,
)
from .preprocessing import (
    ChannelOrder,
    MeanPosition,
    Preprocessing,
    read_image,
)
from .resize import resize_to_square
from .stored import PlacedImages, StoredImages

__all__ = [
    "ChannelOrder",
    "DevicePreprocessing",
    "MeanPosition",
    "PlacedImages",
    "Preprocessing",
    "StoredImages",
    "UnreadableImage",
    "apply_orientation",
    "capture_time",
    "decode",
    "decode_unoriented",
    "detect_format",
    "encode_jpeg",
    "format_from_suffix",
    "is_truncated",
    "read_image",
    "resize_to_square",
]
