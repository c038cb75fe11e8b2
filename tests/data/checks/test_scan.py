from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from alexnet.data.checks.scan import CUT_OFF, scan_images
from alexnet.progress import show_on


class Files:
    """Files by name, as a source gives them."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.paths = list(files)
        self._files = list(files.values())

    def read(self, index: int) -> bytes:
        return self._files[index]


def saved(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def colors(height: int = 30, width: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def scan(**files: bytes):
    return scan_images(Files(files), len(files), workers=2)


def test_size_format_and_pixels_are_known():
    pixels = colors()
    result = scan(a=saved(pixels), b=saved(pixels, "JPEG"), c=saved(pixels, "WEBP", lossless=True))
    assert result.indices.tolist() == [0, 1, 2]
    assert result.facts["width"].tolist() == [40] * 3
    assert result.facts["height"].tolist() == [30] * 3
    assert result.facts["format"].tolist() == [b"PNG", b"JPEG", b"WEBP"]
    expected = hashlib.blake2b(repr(pixels.shape).encode() + pixels.tobytes(), digest_size=16)
    assert result.facts["digest"][0].tobytes() == expected.digest()
    same = (result.facts["digest"][:, None] == result.facts["digest"][None]).all(axis=2)
    assert same.tolist() == [[True, False, True], [False, True, False], [True, False, True]]


def test_images_are_scanned_upright():
    pixels = colors(20, 60)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right
    lying = np.ascontiguousarray(np.rot90(pixels))
    result = scan(upright=saved(pixels), lying=saved(lying, exif=exif))
    assert result.facts["turned"].tolist() == [False, True]
    assert (result.facts["digest"][0] == result.facts["digest"][1]).all()
    assert result.facts["width"].tolist() == [60, 60]


@pytest.mark.parametrize(
    ("pixels", "gray", "blank"),
    [
        (colors(), False, False),
        (np.repeat(colors()[:, :, :1], 3, axis=2), True, False),
        (np.full((30, 40, 3), (10, 200, 30), dtype=np.uint8), False, True),
        (np.full((30, 40, 3), 255, dtype=np.uint8), True, True),
        (np.full((2000, 90, 3), 128, dtype=np.uint8), True, True),
    ],
    ids=["color", "gray", "green", "white", "large"],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_gray_and_blank(pixels, gray, blank, kind):
    facts = scan(a=saved(pixels, kind)).facts[0]
    assert (facts["gray"], facts["blank"]) == (gray, blank)


def test_a_line_of_text_on_a_page_is_not_blank():
    page = np.full((600, 400, 3), 250, dtype=np.uint8)
    page[300:312, 50:350] = np.random.default_rng(0).integers(0, 2, (12, 300, 1)) * 250
    assert not scan(a=saved(page)).facts["blank"][0]


def test_unreadable_files_have_a_reason_and_truncated_ones_say_so():
    whole = saved(colors(), "JPEG")
    result = scan(a=whole, b=b"a text", c=whole[:300], d=b"", e=saved(colors())[:500])
    assert result.indices.tolist() == [0]
    reasons = dict(result.unreadable)
    assert list(reasons) == [1, 2, 3, 4]
    assert reasons[1] == "it is a text and no image"
    assert reasons[2].startswith(f"{CUT_OFF}: ")
    assert reasons[3] == "it is empty"
    assert reasons[4].startswith(f"{CUT_OFF}: ")


def test_a_readable_truncated_file_is_noticed():
    whole = saved(colors(), "PNG")
    result = scan(a=whole, b=whole[: whole.rindex(b"IEND") - 4])
    assert result.facts["truncated"].tolist() == [False, True]


def test_progress_counts_every_file():
    bars: list[object] = []

    class Bar:
        def __enter__(self):
            return lambda count=1, note="": bars.append(count)

        def __exit__(self, *_):
            pass

    with show_on(lambda title, total: bars.append((title, total)) or Bar()):
        scan(a=saved(colors()), b=b"no image")
    assert bars[0] == ("scanning images", 2)
    assert sum(bars[1:]) == 2
