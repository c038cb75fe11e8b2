"""What is packed does not depend on whether kernels help."""

from __future__ import annotations

import hashlib
import io
import zlib

import numpy as np
import pytest
from PIL import Image

from alexnet.data.checks import hashing
from alexnet.data.packs import index, shards
from alexnet.data.packs.plan import PackingPlan
from alexnet.data.packs.portions import decode_portions
from alexnet.data.packs.unreadable import UnreadablePolicy
from alexnet.images import decode_limits, read_image, resize
from alexnet.kernels.late import LateKernels

USERS = {
    resize: "resample",
    hashing: "thumbnail",
    index: "blake2",
    shards: "checksum",
    decode_limits: "byte_pairs",
}
"""Who loads which kernels when many images have come."""


@pytest.fixture
def load_kernels(monkeypatch):
    def load(calls: int) -> None:
        for user, module in USERS.items():
            monkeypatch.setattr(user, "_kernels", LateKernels(module, calls=calls))

    return load


@pytest.fixture
def jpegs(tiny_source):
    source = tiny_source(11)
    rng = np.random.default_rng(0)
    files = []
    for number in range(len(source.files)):
        height, width = rng.integers(40, 200, 2)
        small = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
        file = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 1 + number % 8
        image = Image.fromarray(small).resize((int(width), int(height)))
        image.save(file, "JPEG", exif=exif if number % 3 else b"")
        files.append(file.getvalue())
    files[4] = b"no image"
    source.files = files
    return source


def pack(source, store: str = "pixels"):
    plan = PackingPlan(64, "crop", UnreadablePolicy("skip"), 1, store)
    (portion,) = decode_portions(source, np.arange(len(source.files)), plan)
    return portion


@pytest.mark.parametrize("store", ["pixels", "jpeg"])
def test_kernels_change_nothing(jpegs, load_kernels, store):
    load_kernels(10**9)
    plain = pack(jpegs, store)
    load_kernels(0)
    fast = pack(jpegs, store)
    assert plain.failures == fast.failures
    assert [i for i, _ in fast.failures] == [4]
    assert plain.files == fast.files
    for name in ("indices", "images", "digests", "checksums", "coefficients", "times"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(plain, name))


@pytest.mark.parametrize("calls", [0, 10**9])
def test_a_portion_holds_what_each_file_gives(jpegs, load_kernels, calls):
    load_kernels(calls)
    portion = pack(jpegs)
    for row, i in enumerate(portion.indices.tolist()):
        data = jpegs.files[i]
        image = read_image(data, name="", image_px=64, resize_mode="crop")
        np.testing.assert_array_equal(portion.images[row], image)
        assert portion.digests[row].tobytes() == hashlib.blake2b(data, digest_size=16).digest()
        assert portion.checksums[row] == zlib.crc32(image.tobytes())


def test_stored_jpeg_files_have_their_checksums_and_lengths(jpegs):
    portion = pack(jpegs, "jpeg")
    assert [len(file) for file in portion.files] == portion.lengths.tolist()
    assert [zlib.crc32(file) for file in portion.files] == portion.checksums.tolist()
    assert portion.images.shape == (0, 64, 64, 3)
