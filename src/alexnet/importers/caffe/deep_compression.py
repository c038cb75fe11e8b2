"""Reading the compressed SqueezeNet: the form of Deep Compression (Han, Mao, Dally 2016), unpacked.

The file has no head. First comes the count of stored weights of each layer (uint32), in the order
of the description; then, layer by layer, a codebook (float32: 256 values for layers whose name
holds "conv", 16 for the others), the biases (float32), a code for each stored weight (8 bits, or 4
with the first in the lower half of a byte) and the gap before each (4 bits, likewise): how many
weights lie between it and the one before. What is not stored has code 0. All numbers are little
endian. A gap above 15 is bridged by stored weights of code 0.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from alexnet.errors import WeightsError
from alexnet.importers.caffe.blob import Blob, as_blob
from alexnet.importers.caffe.graph_builder import GraphBuilder

__all__ = ["read_deep_compression"]

_MAX_BYTES = 1 << 30
_NAMES = ("conv", "fc", "ip")  # in the names of layers that the format stores


def read_deep_compression(path: Path, graph: GraphBuilder) -> dict[str, list[Blob]]:
    """Return weights and biases of every layer by its name.

    Args:
        path: the file, such as compressed_SqueezeNet.net.
        graph: made of its description, which alone says how many weights a layer has.

    Raises:
        WeightsError: unreadable, or another file than one of this description.
    """
    layers: dict[str, tuple[int, ...]] = {
        layer.name: tuple(cast("Tensor", graph.layers[node].weight).shape)
        for node, layer in graph.origins.items()
        if any(part in layer.name for part in _NAMES)
    }
    reader = _Reader(path)
    counts = reader.take("<u4", len(layers)).astype(np.int64)
    found: dict[str, list[Blob]] = {}
    for (name, shape), count in zip(layers.items(), counts.tolist(), strict=True):
        if not 1 <= count <= math.prod(shape):
            raise reader.error(f'it stores {count:,} weights of {math.prod(shape):,} in "{name}"')
        found[name] = _layer(reader, name, shape, count)
    if reader.left:
        raise reader.error(f"{reader.left:,} bytes are left after the last layer")
    return found


def _layer(reader: _Reader, name: str, shape: tuple[int, ...], count: int) -> list[Blob]:
    bits = 8 if "conv" in name else 4
    codebook = reader.take("<f4", 2**bits)
    bias = reader.take("<f4", shape[0])
    stored = reader.take("u1", math.ceil(count * bits / 8))
    codes = stored if bits == 8 else _halves(stored, count)
    places = np.cumsum(_halves(reader.take("u1", math.ceil(count / 2)), count) + 1) - 1
    if places[-1] >= math.prod(shape):
        raise reader.error(f'a weight of "{name}" lies beyond its {math.prod(shape):,}')
    dense = np.zeros(math.prod(shape), dtype=np.uint8)
    dense[places] = codes
    where = f'the layer "{name}" of {reader.path}'
    return [as_blob(codebook[dense], shape, where), as_blob(bias, (shape[0],), where)]


def _halves(packed: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """Return numbers of 4 bits, the lower half of each byte first."""
    return np.stack((packed & 15, packed >> 4), axis=1).reshape(-1)[:count].astype(np.int64)


class _Reader:
    """The bytes of a file, taken from its beginning on."""

    def __init__(self, path: Path) -> None:
        self.path, self._place = path, 0
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise self.error(f"it has more than {_MAX_BYTES >> 30} GiB")
            self._bytes = path.read_bytes()
        except OSError as error:
            raise WeightsError(f"Could not read {path}: {error.strerror or error}.") from error

    @property
    def left(self) -> int:
        """Bytes that were not taken yet."""
        return len(self._bytes) - self._place

    def take(self, dtype: str, count: int) -> NDArray[Any]:
        """Return the next numbers.

        Raises:
            WeightsError: the file ends before.
        """
        size = np.dtype(dtype).itemsize * count
        if size > self.left:
            raise self.error("it ends too early")
        numbers = np.frombuffer(self._bytes, dtype, count, self._place)
        self._place += size
        return numbers

    def error(self, why: str) -> WeightsError:
        """Return the error for a file that does not fit."""
        return WeightsError(
            f"{self.path} is no compressed network of this description: {why}. Name the "
            "description that was published with it, or copy the file again."
        )
