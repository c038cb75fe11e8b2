"""Reading caffemodel and binaryproto: protobuf's wire format, by message types of our own.

The protobuf library reads the bytes; what it is told of Caffe's messages is only what holds
weights, by the numbers that Caffe's three generations gave to the fields. All else is passed over.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import AlexNetError, WeightsError
from alexnet.importers.caffe.blob import Blob, as_blob
from alexnet.importers.caffe.hdf5 import read_hdf5
from alexnet.importers.file_kinds import file_kind

__all__ = ["read_binaryproto", "read_caffemodel"]

_MAX_BYTES = 2**31 - 1  # protobuf's own limit
_MAX_LAYERS = 100_000  # no network has a tenth
_MAX_BLOBS = 1_000  # of one layer; the most that any type has are twelve
_MAX_AXES = 32  # Caffe's own limit

_TYPES = {"bytes": 12, "float": 2, "double": 1, "whole": 3, "unsigned": 13, "message": 11}
"""The library's numbers for the kinds of fields."""

_RAW_KINDS = {0: "<f8", 1: "<f4", 2: "<f2"}
"""Of raw_data: doubles, floats, halves."""

_MESSAGES: dict[str, tuple[tuple[str, int, bool, str], ...]] = {
    # name of the field, its number, whether it repeats, its kind or the message that it holds
    "BlobShape": (("dim", 1, True, "whole"),),
    "Blob": (
        ("num", 1, False, "whole"),
        ("channels", 2, False, "whole"),
        ("height", 3, False, "whole"),
        ("width", 4, False, "whole"),
        ("data", 5, True, "float"),
        ("shape", 7, False, "BlobShape"),
        ("double_data", 8, True, "double"),
        # NVIDIA's Caffe keeps the kind of raw_data here, others half precision's bits as numbers
        ("kind_or_halves", 10, True, "unsigned"),
        ("raw_data", 12, False, "bytes"),
    ),
    "V0Layer": (("name", 1, False, "bytes"), ("blobs", 50, True, "Blob")),
    "V1Layer": (
        ("layer", 1, False, "V0Layer"),
        ("name", 4, False, "bytes"),
        ("blobs", 6, True, "Blob"),
    ),
    "Layer": (("name", 1, False, "bytes"), ("blobs", 7, True, "Blob")),
    "Net": (
        ("name", 1, False, "bytes"),
        ("layers", 2, True, "V1Layer"),
        ("layer", 100, True, "Layer"),
    ),
}


def read_caffemodel(path: Path) -> dict[str, list[Blob]]:
    """Return the arrays of every layer that has some, by the layer's name.

    Memory: the file three times while it is read, once its numbers afterward.

    Args:
        path: a file that Caffe of any generation wrote, in protobuf's wire form or HDF5's.

    Raises:
        WeightsError: missing, cut, damaged, or something else.
        AlexNetError: protobuf is not installed.
    """
    if file_kind(path) == "hdf5":
        return read_hdf5(path)
    net = _parsed("Net", path)
    _require_few(len(net.layers) + len(net.layer), _MAX_LAYERS, "layers", str(path))
    found: dict[str, list[Blob]] = {}
    for layer in [*net.layers, *net.layer]:
        old = layer.layer if "layer" in layer.DESCRIPTOR.fields_by_name else None
        name = (layer.name or (old.name if old is not None else b"")).decode("utf-8", "replace")
        blobs = list(layer.blobs) or (list(old.blobs) if old is not None else [])
        if blobs and name not in found:
            _require_few(len(blobs), _MAX_BLOBS, "arrays", f'the layer "{name}" of {path}')
            found[name] = [_blob(each, f'layer "{name}" of {path}') for each in blobs]
    if not found:
        raise WeightsError(
            f"{path} holds no weights of any layer: it was cut, or is no file that Caffe trained. "
            "A .caffemodel is wanted (a .solverstate is none)."
        )
    return found


