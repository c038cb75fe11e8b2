from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from alexnet.data.checks.scan import CUT_OFF, look_at
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


def colours(height: int = 30, width: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def look(**files: bytes):
    return look_at(Files(files), len(files), workers=2)


def test_size_format_and_pixels_are_known():
    pixels = colours()
    seen = look(a=saved(pixels), b=saved(pixels, "JPEG"), c=saved(pixels, "WEBP", lossless=True))
    assert seen.indices.tolist() == [0, 1, 2]
    assert seen.about["width"].tolist() == [40] * 3
    assert seen.about["height"].tolist() == [30] * 3
    assert seen.about["format"].tolist() == [b"PNG", b"JPEG", b"WEBP"]
    wanted = hashlib.blake2b(repr(pixels.shape).encode() + pixels.tobytes(), digest_size=16)
    assert seen.about["digest"][0].tobytes() == wanted.digest()
    same = (seen.about["digest"][:, None] == seen.about["digest"][None]).all(axis=2)
    assert same.tolist() == [[True, False, True], [False, True, False], [True, False, True]]


def test_pictures_are_seen_upright():
    pixels = colours(20, 60)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right
    lying = np.ascontiguousarray(np.rot90(pixels))
    seen = look(upright=saved(pixels), lying=saved(lying, exif=exif))
    assert seen.about["turned"].tolist() == [False, True]
    assert (seen.about["digest"][0] == seen.about["digest"][1]).all()
    assert seen.about["width"].tolist() == [60, 60]


@pytest.mark.parametrize(
    ("pixels", "grey", "blank"),
    [
        (colours(), False, False),
        (np.repeat(colours()[:, :, :1], 3, axis=2), True, False),
        (np.full((30, 40, 3), (10, 200, 30), dtype=np.uint8), False, True),
        (np.full((30, 40, 3), 255, dtype=np.uint8), True, True),
        (np.full((2000, 90, 3), 128, dtype=np.uint8), True, True),
    ],
    ids=["colour", "grey", "green", "white", "large"],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_grey_and_blank(pixels, grey, blank, kind):
    about = look(a=saved(pixels, kind)).about[0]
    assert (about["grey"], about["blank"]) == (grey, blank)


def test_a_line_of_text_on_a_page_is_not_blank():
    page = np.full((600, 400, 3), 250, dtype=np.uint8)
    page[300:312, 50:350] = np.random.default_rng(0).integers(0, 2, (12, 300, 1)) * 250
    assert not look(a=saved(page)).about["blank"][0]


def test_what_cannot_be_read_has_a_reason_and_cut_files_say_so():
    whole = saved(colours(), "JPEG")
    seen = look(a=whole, b=b"a text", c=whole[:300], d=b"", e=saved(colours())[:500])
    assert seen.indices.tolist() == [0]
    reasons = dict(seen.unreadable)
    assert list(reasons) == [1, 2, 3, 4]
    assert reasons[1] == "it is not a picture of a format that Pillow reads"
    assert reasons[2].startswith(f"{CUT_OFF}: ")
    assert reasons[3] == "it is empty"
    assert reasons[4].startswith(f"{CUT_OFF}: ")


def test_a_readable_file_without_its_end_is_noticed():
    whole = saved(colours(), "PNG")
    seen = look(a=whole, b=whole[: whole.rindex(b"IEND") - 4])
    assert seen.about["cut_off"].tolist() == [False, True]


def test_progress_counts_every_file():
    bars: list[object] = []

    class Bar:
        def __enter__(self):
            return lambda count=1, note="": bars.append(count)

        def __exit__(self, *_):
            pass

    with show_on(lambda title, total: bars.append((title, total)) or Bar()):
        look(a=saved(colours()), b=b"no picture")
    assert bars[0] == ("looking at pictures", 2)
    assert sum(bars[1:]) == 2
