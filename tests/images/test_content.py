"""Files that are no images are named as what they are."""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from alexnet.images import UnreadableImage, decode
from alexnet.images.content import describe_content, describe_jpeg, is_heif

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 9\n"


def box(kind, content):
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("a.txt", "a")
    return file.getvalue()


def array():
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


FILES = [
    (b"", "it is empty"),
    (bytes(5000), "it holds zeros alone"),
    (POINTER, "it is a pointer of Git LFS, and the image itself was not fetched: run git lfs pull"),
    (POINTER.replace(b"\n", b"\r\n"), "it is a pointer of Git LFS"),
    (b"\xef\xbb\xbf" + POINTER, "it is a pointer of Git LFS"),
    (b"/annex/objects/SHA256E-s9--aa.jpg\n", "it is a pointer of git-annex"),
    (b"<!DOCTYPE html><html><body>404</body></html>", r"it is a web page \(HTML\)"),
    (b"\n  <HTML lang='en'>", r"it is a web page \(HTML\)"),
    (b"<!-- robots --><head></head>", r"it is a web page \(HTML\)"),
    ("\ufeff<html>".encode("utf-16-le"), r"it is a web page \(HTML\)"),
    (b'<?xml version="1.0"?><!DOCTYPE html><html xmlns="x">', r"it is a web page \(HTML\)"),
    (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "a server's error message"),
    (b"<Error><Code>NoSuchKey</Code></Error>", r"it is a server's error message \(XML\)"),
    (b"<annotation><folder>a</folder></annotation>", "it is an XML text and no image"),
    (json.dumps({"error": {"code": 403}}).encode(), r"it is a server's message \(JSON\)"),
    (json.dumps({"message": "Not Found"}).encode(), r"it is a server's message \(JSON\)"),
    (json.dumps([1, 2]).encode(), "it is a JSON text and no image"),
    (b'{"cut', "it is a text and no image"),
    (b'<svg xmlns="http://www.w3.org/2000/svg"/>', r"lines and curves \(SVG\)"),
    (b'<?xml version="1.0"?>\n<!-- a -->\n<svg width="9"/>', r"lines and curves \(SVG\)"),
    (b"8BPS\0\1", r"an image editor \(PSD, Photoshop\)"),
    (b"gimp xcf v011", r"an image editor \(XCF, GIMP\)"),
    (b"%PDF-1.7\n", "it is a PDF document"),
    (b"II*\0\x10\0\0\0CR\2\0", r"a camera's raw file \(CR2\)"),
    (box(b"ftyp", b"crx \0\0\0\1crx isom"), r"a camera's raw file \(CR3\)"),
    (b"FUJIFILMCCD-RAW 0201", r"a camera's raw file \(RAF\)"),
    (b"IIRO\x08\0\0\0", r"a camera's raw file \(ORF\)"),
    (b"IIU\0\x18\0\0\0", r"a camera's raw file \(RW2\)"),
    (box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41"), r"it is a video \(MP4\)"),
    (box(b"ftyp", b"qt  \0\0\0\0qt  "), r"it is a video \(QuickTime\)"),
    (box(b"moov", bytes(9)), r"it is a video \(QuickTime\)"),
    (b"\x1aE\xdf\xa3\x01", r"it is a video \(Matroska or WebM\)"),
    (b"RIFF\x10\0\0\0AVI LIST", r"it is a video \(AVI\)"),
    (b"\0\0\x01\xba\x44", r"it is a video \(MPEG\)"),
    (b"RIFF\x10\0\0\0WAVEfmt ", "it is sound or animation, no image"),
    (b"II\xbc\x01\x08", "it is a JPEG XR image, which is not read here"),
    (b"v/1\x01\2\0\0\0", "it is an OpenEXR image"),
    (bytes(128) + b"DICM\2\0", "it is a DICOM file"),
    (archive(), r"it is an archive \(zip\)"),
    (gzip.compress(b"a", mtime=0), r"it is an archive \(gzip\)"),
    (array(), r"it holds numbers or a program \(NumPy\)"),
    (b"\0\x05\x16\x07\0\2\0\0", "what a Mac notes beside a file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "Microsoft Office, or Thumbs.db"),
    (b"data:image/png;base64,iVBORw0KGgo", r"an image written as text \(base64\)"),
    (b"/9j/4AAQSkZJRgABAQ", r"an image written as text \(base64\)"),
    (b"../images/0001.jpg", "it is a text and no image"),
]


@pytest.mark.parametrize(("data", "words"), FILES)
def test_a_file_is_named_as_what_it_is(data, words):
    with pytest.raises(UnreadableImage, match=words) as told:
        decode(data, "cat.jpg")
    assert "format that" not in told.value.reason
    assert not told.value.reason.endswith(".")


def test_what_is_unknown_is_not_guessed():
    noise = np.random.default_rng(0).bytes(2000)
    assert describe_content(noise) is None
    with pytest.raises(UnreadableImage, match="not an image of a format that is known here"):
        decode(noise, "x.jpg")


@pytest.mark.parametrize(
    ("brands", "heif"),
    [
        (b"heic\0\0\0\0mif1heic", True),
        (b"mif1\0\0\0\0mif1heic", True),
        (b"mif1\0\0\0\0mif1avif", False),
        (b"avif\0\0\0\0mif1", False),
        (b"isom\0\0\0\0mp41", False),
    ],
)
def test_heif_is_told_from_its_siblings(brands, heif):
    assert is_heif(box(b"ftyp", brands)) is heif


@pytest.mark.parametrize(
    ("marker", "bits", "name"),
    [
        *((0xC3, 8, "lossless"), (0xC3, 16, "lossless"), (0xCB, 8, "lossless")),
        *((0xC5, 8, "hierarchical"), (0xF7, 8, "JPEG-LS"), (0xC1, 12, "12 bits a sample")),
    ],
)
def test_rare_kinds_of_jpeg_are_named(marker, bits, name):
    before = b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0".ljust(14, b"\0")
    frame = struct.pack(">BBHBHHB3B", 0xFF, marker, 11, bits, 8, 8, 1, 1, 0x11, 0)
    words = f"it is a JPEG of a kind that is not read here ({name})"
    assert words in (describe_jpeg(before + b"\xff" + frame) or "")
    with pytest.raises(UnreadableImage, match=re.escape(words)):
        decode(before + frame + b"\xff\xd9", "x.jpg")


def test_usual_and_damaged_jpegs_are_of_no_rare_kind():
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    assert all(describe_jpeg(data[:length]) is None for length in range(len(data)))


def test_kinds_that_pillow_does_not_know_are_not_called_damaged():
    masks = struct.pack("<3I", 0xF00, 0xF0, 0xF)
    header = struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, 16, 3, 32, 0, 0, 0, 0)
    bmp = b"BM" + struct.pack("<IHHI", 98, 0, 0, 66) + header + masks + bytes(32)
    with pytest.raises(UnreadableImage, match="of a kind that is not read here, or damaged .Unsup"):
        decode(bmp, "x.bmp")
    texture = b"DDS " + struct.pack("<7I", 124, 0x1007, 4, 4, 16, 0, 0).ljust(72, b"\0")
    texture += struct.pack("<II4s", 32, 4, b"DXT2").ljust(52, b"\0") + bytes(16)
    with pytest.raises(UnreadableImage, match="it is a DDS texture, which is not read here"):
        decode(texture, "x.dds")


def test_an_avif_beyond_the_limit_says_so():
    size = box(b"ispe", struct.pack(">III", 0, 17000, 17000))
    data = box(b"ftyp", b"avif\0\0\0\0avifmif1") + box(b"meta", bytes(4) + box(b"iprp", size))
    with pytest.raises(UnreadableImage, match="it has 17,000 x 17,000 pixels, and the limit is"):
        decode(data, "x.avif")
