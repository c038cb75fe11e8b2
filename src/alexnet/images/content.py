"""What a file is that is no image, or none that is read here, told by its first bytes."""

from __future__ import annotations

import json
import re

__all__ = ["avif_size", "describe_content", "describe_jpeg", "is_heif", "is_jpeg_xl"]

_HEIF_BRANDS = (
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
    *(b"mif1", b"msf1", b"heif"),
)
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")

_RAW = "it is a camera's raw file ({}). Develop it to JPEG, PNG or a TIFF of 8 or 16 bits first"
_VIDEO = "it is a video ({}). Write some of its frames as images first"
_DRAWING = "it is a drawing of lines and curves ({}). Export it as PNG in the size that you need"
_LAYERS = "it is a file of an image editor ({}). Export it as PNG or JPEG"
_ARCHIVE = "it is an archive ({}). Unpack it, or name it as the source"
_DATA = "it holds numbers or a program ({}) and is no image file"

_STARTS: tuple[tuple[bytes, str], ...] = (
    *((b"8BPS", _LAYERS.format("PSD, Photoshop")), (b"gimp xcf", _LAYERS.format("XCF, GIMP"))),
    (b"%PDF", "it is a PDF document. Write its pages or images as PNG or JPEG first"),
    *((b"FUJIFILMCCD-RAW", _RAW.format("RAF")), (b"FOVb", _RAW.format("X3F"))),
    *((b"IIRO", _RAW.format("ORF")), (b"IIRS", _RAW.format("ORF")), (b"MMOR", _RAW.format("ORF"))),
    *((b"IIU\0", _RAW.format("RW2")), (b"\0MRM", _RAW.format("MRW"))),
    (b"II\x1a\0\0\0HEAPCCDR", _RAW.format("CRW")),
    (b"\x1aE\xdf\xa3", _VIDEO.format("Matroska or WebM")),
    *((b"FLV\x01", _VIDEO.format("FLV")), (b"OggS", _VIDEO.format("Ogg"))),
    *((b"\0\0\x01\xba", _VIDEO.format("MPEG")), (b"\0\0\x01\xb3", _VIDEO.format("MPEG"))),
    (b"0&\xb2u\x8ef\xcf\x11", _VIDEO.format("WMV")),
    (b"II\xbc\x01", "it is a JPEG XR image, which is not read here. Convert it to PNG or JPEG"),
    (b"v/1\x01", "it is an OpenEXR image, which is not read here. Convert it to PNG or JPEG"),
    (
        b"#?RADIANCE",
        "it is a Radiance HDR image, which is not read here. Convert it to PNG or JPEG",
    ),
    (b"DDS ", "it is a DDS texture, which is not read here. Convert it to PNG or JPEG"),
    (b"AT&TFORM", "it is a DjVu document. Write its pages as PNG or JPEG first"),
    *((b"PK\x03\x04", _ARCHIVE.format("zip")), (b"\x1f\x8b", _ARCHIVE.format("gzip"))),
    *((b"7z\xbc\xaf\x27\x1c", _ARCHIVE.format("7z")), (b"Rar!", _ARCHIVE.format("RAR"))),
    *((b"BZh", _ARCHIVE.format("bzip2")), (b"\xfd7zXZ", _ARCHIVE.format("xz"))),
    *((b"\x93NUMPY", _DATA.format("NumPy")), (b"\x89HDF", _DATA.format("HDF5"))),
    *((b"SQLite format 3", _DATA.format("SQLite")), (b"\x7fELF", _DATA.format("ELF"))),
    (b"PAR1", _DATA.format("Parquet")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "it is a document of Microsoft Office, or Thumbs.db"),
    (b"\0\x05\x16\x07", "it is what a Mac notes beside a file, and not the file itself"),
    (b"bplist00", "it is a property list of a Mac and no image"),
)
_FRAME = re.compile(rb"\xff+([\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf\xf7])..(.)", re.S)
_RARE_FRAMES = {
    **dict.fromkeys((0xC3, 0xC7, 0xCB, 0xCF), "lossless"),
    **dict.fromkeys((0xC5, 0xC6, 0xCD, 0xCE), "hierarchical"),
    0xF7: "JPEG-LS",
}

_VIDEO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"skip", b"pnot")
_FEW = 4096
_HTML = re.compile(
    rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|script|meta|title)\b", re.I | re.S
)


def is_heif(data: bytes) -> bool:
    """Whether a file is HEIF or HEIC, an iPhone's format; AVIF, its sibling, is not meant."""
    if data[4:8] != b"ftyp":
        return False
    brands = [data[i : i + 4] for i in (8, *range(16, min(_box_size(data), 256), 4))]
    return brands[0] in _HEIF_BRANDS and not {b"avif", b"avis"} & {*brands}


def is_jpeg_xl(data: bytes) -> bool:
    """Whether a file is JPEG XL, bare or in boxes."""
    return data.startswith(_JPEG_XL)


