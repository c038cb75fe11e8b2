import json

import numpy as np
import pytest

from alexnet.errors import RunError
from alexnet.reporting.run.saved import FILE_NAME, load_report_data, save_report_data
from alexnet.reporting.thumbnails import make_thumbnails


def round_trip(folder, data, items=range(5)):
    thumbnails = make_thumbnails(data.image, items)
    save_report_data(folder, data, thumbnails)
    return thumbnails, *load_report_data(folder)


def test_everything_comes_back(tmp_path, report_data_of, epoch_of):
    data = report_data_of(
        paths=[f"caf\udce9/{i} ф.png" for i in range(40)],
        class_words={"class 1": "a, b"},
        epochs=[epoch_of(1), epoch_of(2, val_error=None)],
    )
    thumbnails, again, kept = round_trip(tmp_path, data)
    for name in ("title", "command", "split", "recipe", "facts", "results", "epochs", "notes"):
        assert getattr(again, name) == getattr(data, name)
    for name in ("paths", "classes", "skipped"):
        assert list(getattr(again, name)) == list(getattr(data, name))
    for name in ("labels", "probabilities", "filters"):
        np.testing.assert_array_equal(getattr(again, name), getattr(data, name))
        assert getattr(again, name).dtype == getattr(data, name).dtype
    assert kept.encoded == thumbnails.encoded
    assert (again.image(3) == thumbnails.image(3)).all()
    assert again.image(30) is None


def test_no_filters_and_figures_that_are_not_finite_come_back(tmp_path, report_data_of, epoch_of):
    data = report_data_of(filters=None, epochs=[epoch_of(1, train_loss=float("inf"))])
    _, again, _ = round_trip(tmp_path, data)
    assert again.filters is None
    assert again.no_filters == data.no_filters
    assert np.isnan(again.epochs[0].train_loss)


def test_it_is_plain_numpy_without_pickle(tmp_path, report_data_of):
    save_report_data(tmp_path, report_data_of(), make_thumbnails(report_data_of().image, [0]))
    with np.load(tmp_path / FILE_NAME, allow_pickle=False) as file:
        words = json.loads(file["words"].tobytes())
        assert file["probabilities"].shape == (40, 4)
    assert words["classes"] == [f"class {i}" for i in range(4)]


def test_without_report_data_it_is_said_when_it_is_written(tmp_path):
    with pytest.raises(RunError, match=r"data\.npz is not there, so there is nothing to draw"):
        load_report_data(tmp_path)


@pytest.mark.parametrize("spoil", ["cut", "other", "empty", "lacking", "list"])
def test_damage_is_named(tmp_path, report_data_of, spoil):
    save_report_data(tmp_path, report_data_of(), make_thumbnails(report_data_of().image, [0]))
    file = tmp_path / FILE_NAME
    data = file.read_bytes()
    if spoil == "lacking":
        np.savez(file, words=np.frombuffer(b'{"format": 2}', np.uint8))
    elif spoil == "list":
        np.savez(file, words=np.frombuffer(b"[1]", np.uint8))
    else:
        damaged = {"cut": data[: len(data) // 2], "other": b"no archive", "empty": b""}
        file.write_bytes(damaged[spoil])
    with pytest.raises(RunError, match=r"data\.npz is damaged \(.*\)\. Train again in another"):
        load_report_data(tmp_path)


def test_a_pickle_is_not_opened(tmp_path):
    np.savez(tmp_path / FILE_NAME, words=np.array([{"format": 2}], dtype=object))
    with pytest.raises(RunError, match=r"is damaged \(Object arrays cannot be loaded"):
        load_report_data(tmp_path)


def test_another_format_is_named(tmp_path):
    np.savez(tmp_path / FILE_NAME, words=np.frombuffer(b'{"format": 9}', np.uint8))
    with pytest.raises(
        RunError, match=r"another version of alexnet \(format 9; this one reads 2\)"
    ):
        load_report_data(tmp_path)


def test_a_file_from_before_ways_were_kept_is_read(tmp_path, report_data_of):
    round_trip(tmp_path, report_data_of(ways=[{"name": "features"}], why="best"))
    with np.load(tmp_path / FILE_NAME) as file:
        arrays = {name: file[name] for name in file.files}
    words = json.loads(arrays["words"].tobytes())
    assert words.pop("ways") == [{"name": "features"}]
    assert words.pop("why") == "best"
    arrays["words"] = np.frombuffer(json.dumps(words).encode(), dtype=np.uint8)
    np.savez(tmp_path / FILE_NAME, **arrays)
    again, _ = load_report_data(tmp_path)
    assert (again.ways, again.why) == ((), "")