def _require_few(count: int, most: int, what: str, where: str) -> None:
    if count > most:
        raise WeightsError(
            f"There are {count:,} {what} in {where}, and the limit is {most:,}: the file is "
            "damaged, or is something else. Use another."
        )


def read_binaryproto(path: Path) -> Blob:
    """Return the one array of a mean file.

    Raises:
        WeightsError: missing, cut, damaged, or something else.
        AlexNetError: protobuf is not installed.
    """
    blob = _parsed("Blob", path)
    if not any(map(len, (blob.data, blob.double_data, blob.kind_or_halves, blob.raw_data))):
        raise WeightsError(f"{path} holds no numbers: it was cut, or is no mean file of Caffe's.")
    return _blob(blob, str(path))


def _blob(blob: Any, where: str) -> Blob:
    raw = blob.HasField("raw_data")
    return as_blob(_numbers(blob, where), _shape(blob, where), where, raw=raw)


def _numbers(blob: Any, where: str) -> NDArray[Any]:
    """Return the numbers of an array, in whichever of five forms they are written."""
    if len(blob.double_data):
        return np.asarray(blob.double_data, np.float64)
    if len(blob.data) or not (blob.HasField("raw_data") or len(blob.kind_or_halves)):
        return np.asarray(blob.data, np.float32)
    if not blob.HasField("raw_data"):
        return np.asarray(blob.kind_or_halves, np.uint32).astype(np.uint16).view(np.float16)
    kind = blob.kind_or_halves[0] if len(blob.kind_or_halves) else 0  # an enum's first: doubles
    if kind not in _RAW_KINDS or len(blob.raw_data) % int(_RAW_KINDS[kind][-1]):
        raise WeightsError(
            f"An array in {where} has {len(blob.raw_data):,} bytes of the kind {kind} (raw_data); "
            "doubles, floats and halves can be read."
        )
    return np.frombuffer(blob.raw_data, _RAW_KINDS[kind])


def _shape(blob: Any, where: str) -> tuple[int, ...]:
    if blob.HasField("shape"):
        count = len(blob.shape.dim)
        if count > _MAX_AXES:
            raise WeightsError(f"An array in {where} has {count:,} axes; Caffe knows {_MAX_AXES}.")
        shape = tuple(int(each) for each in blob.shape.dim)
    else:
        shape = tuple(int(each) for each in (blob.num, blob.channels, blob.height, blob.width))
    if any(each < 0 for each in shape):
        raise WeightsError(f"An array in {where} says that it is {shape}. The file is damaged.")
    return shape


def _parsed(message: str, path: Path) -> Any:
    classes = _message_classes()
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise WeightsError(f"{path} has {size:,} bytes; protobuf ends at {_MAX_BYTES:,}.")
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"Could not read {path}: {error.strerror or error}.") from error
    try:
        return classes[message].FromString(data)
    except Exception as error:  # DecodeError, of whichever implementation the library runs on
        raise WeightsError(
            f"{path} is not what Caffe writes: it was cut, damaged, or is something else. Copy it "
            "again."
        ) from error


@functools.cache
def _message_classes() -> dict[str, Any]:
    """Tell the protobuf library of the messages and return the classes that it makes."""
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise AlexNetError('Files of Caffe need protobuf: pip install "alexnet[caffe]".') from None
    file: Any = descriptor_pb2.FileDescriptorProto(
        name="alexnet/caffe.proto", package="alexnet.caffe", syntax="proto2"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for title, number, repeats, kind in fields:
            held = None if kind in _TYPES else f".alexnet.caffe.{kind}"
            message.field.add(
                name=title,
                number=number,
                label=3 if repeats else 1,
                type=_TYPES["message" if held else kind],
                type_name=held,
            )
    pool: Any = descriptor_pool.DescriptorPool()
    pool.Add(file)
    find: Any = message_factory.GetMessageClass
    return {name: find(pool.FindMessageTypeByName(f"alexnet.caffe.{name}")) for name in _MESSAGES}
