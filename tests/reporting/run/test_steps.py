import numpy as np
import pytest

from alexnet.images import Preprocessing
from alexnet.reporting import preprocessing_in_words

MEAN = np.array([120.04, 110, 100], np.float32)


def told(**changes):
    return preprocessing_in_words(Preprocessing(**{"image_px": 64, "crop_px": 56, **changes}))


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        ("crop", "the shorter side becomes 64 pixels, the central square is kept"),
        ("squash", "both sides become 64 pixels"),
        ("pad", "the longer side becomes 64 pixels, the rest is mid-grey"),
    ],
)
def test_each_fit_has_its_words(fit, words):
    assert words in told(fit=fit)["made square"]


def test_the_mean_is_named_with_its_place():
    assert told()["subtracted"] == "nothing"
    assert told(mean=MEAN)["subtracted"].endswith("training pictures: 120.0, 110.0, 100.0")
    image = np.zeros((64, 64, 3), np.float32)
    assert told(mean=image)["subtracted"].endswith("cut where the crop lies")
    assert told(mean=image, mean_at="centre")["subtracted"].endswith("its central cut")


def test_scale_crop_and_channels_are_told():
    assert told()["divided"] == "by nothing"
    assert told(scale=MEAN)["divided"] == "by the deviation of each channel: 120.0, 110.0, 100.0"
    assert told()["cut"] == "56 × 56 pixels, the centre or as drawn"
    assert told(crop_px=64)["cut"] == "the whole square"
    assert told(order="BGR")["channels"] == "blue, green, red"
