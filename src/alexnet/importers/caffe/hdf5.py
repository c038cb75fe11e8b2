"""Reading .caffemodel.h5: what Caffe writes where the solver says snapshot_format: HDF5.

/data/LAYER/0, /data/LAYER/1, ...: the arrays of a layer, each in its shape
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np

from alexnet.errors import AlexNetError, WeightsError
from alexnet.importers.caffe.blob import Blob, as_blob

__all__ = ["read_hdf5"]

_MAX_NUMBERS = 2**29  # as many floats as protobuf's largest file holds
_MAX_LAYERS = 20_000
_MAX_DEPTH = 8  # slashes in a layer's name are groups within groups


def read_hdf5(path: Path) -> dict[str, list[Blob]]:
    """Return the arrays of every layer that has some, by the layer's name.

    Args:
        path: a file of HDF5's.

    Raises:
        WeightsError: damaged, or not of Caffe's layout.
        AlexNetError: h5py is not installed.
    """
    try:
        import h5py  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise AlexNetError(
            'Files of Caffe in HDF5 need h5py: pip install "alexnet[caffe]".'
        ) from None
    found: dict[str, list[Blob]] = {}
    try:
        with h5py.File(path, "r") as file:
            if isinstance(file.get("data"), h5py.Group):
                _read_group(cast("Any", file)["data"], "", path, found)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path} cannot be read as HDF5: it was cut or damaged. Copy it again."
        ) from error
    if not found:
        raise WeightsError(
            f"{path} holds no weights in Caffe's layout (/data/LAYER/0). HDF5 is a form that many "
            "programs use; Keras' files cannot be imported."
        )
    return found


def _read_group(group: Any, name: str, path: Path, found: dict[str, list[Blob]]) -> None:
    """Read the arrays of one layer, and the groups inside for names with slashes."""
    arrays = {key: each for key, each in group.items() if hasattr(each, "shape")}
    if arrays:
        where = f'layer "{name}" of {path}'
        numbered = sorted((int(key), each) for key, each in arrays.items() if key.isdecimal())
        found[name] = [_read_array(each, where) for _, each in numbered]
        if sum(blob.numbers.size for blobs in found.values() for blob in blobs) > _MAX_NUMBERS:
            raise WeightsError(
                f"{path} holds more than {_MAX_NUMBERS:,} numbers; that is no model."
            )
    if len(found) > _MAX_LAYERS or name.count("/") > _MAX_DEPTH:
        raise WeightsError(f"{path} holds more than {_MAX_LAYERS:,} layers; that is no model.")
    for key, each in group.items():
        if key not in arrays and hasattr(each, "items"):
            _read_group(each, f"{name}/{key}" if name else key, path, found)


def _read_array(data: Any, where: str) -> Blob:
    """Read an array; its size is looked at before memory is taken."""
    shape = tuple(int(size) for size in data.shape)
    if data.size > _MAX_NUMBERS:
        raise WeightsError(f"An array in {where} has {data.size:,} numbers; that is no layer.")
    if data.dtype.kind not in "fiu":
        raise WeightsError(f"An array in {where} holds {data.dtype}, not numbers.")
    return as_blob(np.asarray(data[()]), shape, where)
