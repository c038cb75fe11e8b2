"""Writing and reading weights files: whole or not there, bit for bit, and never any code."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from alexnet.errors import AlexNetError, WeightsError, did_you_mean
from alexnet.files import refuse_long, replace_file
from alexnet.images import Preprocessing
from alexnet.weights.bundled import shipped_file
from alexnet.weights.header import KEY, digest_of, read_header, write_header
from alexnet.weights.prefetch import FILE_NAME, ReadAhead, taken
from alexnet.weights.weights import Weights

__all__ = ["Storage", "load_weights", "save_weights", "weights_file"]

"""Name of the best weights inside a run folder."""

Storage = Literal["float32", "float16", "bfloat16"]
"""How tensors of floating point are kept on disk; they are read back as float32."""

_MEAN = "preprocessing.mean"


def save_weights(path: Path, weights: Weights, *, dtype: Storage = "float32") -> None:
    """Write one file that is enough by itself; the same weights give the same bytes.

    Written beside and renamed, so that `path` is the old file or the new one, never half of it.

    Args:
        path: the file to make or replace, usually `*.safetensors`.
        weights: what to keep.
        dtype: how the network's numbers are kept: "float32" bit for bit; "float16" and "bfloat16"
            halve the file and round. Always kept in full, since they are few and of any size: the
            mean image and tensors of one axis (biases, what a normalisation over the batch knows).

    Raises:
        WeightsError: a number lies outside of float16, or a value is not plain JSON.
        RunError: the disk refuses.
    """
    tensors = {name: _stored(each, name, dtype) for name, each in weights.state.items()}
    if weights.preprocessing.mean is not None:
        tensors[_MEAN] = torch.from_numpy(weights.preprocessing.mean.copy())  # pyright: ignore[reportUnknownMemberType]
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
            "digest": digest_of(tensors),
        }
    )
    data = save(tensors, {KEY: header})
    replace_file(Path(path), lambda file: file.write(data))


def load_weights(path: Path) -> Weights:
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
    file = weights_file(Path(path))
    ahead = taken(file)
    tensors, metadata = _read_tensors(file, ahead)
    header = read_header(metadata, file)
    if (ahead.digest if ahead else digest_of(tensors)) != header["digest"]:
        raise WeightsError(
            f"{file} is damaged: its tensors do not match their checksum. Restore it from a copy."
        )
    mean = tensors.pop(_MEAN, None)
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


def weights_file(path: Path) -> Path:
    """Return the file that `path` means: itself, that of a run folder, or shipped weights' name."""
    refuse_long(path, WeightsError)
    if path.is_dir():
        if not (path / FILE_NAME).is_file():
            raise WeightsError(
                f"The folder {path} holds no {FILE_NAME}. Name a weights file, or the folder of a "
                "run that has finished its first epoch."
            )
        return path / FILE_NAME
    if not path.is_file():
        shipped = shipped_file(str(path))
        if shipped is not None:
            return shipped
        raise WeightsError(
            f"There is no weights file or run folder {path}.{_near(path)} "
            "Name a .safetensors file or the folder of a run."
        )
    return path


def _near(path: Path) -> str:
    """Name the neighbours in the same folder that are spelled alike."""
    try:
        return did_you_mean(path.name, [each.name for each in path.parent.iterdir()])
    except OSError:
        return ""


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


def _read_tensors(
    file: Path, ahead: ReadAhead | None
) -> tuple[dict[str, Tensor], dict[str, str] | None]:
    """Read every tensor and the metadata; whatever is wrong becomes one sentence."""
    try:
        _refuse_pickle(file)
        with cast("Any", safe_open)(file, framework="pt", device="cpu") as opened:
            names: list[str] = list(opened.keys())
            tensors: dict[str, Tensor] = {
                name: _taken(ahead, name) if ahead else opened.get_tensor(name).clone()
                for name in names
            }
            return tensors, opened.metadata()
    except OSError as error:
        raise WeightsError(f"Could not read {file}: {error.strerror or error}.") from error
    except (SafetensorError, ValueError, RuntimeError, TypeError, KeyError) as error:
        raise WeightsError(
            f"{file} is not a whole safetensors file ({error}): it was cut, damaged, or is "
            "something else. Copy it again, or train it again; other programs' files come in by: "
            "alexnet import."
        ) from error


def _taken(ahead: ReadAhead, name: str) -> Tensor:
    """Return a tensor out of a file that lies in memory, where it stays."""
    where = ahead.tensors[name]
    dtype: torch.dtype = getattr(torch, where.dtype)
    count = math.prod(where.shape)
    if not count:
        return torch.empty(where.shape, dtype=dtype)
    numbers = torch.frombuffer(ahead.data, dtype=dtype, count=count, offset=where.start)  # pyright: ignore[reportUnknownMemberType]
    return numbers.reshape(where.shape)


def _refuse_pickle(file: Path) -> None:
    """Say of files that torch.save and pickle write what they are; nothing is ever unpickled.

    A safetensors file begins with the length of its header, which may look like a pickle's mark.
    """
    with file.open("rb") as opened:
        start = opened.read(9)
    announced = int.from_bytes(start[:8], "little")
    if start[8:] == b"{" and 8 + announced <= file.stat().st_size:
        return
    pickled = len(start) > 1 and start[0] == 0x80 and start[1] <= 5
    if pickled or start.startswith(b"PK\x03\x04"):
        raise WeightsError(
            f"{file} is a {'pickle' if pickled else 'zip archive, as torch.save writes'}, which "
            "could run code when it is opened, so it is not read. Ask for the same weights as "
            "safetensors, or write them yourself with alexnet.weights.save_weights, there where "
            "you trust the file."
        )
