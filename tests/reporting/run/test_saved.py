import json

import numpy as np
import pytest

from alexnet.errors import RunError
from alexnet.reporting.run.examples import make_album
from alexnet.reporting.run.saved import EVIDENCE, keep_evidence, load_evidence


def round_trip(folder, evidence, items=range(5)):
    album = make_album(evidence.picture, items)
    keep_evidence(folder, evidence, album)
    return album, *load_evidence(folder)


def test_everything_comes_back(tmp_path, evidence_of, epoch_of):
    evidence = evidence_of(
        paths=[f"caf\udce9/{i} ф.png" for i in range(40)],
        class_words={"class 1": "a, b"},
        epochs=[epoch_of(1), epoch_of(2, val_error=None)],
    )
    album, again, kept = round_trip(tmp_path, evidence)
    for name in ("title", "command", "split", "recipe", "facts", "results", "epochs", "notes"):
        assert getattr(again, name) == getattr(evidence, name)
    for name in ("paths", "classes", "skipped"):
        assert list(getattr(again, name)) == list(getattr(evidence, name))
    for name in ("labels", "probabilities", "filters"):
        np.testing.assert_array_equal(getattr(again, name), getattr(evidence, name))
        assert getattr(again, name).dtype == getattr(evidence, name).dtype
    assert kept.encoded == album.encoded
    assert (again.picture(3) == album.picture(3)).all()
    assert again.picture(30) is None


def test_no_filters_and_figures_that_are_not_finite_come_back(tmp_path, evidence_of, epoch_of):
    evidence = evidence_of(filters=None, epochs=[epoch_of(1, train_loss=float("inf"))])
    _, again, _ = round_trip(tmp_path, evidence)
    assert again.filters is None
    assert again.no_filters == evidence.no_filters
    assert np.isnan(again.epochs[0].train_loss)


def test_it_is_plain_numpy_without_pickle(tmp_path, evidence_of):
    keep_evidence(tmp_path, evidence_of(), make_album(evidence_of().picture, [0]))
    with np.load(tmp_path / EVIDENCE, allow_pickle=False) as file:
        words = json.loads(file["words"].tobytes())
        assert file["probabilities"].shape == (40, 4)
    assert words["classes"] == [f"class {i}" for i in range(4)]


def test_nothing_kept_says_when_it_is_written(tmp_path):
    with pytest.raises(RunError, match=r"evidence\.npz is not there, so there is nothing to draw"):
        load_evidence(tmp_path)


@pytest.mark.parametrize("spoil", ["cut", "other", "empty", "lacking", "list"])
def test_damage_is_named(tmp_path, evidence_of, spoil):
    keep_evidence(tmp_path, evidence_of(), make_album(evidence_of().picture, [0]))
    file = tmp_path / EVIDENCE
    data = file.read_bytes()
    if spoil == "lacking":
        np.savez(file, words=np.frombuffer(b'{"format": 1}', np.uint8))
    elif spoil == "list":
        np.savez(file, words=np.frombuffer(b"[1]", np.uint8))
    else:
        damaged = {"cut": data[: len(data) // 2], "other": b"no archive", "empty": b""}
        file.write_bytes(damaged[spoil])
    with pytest.raises(RunError, match=r"evidence\.npz is damaged \(.*\)\. Train again in another"):
        load_evidence(tmp_path)


def test_a_pickle_is_not_opened(tmp_path):
    np.savez(tmp_path / EVIDENCE, words=np.array([{"format": 1}], dtype=object))
    with pytest.raises(RunError, match=r"is damaged \(Object arrays cannot be loaded"):
        load_evidence(tmp_path)


def test_another_format_is_named(tmp_path):
    np.savez(tmp_path / EVIDENCE, words=np.frombuffer(b'{"format": 9}', np.uint8))
    with pytest.raises(
        RunError, match=r"another version of alexnet \(format 9; this one reads 1\)"
    ):
        load_evidence(tmp_path)
