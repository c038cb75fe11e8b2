from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.data.sources import sidecars
from alexnet.data.sources.folder import list_folder
from alexnet.data.sources.listing import ListingBuilder
from alexnet.data.sources.sidecars import START_BYTES, image_mask, is_image_start, needs_start
from alexnet.images import UnreadableImage

FORMATS = ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "JPEG2000", "AVIF", "QOI"]


def encode(name):
    file = io.BytesIO()
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    try:
        image.save(file, name)
    except (KeyError, OSError, ValueError) as error:
        pytest.skip(f"Pillow here does not write it: {error}")
    return file.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_known_by_its_first_bytes(name):
    assert is_image_start(encode(name)[:START_BYTES])


@pytest.mark.parametrize(
    "start",
    [b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\xff\n\xfa\x1f", b"\0\0\0\x0cJXL \r\n\x87\n"],
)
def test_formats_that_an_extra_reads_are_images_too(start):
    assert is_image_start(start)


@pytest.mark.parametrize(
    "start",
    [
        *(b"", b"\0", b"hello, world\n", b'{"shapes": []}', b"<annotation>", b"version: 1\n"),
        *(
            b"\x93NUMPY\x01\0",
            b"\0\0\0\x18ftypmp42",
            b"PK\x03\x04",
            b"%PDF-1.7",
            b"\x89HDF\r\n\x1a\n",
        ),
        *(b"ID3\x03", b"\0\0\x01\xba", b"0.5 0.5 1 1\n", b"\x1aE\xdf\xa3", b"SQLite format 3\0"),
    ],
)
def test_texts_arrays_and_films_are_none(start):
    assert not is_image_start(start)


@pytest.mark.parametrize("name", ["1.jpg", "1.JPEG", "1.heic", "1.json", "Thumbs.db", "README"])
def test_most_names_tell(name):
    assert not needs_start(f"ant/{name}")


@pytest.mark.parametrize("name", ["1", "1.dat", "1.jpg~", "cat.1", "1.pts", "photo.v2"])
def test_others_leave_it_open(name):
    assert needs_start(f"ant/{name}")


def test_suffixes_tell_before_contents_and_contents_where_suffixes_do_not(make_folder, make_png):
    files = {
        "a/1.png": b"broken",
        "a/2.jpg": b"",
        "a/3": make_png(0),
        "a/4.dat": make_png(1),
        "b/1.json": make_png(2),
        "b/2.pts": b"1 2",
        "b/3": b"text",
        "b/4.xyz": b"",
        "b/5": b"",  # an empty file may be what was an image
    }
    listing = list_folder(make_folder(files))
    kept = [path for path, keep in zip(listing.paths, image_mask(listing), strict=True) if keep]
    assert kept == ["a/1.png", "a/2.jpg", "a/3", "a/4.dat", "b/5"]


def test_usual_images_are_told_without_loading_all_of_pillow(make_folder, make_png, monkeypatch):
    assert {f".{each}" for each in sidecars._USUAL_ENDINGS} <= sidecars._image_suffixes()
    sidecars._image_suffixes.cache_clear()
    monkeypatch.setattr(Image, "init", None)  # calling it fails
    folder = make_folder(
        {"a/1.PNG": make_png(1), "a/2.jpg": b"", "a/notes.txt": b"", "b/3.jpeg": b""}
    )
    listing = list_folder(folder)
    told = dict(zip(listing.paths, image_mask(listing).tolist(), strict=True))
    assert told == {"a/1.PNG": True, "a/2.jpg": True, "a/notes.txt": False, "b/3.jpeg": True}


def test_what_cannot_be_read_counts_so_that_it_is_named_later():
    class Reader:
        def read_start(self, path, position, count):
            raise UnreadableImage(path, "it is gone")

    builder = ListingBuilder()
    builder.add("a/1", 10, 1)
    assert image_mask(builder.build(Path("images"), Reader())).tolist() == [True]


def test_only_files_that_leave_it_open_are_opened(make_folder):
    listing = list_folder(make_folder({f"a/{i}.jpg": b"x" for i in range(3)} | {"a/1.txt": b""}))
    object.__setattr__(listing, "reader", None)
    assert image_mask(listing).tolist() == [True, True, False, True]
