"""What a file of a trained model is, by its first bytes; its name decides only where they do not.

People call one and the same checkpoint .pth, .pth.tar, .pt, .bin and .ckpt, and a description
.prototxt, .prototxt.txt, .pbtxt and .PROTOTXT.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from alexnet.errors import WeightsError
from alexnet.weights.other_formats import what_it_is

__all__ = ["FileKind", "file_kind", "require_importable", "require_regular_file"]

FileKind = Literal[
    "pickle",  # what torch.save writes, of either form
    "safetensors",
    "hdf5",
    "npy",
    "prototxt",  # protobuf's text: a description of Caffe's, or a solver
    "caffemodel",  # protobuf's wire form: trained arrays by layer
    "binaryproto",  # protobuf's wire form: one array
    "compressed",  # arrays by layer in the form of Deep Compression, which has no mark of its own
    "text",  # any other text, such as names of classes
    "unknown",
]

_HEAD_BYTES = 1 << 16

_MAGIC: tuple[tuple[bytes, FileKind], ...] = (
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x93NUMPY", "npy"),
    (b"PK\x03\x04", "pickle"),
    (b"PK\x05\x06", "pickle"),
)

_SUFFIXES: dict[str, FileKind] = {
    ".prototxt": "prototxt",
    ".pbtxt": "prototxt",
    ".caffemodel": "caffemodel",
    ".binaryproto": "binaryproto",
    ".npy": "npy",
    ".net": "compressed",
    ".pth": "pickle",
    ".pt": "pickle",
    ".bin": "pickle",
    ".ckpt": "pickle",
    ".tar": "pickle",
    ".safetensors": "safetensors",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".txt": "text",
    ".names": "text",
    ".tsv": "text",
}

_NET_TAGS = (b"\x0a", b"\x12", b"\x1a", b"\x28", b"\xa2\x06")
"""How a network in the wire form begins: its name, layers, input, force_backward, or layer."""

_BLOB_TAGS = (b"\x08", b"\x10", b"\x18", b"\x2a", b"\x3a")
"""How one array begins: num, channels, height, its numbers, or its shape."""

_FIELD = re.compile(
    r"(?:\s|\#[^\n]*(?:\n|$))*[A-Za-z_]\w*\s*(?:\#[^\n]*\n\s*)*"
    r"(?::\s*(?:\#[^\n]*\n\s*)*(?:\"|'|\{|<|\[|[-+\w.]+\s*(?:[;,#\n]|$|[A-Za-z_]\w*\s*[:{<]))|[{<]|\[\s*[{<])"
)
"""How protobuf's text begins: comments, and a field with a value or with fields in braces."""


_OF_CAFFE = re.compile(r"\b(layers?|input|(\w+_)?net(_param)?|base_lr)\s*[:{<\[]")
"""What tells a description in a .txt from a list of classes such as "cat: a small animal"."""


def file_kind(path: Path) -> FileKind:
    """Say what a file is; of one that is not there, what its name says.

    Args:
        path: the file.

    Raises:
        WeightsError: it cannot be read, or lies in the place of one that was not fetched.
    """
    require_regular_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return _kind_by_name(path)
    except OSError as error:
        raise WeightsError(f"Could not read {path}: {error.strerror or error}.") from error
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    by_name = _kind_by_name(path)
    if _is_safetensors(head):
        return "safetensors"
    if _is_pickle(head):
        return "pickle"
    text = _as_text(head)
    if text is not None and text.strip():
        _require_no_placeholder(text, path)
        return _kind_of_text(text, by_name)
    if by_name in ("caffemodel", "binaryproto", "compressed") or not head:
        return by_name
    if head.startswith(_NET_TAGS):
        return "caffemodel"
    return "binaryproto" if head.startswith(_BLOB_TAGS) else by_name


def require_importable(path: Path) -> None:
    """Raise for a folder, a pipe, and a file of a program whose models cannot be imported.

    Raises:
        WeightsError: says what it is and what to do.
    """
    require_regular_file(path)
    try:
        what = what_it_is(path, importing=True)
    except OSError as error:
        raise WeightsError(f"Could not read {path}: {error.strerror or error}.") from error
    if what is not None:
        raise WeightsError(what)
    if path.is_dir():
        raise WeightsError(f"{path} is a folder. Name all files of the model in it.")


def require_regular_file(path: Path) -> None:
    """Raise for a pipe or a device, which may give nothing, or no end.

    Raises:
        WeightsError: it is one.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise WeightsError(f"{path} is a pipe or a device. Copy it into a file, and name that.")


def _kind_by_name(path: Path) -> FileKind:
    """Return what the last suffix says that says something: net.PROTOTXT.txt is a description."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if ".prototxt" in suffixes or ".pbtxt" in suffixes:
        return "prototxt"
    known: list[FileKind] = [_SUFFIXES[each] for each in suffixes if each in _SUFFIXES]
    return known[-1] if known else "unknown"


def _is_safetensors(head: bytes) -> bool:
    size = int.from_bytes(head[:8], "little")
    return 2 <= size <= 100 << 20 and head[8:9] == b"{"


def _is_pickle(head: bytes) -> bool:
    """Pickles of protocol 2 to 5, as torch wrote them before it wrote archives."""
    return head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


def _as_text(head: bytes) -> str | None:
    if b"\0" in head:
        return None
    for cut in range(4):  # a letter of several bytes may be cut at the end of what was read
        try:
            text = head[: len(head) - cut].decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
        controls = sum(letter < " " and letter not in "\t\n\r\f\v" for letter in text)
        return text if not controls else None
    return None


def _require_no_placeholder(text: str, path: Path) -> None:
    """Raise for what lies in a file's place when it was not really fetched."""
    if text.startswith("version https://git-lfs"):
        raise WeightsError(
            f"{path} is a pointer of Git LFS, not the file itself. Fetch it: git lfs pull"
        )
    if re.match(r"\s*<(!doctype|html|\?xml)", text, re.I):
        raise WeightsError(
            f"{path} is a page of a website, not the file itself. Download the file again."
        )


def _kind_of_text(text: str, by_name: FileKind) -> FileKind:
    is_message = _FIELD.match(text) and (by_name != "text" or _OF_CAFFE.search(text))
    if by_name == "prototxt" or is_message:
        return "prototxt"
    if text.lstrip()[:1] in "{[" or by_name in ("pickle", "safetensors", "caffemodel", "hdf5"):
        return "unknown"
    return "text"
