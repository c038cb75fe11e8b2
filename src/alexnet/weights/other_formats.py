"""What a model file of another program is, by its first bytes, and what can be done with it."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

__all__ = ["what_it_is"]

_HEAD_BYTES = 1 << 12
_LARGEST_HEADER = 100 << 20

_KERAS = (
    "Keras' files have no way in. Train here (alexnet train), or bring the network's Caffe files"
)
_RUNS_ELSEWHERE = (
    "That format is made to be run, and cannot be read back. Ask for the weights that it was made "
    "of: an alexnet .safetensors, Caffe's files, or a state dict of torchvision's alexnet"
)
_UNPACK = "Unpack it and name what is inside"
_FETCH = "Download the file again"

_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (4, b"TFL3", "a model of TensorFlow Lite", _RUNS_ELSEWHERE),
    (0, b"GGUF", "a GGUF file of llama.cpp's", "Such files hold language models. Use another"),
    (0, b"MATLAB 5.0", "a file of MATLAB's", "Ask for the network as Caffe's files"),
    (0, b"\x7fELF", "a program or library (ELF)", "Name the weights file"),
    (0, b"ftrt", "an engine of TensorRT", _RUNS_ELSEWHERE),
    (0, b"ptrt", "an engine of TensorRT", _RUNS_ELSEWHERE),
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!", "a RAR archive", _UNPACK),
    (0, b"BZh", "a bzip2 archive", _UNPACK),
    (0, b"\xfd7zXZ\0", "an xz archive", _UNPACK),
    (0, b"%PDF", "a PDF", "Name the weights file"),
    (0, b"\xff\xd8\xff", "a JPEG image", "Name the weights file first, then images"),
    (0, b"\x89PNG", "a PNG image", "Name the weights file first, then images"),
    (0, b"7767517", "a network of ncnn's", _RUNS_ELSEWHERE),
    (0, b"\x12\x01\0\0\0\0\0\0", "parameters of MXNet's", "Ask for the network as Caffe's files"),
    (0, b"version https://git-lfs", "a pointer of Git LFS", "Fetch the file itself (git lfs pull)"),
)

_IMPORTABLE: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", "Caffe's come in by alexnet import, Keras' do not"),
    (0, b"\x93NUMPY", "an array of NumPy's", "Name the weights file"),
)
"""What an importer may read, and weights are not."""

_SUFFIXES = {
    ".onnx": ("an ONNX model", _RUNS_ELSEWHERE),
    ".mlmodel": ("a Core ML model", _RUNS_ELSEWHERE),
    ".pb": ("a graph of TensorFlow's", _RUNS_ELSEWHERE),
    ".weights": ("a file of Darknet's or Keras' weights", "Such files have no way in. Use another"),
    ".t7": ("a file of Torch 7", "Ask for the network as Caffe's files"),
    ".meta": ("a part of a TensorFlow checkpoint", _RUNS_ELSEWHERE),
    ".index": ("a part of a TensorFlow checkpoint", _RUNS_ELSEWHERE),
}
"""What formats without a sign of their own are called; asked last."""

_TEXTS = (
    (r"\s*<\?xml[^>]*>\s*<net\b", "a network of OpenVINO's", _RUNS_ELSEWHERE),
    (r"\s*<(!doctype|html|\?xml)", "a page of a website, not the file itself", _FETCH),
    (r"[\s\S]{0,2000}\"weight_map\"", "a list of weights files, not weights", "Name one of those"),
    (r"\s*\{\s*\"(error|message|detail)\"", "a server's error, not the file itself", _FETCH),
    (r"\s*[{\[]\s*[\"{\[]", "a JSON text", "Name the weights file"),
)


def what_it_is(path: Path, *, importing: bool = False) -> str | None:
    """Say what a file or folder is that is neither weights nor what torch.save writes.

    Args:
        path: a file or a folder that is there.
        importing: nothing is said of a file that an importer may read.

    Returns:
        A sentence that names it and says what to do; None: nothing is known of it.

    Raises:
        OSError: it cannot be read.
    """
    found = _of_folder(path) if path.is_dir() else _of_file(path, importing)
    return None if found is None else f"{path} is {found[0]}. {found[1]}."


def _of_folder(path: Path) -> tuple[str, str] | None:
    inside = (
        ("data.pkl", "an unpacked file of torch.save", "Name the file as it was before unpacking"),
        (".metadata", "a distributed checkpoint of torch's", "Save one file with torch.save"),
        ("saved_model.pb", "a saved model of TensorFlow's", _RUNS_ELSEWHERE),
        ("Manifest.json", "a Core ML package", _RUNS_ELSEWHERE),
    )
    for name, what, advice in inside:
        if (path / name).is_file() or (name == "data.pkl" and any(path.glob("*/data.pkl"))):
            return what, advice
    return None


def _of_file(path: Path, importing: bool) -> tuple[str, str] | None:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _LARGEST_HEADER:
        return None  # safetensors, whose first bytes are a length
    if head.startswith(b"PK"):
        return _of_zip(path)
    if head[257:262] == b"ustar":
        return _of_tar(head)
    if head.startswith(b"\x89HDF") and b"keras" in head:
        return "an HDF5 file of Keras", _KERAS
    for place, magic, what, advice in (*_MAGIC, *(() if importing else _IMPORTABLE)):
        if head[place : place + len(magic)] == magic:
            return what, advice
    text = head.decode("utf-8", "replace")
    for pattern, what, advice in _TEXTS:
        if re.match(pattern, text, re.I):
            return what, advice
    pickled = head[:1] == b"\x80"
    return None if pickled or not head else _SUFFIXES.get(path.suffix.lower())


def _of_tar(head: bytes) -> tuple[str, str]:
    if head.startswith((b"sys_info\0", b"storages\0", b"pickle\0", b"tensors\0")):
        return (
            "a checkpoint of torch before 0.2, which cannot be read without running what is in it",
            "Ask for the same tensors in a file of today's: torch.save(network.state_dict(), FILE)",
        )
    return "a tar archive", _UNPACK


def _of_zip(path: Path) -> tuple[str, str] | None:
    """Say what a zip archive holds; None: what torch.save writes, or a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # whatever a damaged archive makes the reader stumble over
        return None
    ends = {name.partition("/")[2] for name in names}
    if "constants.pkl" in ends or any(end.startswith("code/") for end in ends):
        return "a program of TorchScript, which is never run", (
            "Where it was made, save the network's tensors: torch.save(network.state_dict(), FILE)"
        )
    if "archive_format" in ends or "serialized_exported_program.json" in names:
        return "a program of torch.export, which is never run", (
            "Where it was made, save the network's tensors: torch.save(network.state_dict(), FILE)"
        )
    if "data.pkl" in ends:
        return None
    if "model.weights.h5" in names:
        return "a model of Keras", _KERAS
    if names and all(name.endswith(".npy") for name in names):
        return "a file of NumPy arrays (.npz)", "Name the weights file"
    return "a zip archive", _UNPACK
