import io

import numpy as np
from PIL import Image

from alexnet.reporting.run.examples import as_data_uri, as_png, make_album


def noise(item: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(item).integers(0, 256, (side, side, 3), dtype=np.uint8)


def flat(item: int, side: int = 32) -> np.ndarray:
    return np.full((side, side, 3), (item, 2 * item, 40), np.uint8)


def test_small_flat_pictures_come_back_pixel_for_pixel():
    album = make_album(flat, range(5))
    for item in range(5):
        assert (album.picture(item) == flat(item)).all()
    assert album.side_px == 32
    assert make_album(flat, []).side_px == 0


def test_grey_pictures_stay_grey_and_small():
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (28, 28, 1), np.uint8), 3, axis=2)
    album = make_album(lambda _: grey, [7])
    assert Image.open(io.BytesIO(album.encoded[7])).mode == "L"
    shown = album.picture(7)
    assert shown is not None
    assert shown.shape == (28, 28, 3)
    assert np.abs(shown.astype(int) - grey).mean() < 16


def test_large_pictures_are_made_smaller():
    album = make_album(lambda item: flat(item, 300), [3])
    shown = album.picture(3)
    assert shown is not None
    assert shown.shape == (128, 128, 3)
    assert np.abs(shown.astype(int) - flat(3, 128)).max() <= 3


def test_the_budget_ends_the_album_and_keeps_the_most_wanted():
    whole = make_album(noise, range(20))
    some = make_album(noise, range(20), budget=10_000)
    assert sum(map(len, some.encoded.values())) <= 10_000
    assert list(some.encoded) == list(range(len(some.encoded)))
    assert 0 < len(some.encoded) < len(whole.encoded) == 20


def test_a_picture_that_is_gone_is_passed_over():
    album = make_album(lambda item: None if item == 1 else flat(item), range(3))
    assert list(album.encoded) == [0, 2]
    assert 1 not in album
    assert album.picture(1) is None


def test_addresses_name_the_right_kind():
    png = as_png(flat(1))
    assert as_data_uri(png).startswith("data:image/png;base64,iVBOR")
    assert as_data_uri(b"\xff\xd8\xff\xe0").startswith("data:image/jpeg;base64,/9j/")
    assert (np.array(Image.open(io.BytesIO(png))) == flat(1)).all()
