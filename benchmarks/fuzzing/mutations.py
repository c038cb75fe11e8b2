"""Ways to damage a file: bits, cuts, swaps, absurd sizes; and to sign what was damaged.

A checksum stops most damage before a reader meets it. A stranger computes checksums too, so many of
the cases have theirs put right again, and values inside of JSON and of tensors become strange ones.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

from alexnet.weights.header import KEY, tensor_digest
from fuzzing.originals import Original

__all__ = ["damaged", "digest"]

Rng = np.random.Generator

_UNTOUCHED = 0.02  # of the cases: an original that is refused is a finding, too
_SIZES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WIDE_SIZES = (2**40, 2**63 - 1, 2**63, 2**64 - 1, 2**53)
_DEEP = 100_000


def damaged(
    kind: str, original: Original, others: Sequence[Original], rng: Rng
) -> dict[str, bytes]:
    """Return the files of an original, one of them damaged (or, seldom, none).

    Args:
        kind: as in `fuzz.KINDS`.
        original: what is damaged.
        others: of the same kind, whose parts may be put in.
        rng: decides everything.
    """
    files = dict(original.files)
    if rng.random() < _UNTOUCHED:
        return files
    name = original.targets[rng.integers(len(original.targets))]
    donor = others[rng.integers(len(others))]
    other = donor.files.get(name, donor.files[donor.targets[0]])
    inside = _INSIDE.get(kind)
    if inside is not None and rng.random() < 0.4:
        changed = inside(name, files, rng)
        if changed is not None:
            return changed
    files[name] = _several(files[name], other, rng)
    if rng.random() < 0.5:
        _sign(kind, name, files)
    return files


def _several(data: bytes, other: bytes, rng: Rng) -> bytes:
    for _ in range(int(rng.geometric(0.5))):
        if data:
            data = _WAYS[rng.integers(len(_WAYS))](bytearray(data), other, rng)
    return data


def _flip(data: bytearray, other: bytes, rng: Rng) -> bytes:
    for place in rng.integers(0, len(data), int(rng.geometric(0.2))).tolist():
        data[place] ^= 1 << int(rng.integers(8))
    return bytes(data)


def _flip_early(data: bytearray, other: bytes, rng: Rng) -> bytes:
    """The beginning says what the rest is."""
    for _ in range(int(rng.geometric(0.4))):
        data[int(rng.integers(min(len(data), 96)))] = int(rng.integers(256))
    return bytes(data)


def _cut(data: bytearray, other: bytes, rng: Rng) -> bytes:
    return bytes(data[: int(rng.integers(len(data)))])


def _drop(data: bytearray, other: bytes, rng: Rng) -> bytes:
    start, end = _slice(data, rng)
    return bytes(data[:start] + data[end:])


def _twice(data: bytearray, other: bytes, rng: Rng) -> bytes:
    start, end = _slice(data, rng)
    times = int(rng.choice([2, 2, 2, 50]))
    return bytes(data[:end] + data[start:end][:4096] * (times - 1) + data[end:])


def _swap(data: bytearray, other: bytes, rng: Rng) -> bytes:
    a, b, c, d = sorted(rng.integers(0, len(data) + 1, 4).tolist())
    return bytes(data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:])


def _noise(data: bytearray, other: bytes, rng: Rng) -> bytes:
    start, end = _slice(data, rng)
    data[start:end] = rng.bytes(int(rng.integers(1, 40)))
    return bytes(data)


def _splice(data: bytearray, other: bytes, rng: Rng) -> bytes:
    if not other:
        return bytes(data)
    start, end = _slice(bytearray(other), rng)
    place = int(rng.integers(len(data) + 1))
    kept = place + (end - start) * int(rng.integers(2))  # over what is there, or between
    return bytes(data[:place]) + other[start:end] + bytes(data[kept:])


def _size(data: bytearray, other: bytes, rng: Rng) -> bytes:
    """A whole number somewhere becomes an absurd one; the ends of a file hold the most of them."""
    width = int(rng.choice([1, 2, 4, 4, 8]))
    value = int(rng.choice(_SIZES)) if width < 8 else int(rng.choice(np.array(_WIDE_SIZES, object)))
    order = "little" if rng.random() < 0.5 else "big"
    near = min(len(data), 160)
    place = int(
        rng.choice(
            [rng.integers(len(data)), rng.integers(near), len(data) - 1 - rng.integers(near)]
        )
    )
    data[place : place + width] = (value % (1 << 8 * width)).to_bytes(width, order)
    return bytes(data)


def _digits(data: bytearray, other: bytes, rng: Rng) -> bytes:
    """A number that is written in digits becomes an absurd one."""
    places = [i for i, each in enumerate(data) if 48 <= each <= 57]
    if not places:
        return bytes(data)
    place = places[rng.integers(len(places))]
    said = (b"0", b"-1", b"99999999999999999999", b"777777777777", b"1e400", b"9" * 5000, b"NaN")
    return bytes(data[:place]) + said[rng.integers(len(said))] + bytes(data[place + 1 :])


def _long(data: bytearray, other: bytes, rng: Rng) -> bytes:
    """A name of 4,000 letters, or of odd ones."""
    place = int(rng.integers(len(data) + 1))
    said = (
        b"n" * 4000,
        b"../" * 20,
        b"\0",
        b"=cmd|'/c calc'!A0",
        b"\xff\xfe\xed\xa0\x80",
        b"/" * 300,
    )
    return bytes(data[:place]) + said[rng.integers(len(said))] + bytes(data[place:])


_WAYS: tuple[Callable[[bytearray, bytes, Rng], bytes], ...] = (
    *(_flip, _flip, _flip_early, _cut, _drop, _twice, _swap, _noise, _splice, _size, _size),
    *(_digits, _long),
)


def _slice(data: bytearray, rng: Rng) -> tuple[int, int]:
    start = int(rng.integers(len(data)))
    return start, min(len(data), start + int(rng.geometric(1 / (1 + len(data) // 8))))


# What follows knows a format.


def _sign(kind: str, name: str, files: dict[str, bytes]) -> None:
    """Compute checksums anew where the damage left enough of the form for that."""
    data = files[name]
    if kind == "png":
        files[name] = _png_signed(data)
    elif kind == "tar":
        files[name] = _tar_signed(data)
    elif kind == "pack" and name == "index.npz":
        files[name] = signed = _zip_signed(data)
        _index_signed(files, signed)


def _png_signed(data: bytes) -> bytes:
    found, place = bytearray(data[:8]), 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        if place + 12 + length > len(data):
            break
        body = data[place + 4 : place + 8 + length]
        found += data[place : place + 4] + body + struct.pack(">I", zlib.crc32(body))
        place += 12 + length
    return bytes(found) + data[place:]


def _tar_signed(data: bytes) -> bytes:
    """Put the checksum right of whatever looks like a header."""
    found = bytearray(data)
    for place in range(0, len(data) - 511, 512):
        block = found[place : place + 512]
        if block[257:262] == b"ustar":
            block[148:156] = b" " * 8
            found[place + 148 : place + 156] = b"%06o\0 " % (sum(block) % 8**6)
    return bytes(found)


def _zip_signed(data: bytes) -> bytes:
    """Put the checksums right of stored members that still lie where the directory says."""
    found = bytearray(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except Exception:
        return data
    for each in members:
        start = each.header_offset + 30 + len(each.orig_filename.encode())
        checksum = zlib.crc32(data[start : start + each.compress_size]) if start >= 0 else 0
        found = bytearray(
            bytes(found).replace(struct.pack("<I", each.CRC), struct.pack("<I", checksum))
        )
    return bytes(found)


def _index_signed(files: dict[str, bytes], index: bytes) -> None:
    values = json.loads(files["pack.json"])
    values["index"]["checksum"] = zlib.crc32(index)
    files["pack.json"] = json.dumps(values).encode()


def _pack_values(name: str, files: dict[str, bytes], rng: Rng) -> dict[str, bytes] | None:
    if name == "index.npz":
        return _pack_columns(files, rng)
    text = _strange_text(json.loads(files["pack.json"]), rng)
    return {**files, "pack.json": text.encode("utf-8", "surrogatepass")}


def _pack_columns(files: dict[str, bytes], rng: Rng) -> dict[str, bytes]:
    """Columns of other kinds, lengths and numbers, with a checksum that fits."""
    with np.load(io.BytesIO(files["index.npz"])) as found:
        columns: dict[str, Any] = dict(found)
    name = sorted(columns)[rng.integers(len(columns))]
    column = columns[name]
    strange = (
        column[:-1],
        column.astype(np.float64) * np.nan,
        column.astype(np.complex64),
        column[None],
        np.full_like(column, np.iinfo(column.dtype).max),
        column[::-1],
        column.astype("S9"),
        np.zeros((), column.dtype),
        column - 1,
        np.array(["text"] * len(column)),
    )
    columns[name] = strange[rng.integers(len(strange))]
    if rng.random() < 0.1:
        columns.pop(name)
    file = io.BytesIO()
    (np.savez_compressed if rng.random() < 0.3 else np.savez)(file, **columns)
    changed = {**files, "index.npz": file.getvalue()}
    _index_signed(changed, file.getvalue())
    return changed


def _weights_values(name: str, files: dict[str, bytes], rng: Rng) -> dict[str, bytes] | None:
    """Strange values in either header of a weights file; the tensors and their digest stay."""
    data = files[name]
    length = int.from_bytes(data[:8], "little")
    outer = json.loads(data[8 : 8 + length])
    if rng.random() < 0.7:
        inner = json.loads(outer["__metadata__"]["alexnet"])
        outer["__metadata__"]["alexnet"] = _strange_text(inner, rng)
        text = json.dumps(outer)
    else:
        text = _strange_text(outer, rng)
    header = text.encode("utf-8", "surrogatepass")
    lie = int(rng.choice(_SIZES)) if rng.random() < 0.1 else len(header)
    return {**files, name: struct.pack("<Q", lie) + header + data[8 + length :]}


def _weights_inside(name: str, files: dict[str, bytes], rng: Rng) -> dict[str, bytes] | None:
    return (_weights_values if rng.random() < 0.6 else _weights_tensors)(name, files, rng)


def _weights_tensors(name: str, files: dict[str, bytes], rng: Rng) -> dict[str, bytes] | None:
    """Strange numbers, shapes and kinds in one tensor, with a digest that fits."""
    data = files[name]
    tensors = load(data)
    chosen = sorted(tensors)[rng.integers(len(tensors))]
    tensors[chosen] = _strange_tensor(tensors[chosen], rng)
    length = int.from_bytes(data[:8], "little")
    values = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][KEY])
    values["digest"] = tensor_digest(tensors)
    return {**files, name: save(tensors, {KEY: json.dumps(values)})}


def _strange_tensor(tensor: torch.Tensor, rng: Rng) -> torch.Tensor:
    flat = tensor.clone().reshape(-1)
    place = int(rng.integers(max(flat.numel(), 1)))
    number = (float("nan"), float("inf"), 3e38, -1.0, 0.0)[rng.integers(5)]
    whole = (-1, 2**62, -(2**63), 7, 0)[rng.integers(5)]
    if flat.numel() and rng.random() < 0.6:
        flat[place] = number if tensor.is_floating_point() else whole
        return flat.reshape(tensor.shape)
    strange = (
        tensor.double(),
        torch.zeros(tensor.shape, dtype=torch.int64),
        torch.zeros(tensor.shape, dtype=torch.bool),
        torch.zeros(tensor.shape, dtype=torch.complex64),
        torch.zeros(tensor.shape, dtype=torch.float8_e4m3fn),
        tensor[None],
        flat[:-1],
        torch.zeros(()),
        torch.zeros((0, *tensor.shape)),
    )
    return strange[rng.integers(len(strange))].contiguous()


def _run_values(name: str, files: dict[str, bytes], rng: Rng) -> dict[str, bytes] | None:
    """Strange values in run.json. Checkpoints keep their digest: a run folder is one's own."""
    text = _strange_text(json.loads(files["run.json"]), rng)
    return {**files, "run.json": text.encode("utf-8", "surrogatepass")}


