import io

import numpy as np
from PIL import Image

from alexnet.reporting.thumbnails import data_uri, encode_png, make_thumbnails


def noise(item: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(item).integers(0, 256, (side, side, 3), dtype=np.uint8)


def flat(item: int, side: int = 32) -> np.ndarray:
    return np.full((side, side, 3), (item, 2 * item, 40), np.uint8)


def test_small_flat_images_come_back_pixel_for_pixel():
    thumbnails = make_thumbnails(flat, range(5))
    for item in range(5):
        assert (thumbnails.image(item) == flat(item)).all()
    assert thumbnails.side_px == 32
    assert make_thumbnails(flat, []).side_px == 0


def test_gray_images_stay_gray_and_small():
    gray = np.repeat(np.random.default_rng(0).integers(0, 256, (28, 28, 1), np.uint8), 3, axis=2)
    thumbnails = make_thumbnails(lambda _: gray, [7])
    assert Image.open(io.BytesIO(thumbnails.encoded[7])).mode == "L"
    shown = thumbnails.image(7)
    assert shown is not None
    assert shown.shape == (28, 28, 3)
    assert np.abs(shown.astype(int) - gray).mean() < 16


def test_large_images_are_made_smaller():
    thumbnails = make_thumbnails(lambda item: flat(item, 300), [3])
    shown = thumbnails.image(3)
    assert shown is not None
    assert shown.shape == (128, 128, 3)
    assert np.abs(shown.astype(int) - flat(3, 128)).max() <= 3


def test_the_budget_ends_them_and_keeps_the_most_important():
    whole = make_thumbnails(noise, range(20))
    some = make_thumbnails(noise, range(20), budget=10_000)
    assert sum(map(len, some.encoded.values())) <= 10_000
    assert list(some.encoded) == list(range(len(some.encoded)))
    assert 0 < len(some.encoded) < len(whole.encoded) == 20


def test_an_image_that_is_gone_is_passed_over():
    thumbnails = make_thumbnails(lambda item: None if item == 1 else flat(item), range(3))
    assert list(thumbnails.encoded) == [0, 2]
    assert 1 not in thumbnails
    assert thumbnails.image(1) is None


def test_addresses_name_the_right_kind():
    png = encode_png(flat(1))
    assert data_uri(png).startswith("data:image/png;base64,iVBOR")
    assert data_uri(b"\xff\xd8\xff\xe0").startswith("data:image/jpeg;base64,/9j/")
    assert (np.array(Image.open(io.BytesIO(png))) == flat(1)).all()
