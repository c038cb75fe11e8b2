"""Small networks of Caffe's, written by hand with random weights, and OpenCV's reader beside ours.

The bytes of caffemodel and binaryproto are put together here, field by field, and not by the code
under test; OpenCV reads the same files.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from alexnet.importers import ImportRequest
from alexnet.importers.caffe import import_caffe

Arrays = Mapping[str, Sequence[np.ndarray]]

V1, NEW, V0 = "V1", "new", "V0"


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def blob(array: np.ndarray, *, legacy: bool = False, doubles: bool = False) -> bytes:
    data = field(8, array.astype("<f8").tobytes()) if doubles else b""
    if not doubles:
        data = field(5, array.astype("<f4").tobytes())
    if not legacy:
        dims = b"".join(varint(each) for each in array.shape)
        return data + field(7, field(1, dims))
    shape = (1,) * (4 - array.ndim) + array.shape
    return data + b"".join(field(number, size) for number, size in enumerate(shape, 1))


def caffemodel(arrays: Arrays, generation: str = NEW) -> bytes:
    """A network's trained arrays in the wire form of one of Caffe's generations."""
    found = field(1, b"net")
    for name, blobs in arrays.items():
        text, legacy = name.encode(), generation != NEW
        written = [blob(each, legacy=legacy) for each in blobs]
        if generation == NEW:
            inner = field(1, text) + field(2, b"Any") + b"".join(field(7, each) for each in written)
            found += field(100, inner)
        elif generation == V1:
            found += field(2, field(4, text) + b"".join(field(6, each) for each in written))
        else:
            kind = b"innerproduct" if name.startswith("fc") else b"conv"
            nested = field(1, text) + field(2, kind)
            nested += b"".join(field(50, each) for each in written)
            found += field(2, field(1, nested))
    return found


def random_arrays(shapes: Mapping[str, Iterable[tuple[int, ...]]], seed: int = 0) -> Arrays:
    """Weights that keep a signal as it is, small biases, variances above 0."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[np.ndarray]] = {}
    for name, sizes in shapes.items():
        found[name] = []
        for place, size in enumerate(sizes):
            fan_in = int(np.prod(size[1:])) if len(size) > 1 else 100
            array = rng.normal(0, (2 / fan_in) ** 0.5, size).astype(np.float32)
            if "bn" in name:  # mean, variance, and what both are to be divided by
                array = [array, rng.uniform(1, 3, size), np.array([2.0])][place]
            elif "scale" in name and place == 0:
                array = rng.uniform(0.5, 1.5, size)
            found[name].append(np.asarray(array, dtype=np.float32))
    return found


@dataclass(frozen=True)
class Case:
    """A network in files."""

    folder: Path
    arrays: Arrays
    opencv_reads: str

    @property
    def files(self) -> tuple[Path, Path]:
        return self.folder / "net.prototxt", self.folder / "net.caffemodel"

    def imported(self, **asked):
        return import_caffe(ImportRequest(files=self.files, **asked))

    def opencv(self, images: np.ndarray) -> np.ndarray:
        """What OpenCV's reader answers for (N, C, H, W)."""
        import cv2

        trained = self.folder / "opencv.caffemodel"  # it does not find weights in V0's form
        trained.write_bytes(caffemodel(self.arrays, self.opencv_reads))
        net = cv2.dnn.readNetFromCaffe(str(self.files[0]), str(trained))
        return np.concatenate([self._ask(net, each[None]) for each in images])

    @staticmethod
    def _ask(net, image: np.ndarray) -> np.ndarray:
        net.setInput(np.ascontiguousarray(image))
        return net.forward().reshape(1, -1)


@pytest.fixture
def write_case(tmp_path) -> Callable[..., Case]:
    def write(
        prototxt: str,
        shapes: Mapping[str, Iterable[tuple[int, ...]]],
        *,
        generation: str = NEW,
        seed: int = 0,
    ) -> Case:
        arrays = random_arrays(shapes, seed)
        case = Case(tmp_path, arrays, NEW if generation == NEW else V1)
        case.files[0].write_text(prototxt)
        case.files[1].write_bytes(caffemodel(arrays, generation))
        return case

    return write


@pytest.fixture(scope="session")
def wire():
    """The functions that write Caffe's files."""

    class Wire:
        blob = staticmethod(blob)
        caffemodel = staticmethod(caffemodel)
        field = staticmethod(field)
        varint = staticmethod(varint)
        random_arrays = staticmethod(random_arrays)
        fixed32 = staticmethod(
            lambda number, value: varint(number << 3 | 5) + struct.pack("<f", value)
        )

    return Wire


@pytest.fixture(scope="session")
def real_models() -> Path:
    """Models that Caffe trained, where they are."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    folder = Path(os.environ.get("ALEXNET_TEST_DATA") or beside) / "caffe"
    if not folder.is_dir():
        pytest.skip("no models of Caffe's: neither ALEXNET_TEST_DATA nor ../shared/data has them")
    return folder
