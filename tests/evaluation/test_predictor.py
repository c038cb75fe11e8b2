"""A predictor's answers are those of `predict`, whatever an image comes as, in every process."""

from __future__ import annotations

import dataclasses
import io
import multiprocessing
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet import Predictor, load_weights, predict, save_weights
from alexnet.errors import RecipeError, SourceError, WeightsError
from alexnet.images import UnreadableImage

CAN_FORK = "fork" in multiprocessing.get_all_start_methods()


@pytest.fixture(scope="module")
def predictor(trained):
    return Predictor(trained.run)


@pytest.fixture
def image(trained):
    return trained.images / "ant" / "1.png"


def same(one, other):
    assert one.classes == other.classes
    assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)
    return True


def test_every_form_of_an_image_is_predicted_as_its_file(predictor, trained, image):
    expected = predict(trained.run, image).predictions[0]
    data, opened = image.read_bytes(), Image.open(image)
    pixels = np.array(opened.convert("RGB"))
    alpha = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    forms = [str(image), image, data, bytearray(data), memoryview(data), io.BytesIO(data)]
    forms += [Image.open(image), pixels, alpha, torch.from_numpy(pixels).permute(2, 0, 1)]
    for form in forms:
        same(predictor(form), expected)
    with image.open("rb") as file:
        row = predictor(file)
    assert same(row, expected)
    assert row.path == str(image)


def test_one_is_one_and_several_are_a_list_in_order(predictor, trained):
    paths = sorted(trained.images.rglob("*.png"))
    expected = predict(trained.run, *paths).predictions
    one = predictor(paths[0])
    for several in (paths, tuple(paths), iter(paths), np.array([str(path) for path in paths])):
        rows = predictor(several)
        assert all(same(a, b) for a, b in zip(rows, expected, strict=True))
    same(one, expected[0])
    assert predictor([]) == []
    assert len(predictor([paths[0]])) == 1


def test_an_array_of_four_axes_is_several_images(predictor, image):
    pixels = np.array(Image.open(image).convert("RGB"))
    rows = predictor(np.stack([pixels, 255 - pixels]))
    assert [row.path for row in rows] == ["image 1", "image 2"]
    assert rows[0].probabilities != rows[1].probabilities


def test_batches_give_what_single_images_give(trained):
    paths = sorted(trained.images.rglob("*.png"))
    small = Predictor(trained.run, batch_size=3)
    assert all(same(a, small(path)) for a, path in zip(small(paths), paths, strict=True))


def test_gray_arrays_are_their_gray_files(predictor, image, tmp_path):
    gray = Image.open(image).convert("L")
    gray.save(tmp_path / "gray.png")
    array = np.array(gray)
    expected = predictor(tmp_path / "gray.png")
    for form in (array, array[..., None], torch.from_numpy(array)[None], gray):
        same(predictor(form), expected)


def test_a_pillow_image_is_turned_as_its_file_is(predictor, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise).save(tmp_path / "turned.png", exif=exif)
    opened = Image.open(tmp_path / "turned.png")
    assert opened.getexif()[0x0112] == 6
    same(predictor(opened), predictor(tmp_path / "turned.png"))


def test_an_unreadable_image_is_an_error_alone_and_a_row_among_others(predictor, image):
    for bad, reason in ((b"no image", "text"), ("gone.png", "no such file"), (b"", "empty")):
        with pytest.raises(UnreadableImage, match=reason):
            predictor(bad)
        rows = predictor([image, bad, image])
        assert [row.error is None for row in rows] == [True, False, True]
        assert rows[0] == rows[2]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.zeros((9, 9, 3)), "float64.*255"),
        (torch.zeros(3, 9, 9), "float32"),
        (np.zeros((9, 9, 2), np.uint8), r"\(9, 9, 2\)"),
        (np.zeros((3, 9, 9), np.uint8), r"\(3, 9, 9\)"),
        (np.zeros((0, 9, 3), np.uint8), "no pixels"),
        (np.zeros(5, np.uint8), r"\(5,\)"),
        (torch.zeros(9, 9, 3, dtype=torch.uint8), "front"),
        (None, "None"),
        (3, "int"),
        ({"a": 1}, "dict"),
    ],
)
def test_what_is_no_image_is_said_in_a_short_sentence(predictor, value, said):
    with pytest.raises(SourceError, match=said) as caught:
        predictor(value)
    assert len(str(caught.value)) < 300
    with pytest.raises(SourceError):
        predictor([value])


