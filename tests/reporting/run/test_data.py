import dataclasses

import numpy as np
import pytest

from alexnet.errors import RunError
from alexnet.evaluation import compute_metrics
from alexnet.images import Preprocessing
from alexnet.reporting import describe_preprocessing

MEAN = np.array([120.04, 110, 100], np.float32)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("labels", np.zeros(3, np.int64), r"labels have the shape \(3,\), not \(40,\), one for"),
        (
            "probabilities",
            np.ones((40, 3), np.float32),
            r"probabilities have the shape \(40, 3\), not \(40, 4\), one row for each path and one",
        ),
        ("labels", np.full(40, 4), r"labels lie outside of 0\.\.3"),
        ("labels", np.full(40, -1), r"labels lie outside of 0\.\.3"),
        (
            "filters",
            np.zeros((8, 1, 5, 5), np.float32),
            r"filters have the shape \(8, 1, 5, 5\), not \(F, 3, k, k\)",
        ),
        ("filters", np.zeros((8, 3), np.float32), r"filters have the shape \(8, 3\)"),
    ],
)
def test_what_does_not_fit_together_is_named(report_data_of, field, value, words):
    with pytest.raises(RunError, match=f"data for the report does not fit together: {words}"):
        dataclasses.replace(report_data_of(), **{field: value})


def test_results_of_other_classes_are_an_error(report_data_of):
    data = report_data_of()
    other = compute_metrics(np.full((2, 3), 1 / 3), np.array([0, 1]), ["a", "b", "c"], crops=1)
    with pytest.raises(RunError, match="the confusion matrix is not 4 x 4"):
        dataclasses.replace(data, results=other)
    scores = data.results.per_class[:3]
    with pytest.raises(RunError, match="3 classes were scored, not 4"):
        dataclasses.replace(data, results=dataclasses.replace(data.results, per_class=scores))


def test_the_prediction_is_the_first_of_equals_and_never_what_is_not_a_number(report_data_of):
    nan = float("nan")
    found = np.array([[0.4, 0.4, 0.2], [nan, 0.3, 0.1], [0.1, 0.2, 0.7]], np.float32)
    labels = np.array([1, 1, 2])
    data = report_data_of(
        classes=["a", "b", "c"],
        paths=["1", "2", "3"],
        labels=labels,
        probabilities=found,
        results=compute_metrics(found, labels, ["a", "b", "c"], crops=1),
    )
    assert data.predicted.tolist() == [0, 1, 2]
    assert data.correct.tolist() == [False, True, True]
    np.testing.assert_allclose(data.predicted_probability, [0.4, 0.3, 0.7], rtol=1e-6)
    np.testing.assert_allclose(data.label_probability, [0.4, 0.3, 0.7], rtol=1e-6)
    assert (data.confusion == np.asarray(data.results.confusion)).all()


def test_codes_are_shown_by_their_words(report_data_of):
    data = report_data_of(
        classes=["n01443537", "n01629819", "cat"],
        class_words={"n01443537": "goldfish, Carassius auratus", "n01629819": ""},
    )
    assert [data.name(k) for k in range(3)] == [
        "goldfish, Carassius auratus",
        "n01629819",
        "cat",
    ]
    assert [data.short_name(k) for k in range(3)] == ["goldfish", "n01629819", "cat"]


def described(**changes):
    return describe_preprocessing(Preprocessing(**{"image_px": 64, "crop_px": 56, **changes}))


@pytest.mark.parametrize(
    ("resize_mode", "words"),
    [
        ("crop", "the shorter side becomes 64 pixels, the central square is kept"),
        ("squash", "both sides become 64 pixels"),
        ("pad", "the longer side becomes 64 pixels, the rest is mid-gray"),
    ],
)
def test_each_resize_mode_has_its_words(resize_mode, words):
    assert words in described(resize_mode=resize_mode)["resize"]


def test_the_mean_is_named_with_its_place():
    assert described()["subtract"] == "nothing"
    assert described(mean=MEAN)["subtract"].endswith("training images: 120.0, 110.0, 100.0")
    image = np.zeros((64, 64, 3), np.float32)
    assert described(mean=image)["subtract"].endswith("cropped where the image is")
    assert described(mean=image, mean_at="center")["subtract"].endswith("its center crop")


def test_scale_crop_and_channels_are_described():
    assert described()["divide by"] == "nothing"
    assert described(std=MEAN)["divide by"] == "the deviation of each channel: 120.0, 110.0, 100.0"
    assert described()["crop"] == "56 × 56 pixels, the center; in training as drawn"
    assert described(crop_px=64)["crop"] == "the whole square"
    assert described(order="BGR")["channels"] == "blue, green, red"