_INSIDE: dict[str, Callable[[str, dict[str, bytes], Rng], dict[str, bytes] | None]] = {
    "pack": _pack_values,
    "weights": _weights_inside,
    "checkpoint": _run_values,
}

_STRANGE: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        3,
        7,
        4096,
        65536,
        10**9,
        2**31,
        2**63,
        2**64,
        10**400,
        -(10**30),
    ),
    *(
        0.5,
        1e308,
        float("inf"),
        float("-inf"),
        float("nan"),
        "",
        "x",
        "n" * 4000,
        "\udcff",
        "\ud800",
    ),
    *("../../etc/passwd", "/dev/zero", "\0", "=1+1", [], {}, [[]], [0], {"": 0}, [None] * 3),
    *(
        ["ant", "ant"],
        [1, "a", None],
        "relu",
        "os:system",
        "builtins:exec",
        "layers.cfg",
        "1" * 5000,
    ),
)


def _strange_text(value: Any, rng: Rng) -> str:
    """Return JSON in which a few values are strange; seldom it is of absurd depth."""
    for _ in range(int(rng.geometric(0.6))):
        value = _exchanged(value, rng)
    text = json.dumps(value)
    if rng.random() < 0.05:
        hole = text.find(": ") + 2
        return text[:hole] + "[" * _DEEP + "]" * _DEEP + "," + '"x": ' + text[hole:]
    return text


def _exchanged(value: Any, rng: Rng) -> Any:
    """Return a copy in which one value, somewhere, is another, gone, or under another name."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = list(value)[rng.integers(len(value))]
        what = rng.random()
        if what < 0.08:
            return {k: v for k, v in value.items() if k != key}
        if what < 0.12:
            return {(k + "x" if k == key else k): v for k, v in value.items()}
        return {k: _exchanged(v, rng) if k == key else v for k, v in value.items()}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = int(rng.integers(len(value)))
        if rng.random() < 0.15:
            return value[:place] + value[place:][1:] + value[:1] * int(rng.integers(3))
        return [_exchanged(v, rng) if i == place else v for i, v in enumerate(value)]
    return _STRANGE[rng.integers(len(_STRANGE))]


def digest(files: dict[str, bytes]) -> str:
    """Return a few letters that stand for the files of a case."""
    found = hashlib.blake2b(digest_size=6)
    for name in sorted(files):
        found.update(name.encode() + b"\0" + files[name])
    return found.hexdigest()