def test_threads_share_a_predictor(predictor, trained):
    paths = sorted(trained.images.rglob("*.png"))
    expected = [predictor(path) for path in paths]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert all(map(same, pool.map(predictor, paths), expected))


def test_a_pickled_predictor_loads_its_weights_again(trained, image, tmp_path, monkeypatch):
    monkeypatch.chdir(trained.run.parent)
    settings = {"top": 1, "reject_below": 0.99, "crops": 5, "batch_size": 2}
    first = Predictor(trained.run.name, **settings)
    data = pickle.dumps(first)
    assert len(data) < 10_000
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(data)
    assert {name: getattr(again, name) for name in settings} == settings
    assert again(image) == first(image)


def test_predictions_of_several_weights_are_averaged(trained, image, tmp_path):
    weights = load_weights(trained.run)
    state = {name: 1.5 * each for name, each in weights.state.items() if each.is_floating_point()}
    other = dataclasses.replace(weights, state={**weights.state, **state})
    save_weights(tmp_path / "b.safetensors", other)
    pair = [trained.run, tmp_path / "b.safetensors"]
    expected = predict(pair[0], image, also=(pair[1],)).predictions[0]
    averaged = Predictor(pair)(image)
    same(averaged, expected)
    assert averaged.probabilities != pytest.approx(Predictor(pair[0])(image).probabilities)


@pytest.mark.parametrize("weights", [b"x" * 200_000, 3, [], [3], "x" * 200_000, "gone"])
def test_weights_that_are_none_are_said_shortly(weights):
    with pytest.raises(WeightsError) as caught:
        Predictor(weights)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "setting",
    [
        *({"top": top} for top in (0, "3", 2.5, None, True)),
        *({"crops": crops} for crops in (3, True, None)),
        *({"batch_size": size} for size in (0, "8", 1.5)),
        *({"reject_below": share} for share in (-0.1, 2, "x", float("nan"))),
    ],
    ids=str,
)
def test_a_setting_that_cannot_work_is_an_error(trained, setting):
    with pytest.raises(RecipeError, match=f"^{next(iter(setting))} .*got "):
        Predictor(trained.run, **setting)


def test_one_crop_is_one(trained):
    assert repr(Predictor(trained.run)).endswith("1 crop)")


@pytest.mark.skipif(not CAN_FORK, reason="this system does not fork")
def test_a_forked_process_predicts(predictor, trained, image):
    expected = predictor([image] * 40)[0]  # threads of OpenMP are there now
    context = multiprocessing.get_context("fork")
    results = context.Queue()

    def child():
        rows = [predictor(image), predictor([image] * 40)[0]]
        rows.append(predict(trained.run, *[image] * 40).predictions[0])
        results.put(rows)

    process = context.Process(target=child)
    process.start()
    try:
        rows = results.get(timeout=60)
    finally:
        process.kill()
        process.join()
    assert all(same(row, expected) for row in rows)


@pytest.mark.skipif(not CAN_FORK, reason="this system does not fork")
def test_a_fork_while_a_thread_predicts_does_not_wait_for_it(predictor, image):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    process = context.Process(target=lambda: results.put(predictor(image)))
    locked, fork_done = threading.Event(), threading.Event()

    def hold():
        with predictor._lock:
            locked.set()
            fork_done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(10)
    process.start()
    fork_done.set()
    holder.join()
    try:
        same(results.get(timeout=60), predictor(image))
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize("kept", ["fp32", "fp16", "int8"])
def test_fully_connected_weights_are_kept_as_asked_for(image, kept):
    pytest.importorskip("numba")
    expected = Predictor("small-200", fully_connected="fp32")(image)
    found = pickle.loads(pickle.dumps(Predictor("small-200", fully_connected=kept)))(image)
    assert found.probabilities == pytest.approx(expected.probabilities, abs=0.02)
    assert (found.probabilities == expected.probabilities) == (kept == "fp32")


def test_another_way_to_keep_weights_is_an_error(trained):
    with pytest.raises(RecipeError, match='must be "fp32", "fp16" or "int8"; got "int4"'):
        Predictor(trained.run, fully_connected="int4")
