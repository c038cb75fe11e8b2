"""Sources and packs made in memory: a few small images, no files."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from PIL import Image

from alexnet.data.packs.index import PackIndex
from alexnet.data.packs.pack import Pack, PackHeader
from alexnet.data.packs.shards import MemoryPixels, Shard, pixel_checksums
from alexnet.data.sources.listing import Paths
from alexnet.errors import SourceError

settings.register_profile("steady", deadline=None)  # a busy machine is no failure
settings.load_profile("steady")


def png(seed: int, side: int = 12) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


class TinySource:
    """What a packing needs of a source: `count` images of two classes, files as bytes."""

    def __init__(self, count: int, where: str = "images") -> None:
        self.where = Path(where)
        self.classes = ("ant", "bee")
        self.class_words: dict[str, str] = {"ant": "a small worker"}
        self.files: list[bytes | None] = [png(i) for i in range(count)]
        self.paths = [f"{self.classes[i % 2]}/{i:04}.png" for i in range(count)]
        self.labels = np.arange(count, dtype=np.int64) % 2
        self.splits = np.array([1, 1, 1, 2], dtype=np.uint8)[np.arange(count) % 4]
        self.sizes = np.array([len(each or b"") for each in self.files], dtype=np.int64)
        self.time = 0
        self.times: NDArray[np.int64] | None = None
        self.reads = 0
        self.excluded: tuple[str, ...] = ()

    @property
    def signature(self) -> str:
        about = repr((self.paths, self.labels.tolist(), self.splits.tolist(), self.sizes.tolist()))
        return hashlib.sha256(about.encode()).hexdigest()

    @property
    def stat_signature(self) -> str:
        return hashlib.sha256(f"{self.signature}{self.time}".encode()).hexdigest()

    def read(self, index: int) -> bytes:
        self.reads += 1
        data = self.files[index]
        if data is None:
            raise SourceError(f"{self.paths[index]} is gone.")
        return data

    def spoil(self, *indices: int) -> TinySource:
        """Make some files unreadable without changing their sizes."""
        for index in indices:
            self.files[index] = b"no image".ljust(self.sizes[index], b".")
        return self


@pytest.fixture
def tiny_source() -> type[TinySource]:
    return TinySource


@pytest.fixture
def make_png() -> Callable[[int], bytes]:
    return png


@pytest.fixture
def pack_of_pixels() -> Callable[..., Pack]:
    return make_pack


def make_pack(pixels: NDArray[np.uint8], labels: NDArray[np.int64] | None = None) -> Pack:
    """A pack in memory of (N, S, S, 3) pixels; two classes in turns unless labels are given."""
    n, side = len(pixels), pixels.shape[1]
    labels = np.arange(n) % 2 if labels is None else labels
    digests = [hashlib.blake2b(each.data, digest_size=16).digest() for each in pixels]
    index = PackIndex(
        Paths.of(f"{i}.png" for i in range(n)),
        labels.astype(np.int64),
        np.zeros(n, dtype=np.uint8),
        np.full(n, 100, dtype=np.int64),
        np.frombuffer(b"".join(digests), np.uint8).reshape(n, 16),
        pixel_checksums(pixels),
    )
    header = PackHeader(
        classes=tuple(f"class {k}" for k in range(int(labels.max()) + 1)),
        class_words={},
        image_px=side,
        resize_mode="crop",
        where=Path("images"),
        signature="",
        stat_signature="",
        skipped=(),
        shards=(Shard("memory", n),),
        index_checksum=0,
        fingerprint="",
    )
    return Pack(header, index, MemoryPixels(pixels), None)


@pytest.fixture(name="write_files")
def write_files_fixture() -> Callable[[Path, Mapping[str, bytes], str], Path]:
    return write_files


KINDS = ["folder", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]


def write_files(path: Path, files: Mapping[str, bytes], kind: str) -> Path:
    """Write files into a folder or an archive, in the order given; names that end in / are empty
    folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        path.mkdir()
        for name, data in files.items():
            target = path / name
            (target if name.endswith("/") else target.parent).mkdir(parents=True, exist_ok=True)
            if not name.endswith("/"):
                target.write_bytes(data)
    elif kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, f"w:{kind.partition('.')[2]}") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(name.rstrip("/"))
                member.size = len(data)
                member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
                archive.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture(params=KINDS)
def make_files(request, tmp_path, monkeypatch) -> Callable[[Mapping[str, bytes]], Path]:
    """Write some files as every kind of source: `make_files({"ant/1.png": data}) -> path`."""
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    number = iter(range(100))

    def make(files: Mapping[str, bytes]) -> Path:
        return write_files(tmp_path / f"source {next(number)}", files, request.param)

    return make


@pytest.fixture
def make_folder(tmp_path) -> Callable[[Mapping[str, bytes]], Path]:
    """Write some files as a folder."""
    number = iter(range(100))
    return lambda files: write_files(tmp_path / f"images {next(number)}", files, "folder")
