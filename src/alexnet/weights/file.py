"""Writing and reading weights files: whole or not there, bit for bit, and never any code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from alexnet.errors import AlexNetError, WeightsError, is_out_of_memory
from alexnet.files import as_path, replace_file
from alexnet.images import Preprocessing
from alexnet.text import format_bytes
from alexnet.weights.header import (
    KEY,
    MEAN,
    read_header,
    stored_digest,
    tensor_digest,
    write_header,
)
from alexnet.weights.location import weights_file
from alexnet.weights.other_formats import what_it_is
from alexnet.weights.stored import MemoryTensor, StoredTensor, read_tensors, write_tensors
from alexnet.weights.weights import Weights

__all__ = [
    "MAX_BYTES",
    "MAX_TENSORS",
    "Storage",
    "load_weights",
    "require_readable_size",
    "save_weights",
]

Storage = Literal["float32", "float16", "bfloat16"]
"""How tensors of floating point are kept on disk; they are read back as float32."""

MAX_BYTES = 16 << 30
"""Of a weights file: sixty times the paper's network. Larger ones are not read."""

MAX_TENSORS = 100_000
"""Of a weights file: no network has a thousandth of a million parts."""


def save_weights(
    path: Path,
    weights: Weights,
    *,
    dtype: Storage = "float32",
    stored: Mapping[str, StoredTensor] | None = None,
) -> None:
    """Write one file that is enough by itself; the same weights give the same bytes.

    Written beside and renamed, so that `path` is the old file or the new one, never half of it.

    Args:
        path: the file to make or replace, usually `*.safetensors`.
        weights: what to keep.
        dtype: how the network's numbers are kept: "float32" bit for bit; "float16" and "bfloat16"
            halve the file and round. Always kept in full, since they are few and of any size: the
            mean image and tensors of one axis (biases, what a normalization over the batch knows).
        stored: the network's tensors by name, where they do not lie in memory; kept as they are,
            in place of those of `weights`.

    Raises:
        WeightsError: a number lies outside of float16, or a value is not plain JSON.
        RunError: the disk refuses.
    """
    tensors: dict[str, StoredTensor] = dict(stored or {})
    if stored is None:
        state = weights.state.items()
        tensors |= {name: MemoryTensor(_stored(each, name, dtype)) for name, each in state}
    if weights.preprocessing.mean is not None:
        mean: Any = torch.from_numpy(weights.preprocessing.mean.copy())  # pyright: ignore[reportUnknownMemberType]
        tensors[MEAN] = MemoryTensor(mean)
    header = write_header(
        {
            "model": weights.model,
            "arguments": weights.arguments,
            "classes": list(weights.classes),
            "class_words": weights.class_words,
            "preprocessing": weights.preprocessing.to_json(),
            "recipe": weights.recipe,
            "results": weights.results,
            "versions": weights.versions,
            "digest": stored_digest(tensors),
        }
    )
    replace_file(Path(path), lambda file: write_tensors(file, tensors, {KEY: header}))


