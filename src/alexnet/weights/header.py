"""The JSON in the header of a weights file: written in one fixed order, checked when it is read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from alexnet.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

    from alexnet.weights.stored import StoredTensor

__all__ = [
    "FORMAT",
    "KEY",
    "MEAN",
    "read_header",
    "stored_digest",
    "tensor_digest",
    "write_header",
]

FORMAT = 1
"""Number of the file's form; raised when an older reader would misunderstand a newer file."""

KEY = "alexnet"
"""The one key of safetensors' metadata: one key, because their order is not fixed there."""

MEAN = "preprocessing.mean"
"""Name of the tensor that holds the mean of the preprocessing, where there is one."""

_REMEDY = "Restore the file from a copy, or train again."

_FIELDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "format": (int, "a whole number"),
    "model": (str, "a string"),
    "arguments": (dict, "an object"),
    "classes": (list, "a list of strings"),
    "class_words": (dict, "an object of strings"),
    "preprocessing": (dict, "an object"),
    "recipe": ((dict, type(None)), "an object or null"),
    "results": ((dict, type(None)), "an object or null"),
    "versions": (dict, "an object of strings"),
    "digest": (str, "a string"),
}


def write_header(values: Mapping[str, Any]) -> str:
    """Return the values as one JSON string, the same for the same values, ASCII only."""
    try:
        return json.dumps({"format": FORMAT, **values}, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise WeightsError(
            f"A weights file holds plain JSON values beside its tensors; got others ({error}). "
            "Give arguments, recipe, results and class words as strings, finite numbers, lists "
            "and objects."
        ) from error


def read_header(metadata: Mapping[str, str] | None, path: Path) -> dict[str, Any]:
    """Read and check what `write_header` wrote; WeightsError names the field that is wrong."""
    text = (metadata or {}).get(KEY)
    if text is None:
        raise WeightsError(
            f"{path} is a safetensors file without alexnet's header, so its model, classes and "
            "preprocessing are unknown. Use a file that `alexnet train` wrote."
        )
    try:
        values: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsError(
            f"The header of {path} is not whole JSON ({str(error)[:100]}). {_REMEDY}"
        ) from error
    if not isinstance(values, dict):
        raise WeightsError(
            f"The header of {path} holds {type(values).__name__}, not an object. {_REMEDY}"
        )
    return _checked(cast("dict[str, Any]", values), path)


def _checked(values: dict[str, Any], path: Path) -> dict[str, Any]:
    form = values.get("format")
    if isinstance(form, int) and form > FORMAT:
        raise WeightsError(
            f"{path} has format {form}; this version reads up to {FORMAT}. "
            "Update alexnet: pip install --upgrade alexnet"
        )
    for name, (types, description) in _FIELDS.items():
        value = values.get(name, _MISSING)
        if isinstance(value, bool) or not isinstance(value, types):
            found = "nothing" if value is _MISSING else f"{value!r:.60}"
            raise WeightsError(
                f'The header of {path} has {found} as "{name}", not {description}. {_REMEDY}'
            )
    classes = cast("list[Any]", values["classes"])
    if not classes or not all(isinstance(name, str) for name in classes):
        raise WeightsError(
            f"The header of {path} names no classes: a list of strings is expected. {_REMEDY}"
        )
    if len(set(classes)) != len(classes):
        twice = next(name for name, count in Counter(classes).items() if count > 1)
        raise WeightsError(f'The header of {path} names the class "{twice}" twice. {_REMEDY}')
    _check_encodable([*classes, *values["class_words"], *values["class_words"].values()], path)
    for name in ("class_words", "versions"):
        if not all(isinstance(text, str) for text in values[name].values()):
            raise WeightsError(
                f'The header of {path} has other values than strings in "{name}". {_REMEDY}'
            )
    return values


def _check_encodable(texts: Iterable[object], path: Path) -> None:
    """Raise for lone surrogates, which JSON can spell and UTF-8 cannot encode."""
    for text in texts:
        try:
            str(text).encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise WeightsError(
                f"The header of {path} has {text!a:.60} as a name, which is not valid Unicode. "
                f"{_REMEDY}"
            ) from error


def tensor_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return 32 hex digits that change with any name, dtype, shape or bit of the tensors."""
    from alexnet.weights.stored import MemoryTensor

    return stored_digest({name: MemoryTensor(each) for name, each in tensors.items()})


def stored_digest(tensors: Mapping[str, StoredTensor]) -> str:
    """Return the `tensor_digest` of tensors that need not lie in memory."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        for portion in tensor.portions():
            digest.update(portion)
    return digest.hexdigest()


_MISSING = object()
