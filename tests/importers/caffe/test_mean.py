"""Means in every form, always as R, G, B; nothing is unpickled and nothing large is taken in."""

from __future__ import annotations

import numpy as np
import pytest

from alexnet.errors import WeightsError
from alexnet.importers.caffe.mean import format_mean, read_mean

IMAGE = np.arange(48, dtype=np.float32).reshape(3, 4, 4)


def test_a_mean_image_comes_in_the_networks_order(tmp_path, wire):
    np.save(tmp_path / "m.npy", IMAGE.astype(np.float64))
    (tmp_path / "m.binaryproto").write_bytes(wire.blob(IMAGE, legacy=True))
    for name in ("m.npy", "m.binaryproto"):
        red_first = read_mean(str(tmp_path / name), channels=3, order="RGB")
        blue_first = read_mean(str(tmp_path / name), channels=3, order="BGR")
        assert red_first.dtype == np.float32
        assert np.array_equal(red_first, IMAGE.transpose(1, 2, 0))
        assert np.array_equal(blue_first, IMAGE[::-1].transpose(1, 2, 0))


def test_numbers_are_a_mean_too(tmp_path):
    assert read_mean("104,117.5,123", channels=3, order="BGR").tolist() == [123, 117.5, 104]
    assert read_mean("127.5", channels=1, order="RGB").tolist() == [127.5] * 3
    np.save(tmp_path / "m.npy", IMAGE.mean((1, 2)))
    found = read_mean(str(tmp_path / "m.npy"), channels=3, order="BGR")
    assert found.tolist() == [39.5, 23.5, 7.5]
    assert format_mean(found, "BGR") == "7.5,23.5,39.5"
    assert format_mean(None, "RGB") == "none"


def test_a_gray_mean_is_that_of_each_color(tmp_path):
    np.save(tmp_path / "m.npy", IMAGE[:1])
    found = read_mean(str(tmp_path / "m.npy"), channels=1, order="RGB")
    assert np.array_equal(found, np.repeat(IMAGE[:1], 3, 0).transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((4, 4, 3)), r"has the shape \(4, 4, 3\)"),
        (np.zeros((3, 4, 5)), r"has the shape \(3, 4, 5\)"),
        (np.full((3, 2, 2), np.nan), "not finite"),
        (np.array(["a"]), "something else than one array of numbers"),
        (np.zeros((3, 2, 2), complex), "something else than one array of numbers"),
        (np.array([{}]), r"no whole \.npy of plain numbers"),
        (np.lib.stride_tricks.as_strided(np.zeros(1), (3, 5000, 5000), (0, 0, 0)), None),
    ],
)
def test_what_is_no_mean_is_told(tmp_path, array, said):
    path = tmp_path / "m.npy"
    if said is None:  # a header that promises more than the file holds
        path.write_bytes(
            b"\x93NUMPY\x01\x00v\x00"
            + b"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 90000, 90000), }".ljust(117)
            + b"\n"
        )
        said = r"no whole \.npy of plain numbers"
    else:
        np.save(path, array, allow_pickle=True)
    with pytest.raises(WeightsError, match=said):
        read_mean(str(path), channels=3, order="RGB")


def test_a_mean_that_does_not_belong_is_told(tmp_path):
    np.save(tmp_path / "m.npy", IMAGE)
    with pytest.raises(WeightsError, match="has 3 channels, and the network takes 1"):
        read_mean(str(tmp_path / "m.npy"), channels=1, order="RGB")
    with pytest.raises(WeightsError, match="one or three numbers"):
        read_mean("1,2", channels=3, order="RGB")
    with pytest.raises(WeightsError, match=r"neither a \.binaryproto nor a \.npy"):
        read_mean("mean.png", channels=3, order="RGB")
    with pytest.raises(WeightsError, match=r"Could not read .*none\.npy"):
        read_mean(str(tmp_path / "none.npy"), channels=3, order="RGB")
    np.savez(tmp_path / "z.npz", IMAGE)
    (tmp_path / "z.npz").rename(tmp_path / "z.npy")
    with pytest.raises(WeightsError, match="something else than one array"):
        read_mean(str(tmp_path / "z.npy"), channels=3, order="RGB")