def load_weights(path: Path | str) -> Weights:
    """Read a weights file, or the best weights of a run folder.

    Nothing in the file is run: a pickle (`torch.save`) is refused, whatever it is called.

    Args:
        path: the file, a run folder that holds `weights.safetensors`, or the name of weights that
            come with the package.

    Returns:
        The weights, in memory, independent of the file.

    Raises:
        WeightsError: missing, cut, damaged, from a newer version, or not a weights file at all.
    """
    file = weights_file(as_path(path, WeightsError, "A weights file"))
    tensors, metadata = _read_tensors(file)
    header = read_header(metadata, file)
    if tensor_digest(tensors) != header["digest"]:
        raise WeightsError(
            f"{file} is damaged: its tensors do not match their checksum. Restore it from a copy."
        )
    mean = tensors.pop(MEAN, None)
    try:
        preprocessing = Preprocessing.from_json(
            header["preprocessing"], None if mean is None else mean.numpy()
        )
    except (AlexNetError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise WeightsError(
            f"The preprocessing in the header of {file} cannot be used: {error}"
        ) from error
    return Weights(
        model=header["model"],
        arguments=header["arguments"],
        state={name: _loaded(each) for name, each in tensors.items()},
        classes=tuple(header["classes"]),
        preprocessing=preprocessing,
        class_words=header["class_words"],
        recipe=header["recipe"],
        results=header["results"],
        versions=header["versions"],
    )


def _stored(tensor: Tensor, name: str, dtype: Storage) -> Tensor:
    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point() or tensor.ndim < 2:
        return tensor.contiguous()
    kept = tensor.to(getattr(torch, dtype)).contiguous()
    if dtype != "float32" and bool((kept.isinf() & tensor.isfinite()).any()):
        raise WeightsError(
            f'The tensor "{name}" reaches {tensor.abs().max():.3g}, which {dtype} cannot hold. '
            'Keep it as "bfloat16" or "float32".'
        )
    return kept


def _loaded(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _read_tensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str] | None]:
    """Read every tensor and the metadata; whatever is wrong becomes one sentence."""
    try:
        _require_no_pickle(file)
        _require_size(file)
        with cast("Any", safe_open)(file, framework="pt", device="cpu") as opened:
            _require_few(len(opened.keys()), file)
            return read_tensors(file, opened), opened.metadata()
    except OSError as error:
        raise WeightsError(f"Could not read {file}: {error.strerror or error}.") from error
    except (SafetensorError, ValueError, RuntimeError, TypeError, KeyError) as error:
        if is_out_of_memory(error):
            raise
        raise WeightsError(
            f"{file} is not a whole safetensors file ({error}): it was cut, damaged, or is "
            "something else. Copy it again, or train it again; other programs' files come in by: "
            "alexnet import."
        ) from error


def require_readable_size(file: Path) -> None:
    """Look at the header of a safetensors file before any tensor of it is read.

    Raises:
        WeightsError: it has too many bytes or tensors for a network.
        SafetensorError: it is damaged.
    """
    _require_size(file)
    with cast("Any", safe_open)(file, framework="pt", device="cpu") as opened:
        _require_few(len(opened.keys()), file)


def _require_few(tensors: int, file: Path) -> None:
    if tensors > MAX_TENSORS:
        raise WeightsError(
            f"{file} holds {tensors:,} tensors, and the limit is {MAX_TENSORS:,}: it is damaged, "
            "or is something else. Use another file."
        )


def _require_size(file: Path) -> None:
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise WeightsError(
            f"{file} has {format_bytes(size)}, and the limit is {format_bytes(MAX_BYTES)}: it is "
            "no weights of a network here. Use another file."
        )


_TORCH_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
"""How a file of torch.save begins, behind the pickle's protocol, where it is no archive."""


def _require_no_pickle(file: Path) -> None:
    """Say of files of other programs what they are; nothing is ever unpickled.

    A safetensors file begins with the length of its header, which may look like a pickle's mark.
    """
    with file.open("rb") as opened:
        start = opened.read(14)
    announced = int.from_bytes(start[:8], "little")
    if start[8:9] == b"{" and 8 + announced <= file.stat().st_size:
        return
    if (what := what_it_is(file)) is not None:
        raise WeightsError(what)
    pickled = len(start) > 1 and start[0] == 0x80 and start[1] <= 5
    zipped = start.startswith(b"PK\x03\x04")
    if pickled or zipped:
        advice = "Ask for the same weights as safetensors."
        if zipped or start[2:] == _TORCH_MAGIC:
            advice = f"Its tensors alone come in by: alexnet import {file} --out net.safetensors"
        raise WeightsError(
            f"{file} is a {'zip archive, as torch.save writes' if zipped else 'pickle'}, which "
            f"could run code when it is opened, so it is not read. {advice}"
        )