def describe_content(data: bytes) -> str | None:
    """Return what a file is that is no image that is read here, as a phrase; None: unknown."""
    if not data:
        return "it is empty"
    if not data.strip(b"\0"):
        return "it holds zeros alone: copying or loading it was not finished. Fetch it again"
    found = next((what for start, what in _STARTS if data.startswith(start)), None)
    return found or _describe_boxes(data) or _describe_text(data)


def avif_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height that an AVIF declares first; None: it is none, or says none."""
    place = data.find(b"ispe", 0, 1 << 16) + 8
    if data[4:12] not in (b"ftypavif", b"ftypavis") or place < 8 or place + 8 > len(data):
        return None
    return int.from_bytes(data[place : place + 4], "big"), int.from_bytes(
        data[place + 4 : place + 8], "big"
    )


def describe_jpeg(data: bytes) -> str | None:
    """Return which rare kind of JPEG a file is, as a phrase; None: a usual one, or another file."""
    frame = _find_frame(data) if data.startswith(b"\xff\xd8\xff") else None
    if frame is None:
        return None
    kind, bits = frame[1][0], frame[2][0]
    name = _RARE_FRAMES.get(kind) or (f"{bits} bits a sample" if bits > 8 else None)
    return name and f"it is a JPEG of a kind that is not read here ({name}). Convert it to PNG"


def _find_frame(data: bytes) -> re.Match[bytes] | None:
    """Walk from segment to segment up to the one that says what kind of JPEG it is."""
    offset = 2
    while data[offset : offset + 1] == b"\xff" and offset + 4 <= len(data):
        if (frame := _FRAME.match(data, offset)) is not None:
            return frame
        is_fill = data[offset + 1] == 0xFF
        offset += 1 if is_fill else 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
    return None


def _box_size(data: bytes) -> int:
    return int.from_bytes(data[:4], "big")


def _describe_boxes(data: bytes) -> str | None:
    """Tell files apart that share one form: RIFF, MP4 and its siblings, TIFF, DICOM."""
    kind, brand = data[4:8], data[8:12]
    if data[:4] == b"RIFF" and brand != b"WEBP":
        return _VIDEO.format("AVI") if brand == b"AVI " else "it is sound or animation, no image"
    if kind == b"ftyp" and brand == b"crx ":
        return _RAW.format("CR3")
    if kind == b"ftyp" and brand in (b"avif", b"avis"):
        return "it is an AVIF image, and it is damaged or this Pillow reads none"
    if kind in _VIDEO_BOXES and brand not in (b"jp2 ", b"jpx ") and not is_heif(data):
        return _VIDEO.format("QuickTime" if kind != b"ftyp" or brand == b"qt  " else "MP4")
    if data[:4] == b"II*\0" and data[8:10] == b"CR":
        return _RAW.format("CR2")
    if data[128:132] == b"DICM":
        return "it is a DICOM file. Write its images as PNG or TIFF first"
    return None


def _describe_text(data: bytes) -> str | None:
    """Tell what a text is: a pointer, a web page, a server's message, a drawing."""
    start = data[:_FEW].removeprefix(b"\xef\xbb\xbf")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        start = start.decode("utf-16", "replace").encode()
    text = start.lstrip()
    if text.startswith(b"version https://git-lfs.github.com/spec/"):
        return "it is a pointer of Git LFS, and the image itself was not fetched: run git lfs pull"
    if text.startswith((b"/annex/objects/", b"../.git/annex/", b".git/annex/")):
        return (
            "it is a pointer of git-annex, and the image itself was not fetched: run git annex get"
        )
    if _HTML.match(text):
        return "it is a web page (HTML), as servers send one for an image. Fetch the image again"
    if b"<svg" in text[:_FEW] and text.startswith((b"<svg", b"<?xml", b"<!DOCTYPE", b"<!--")):
        return _DRAWING.format("SVG")
    if text.startswith(b"<?xml") or re.match(rb"<\w+(:\w+)?[\s>]", text):
        return _describe_xml(text)
    if text[:1] in (b"{", b"["):
        return _describe_json(data)
    if text.startswith((b"data:image/", b"iVBORw0KGgo", b"/9j/4")):
        return "it is an image written as text (base64). Decode it first"
    return "it is a text and no image" if _is_text(start) else None


def _describe_xml(text: bytes) -> str:
    if b"<html" in text.lower():
        return "it is a web page (HTML), as servers send one for an image. Fetch the image again"
    if re.search(rb"<(Error|Code|Message)\b", text):
        return "it is a server's error message (XML). Fetch the image again"
    return "it is an XML text and no image"


def _describe_json(data: bytes) -> str | None:
    try:
        read: object = json.loads(data[: 1 << 20])
    except (ValueError, RecursionError):
        return "it is a text and no image" if _is_text(data[:_FEW]) else None
    words = ("error", "message", "code", "errors", "status", "detail")
    if isinstance(read, dict) and any(word in read for word in words):
        return "it is a server's message (JSON). Fetch the image again"
    return "it is a JSON text and no image"


def _is_text(start: bytes) -> bool:
    if start.startswith((b"%!PS", b"SIMPLE  =")):  # EPS and FITS: named as formats
        return False
    try:
        text = start[: len(start) - 3].decode() if len(start) == _FEW else start.decode()
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\n\r\t\f" for letter in text)
