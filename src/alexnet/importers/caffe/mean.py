"""What is taken from an image first: a mean file of Caffe's, or a number for each channel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import WeightsError
from alexnet.images import ChannelOrder
from alexnet.importers.caffe.caffemodel import read_binaryproto
from alexnet.importers.file_kinds import file_kind

__all__ = ["format_mean", "read_mean"]

_MOST_SIDE = 4096
_NUMBERS = re.compile(r"-?[\d.]+(e-?\d+)?(,-?[\d.]+(e-?\d+)?)*", re.I)


def read_mean(said: str, *, channels: int, order: ChannelOrder) -> NDArray[np.float32]:
    """Read a mean file, or numbers such as "104,117,123".

    Args:
        said: a .binaryproto or .npy of (C, H, W), or numbers with commas, one for each channel or
            one for all.
        channels: C of the network, 3 or 1.
        order: of three channels in the file or the numbers: the network's.

    Returns:
        float32 on 0..255 in R, G, B: (S, S, 3), or (3,) where it is the same everywhere.

    Raises:
        WeightsError: no such file, another shape, or numbers that are none.
    """
    found = _numbers(said) if _NUMBERS.fullmatch(said) else _file(Path(said))
    if found.shape[0] == 1:
        found = np.repeat(found, 3, axis=0)
    elif found.shape[0] != 3 or channels != 3:
        raise WeightsError(
            f"The mean {said} has {found.shape[0]} channels, and the network takes {channels}."
        )
    if order == "BGR":
        found = found[::-1]
    if found.shape[1:] == (1, 1):
        return np.ascontiguousarray(found[:, 0, 0])
    return np.ascontiguousarray(found.transpose(1, 2, 0))


def format_mean(mean: NDArray[np.float32] | None, order: ChannelOrder) -> str:
    """Say a mean as the option takes it: its channels' means, in the network's order."""
    if mean is None:
        return "none"
    flat = mean.reshape(-1, 3).mean(axis=0, dtype=np.float64)
    return ",".join(f"{each:.4g}" for each in (flat[::-1] if order == "BGR" else flat))


def _numbers(said: str) -> NDArray[np.float32]:
    try:
        values = [float(each) for each in said.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 3):
        raise WeightsError(
            f"A mean is a file, or one or three numbers such as 104,117,123; got {said}."
        )
    return np.array(values, dtype=np.float32).reshape(-1, 1, 1)


def _file(path: Path) -> NDArray[np.float32]:
    kind = file_kind(path)
    if kind == "binaryproto":
        blob = read_binaryproto(path)
        numbers: NDArray[Any] = blob.numbers.reshape(blob.shape)
        numbers = numbers[0] if numbers.ndim == 4 and len(numbers) == 1 else numbers
    elif kind == "npy" or path.suffix.lower() == ".npy":
        numbers = _npy(path)
    else:
        raise WeightsError(
            f"The mean {path} is neither a .binaryproto nor a .npy, nor numbers such as "
            "104,117,123."
        )
    if numbers.ndim == 1:
        numbers = numbers[:, None, None]
    sides = set(numbers.shape[1:])
    if numbers.ndim != 3 or numbers.shape[0] not in (1, 3) or len(sides) != 1:
        raise WeightsError(
            f"The mean {path} has the shape {numbers.shape}; (3, S, S), (1, S, S) or (3,) is "
            "wanted."
        )
    if not 1 <= sides.pop() <= _MOST_SIDE:
        raise WeightsError(f"The mean {path} is larger than {_MOST_SIDE} pixels a side.")
    found = np.asarray(numbers, dtype=np.float32)
    if not np.isfinite(found).all():
        raise WeightsError(f"The mean {path} holds numbers that are not finite.")
    return found


def _npy(path: Path) -> NDArray[Any]:
    """Map a .npy file; what it says of itself is checked before memory is taken."""
    try:
        found: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise WeightsError(f"Could not read {path}: {error.strerror or error}.") from error
    except Exception as error:  # whatever a damaged header makes NumPy stumble over
        raise WeightsError(
            f"{path} is no whole .npy of plain numbers ({str(error)[:100]}). Save it again with "
            "numpy.save."
        ) from error
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu":
        raise WeightsError(f"{path} holds something else than one array of numbers.")
    if found.size > 3 * _MOST_SIDE**2:
        raise WeightsError(f"The mean {path} is larger than {_MOST_SIDE} pixels a side.")
    return cast("NDArray[Any]", found)
