"""Test vectors, and a preprocessing written again by their page alone."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.exporters import ExportRequest, write_test_vectors
from alexnet.images import Preprocessing
from alexnet.models import build_model
from alexnet.weights import Weights


def resized(rows: np.ndarray, m: int) -> np.ndarray:
    """The page's step 2 along the first axis: from n numbers to m."""
    n = len(rows)
    if n == m:
        return rows
    f = n / m
    r = max(f, 1)
    results = []
    for i in range(m):
        center = f * (i + 0.5)
        first, last = max(0, int(center - r + 0.5)), min(n, int(center + r + 0.5))
        weight = np.array([max(0, 1 - abs((j + 0.5 - center) / r)) for j in range(first, last)])
        results.append(np.tensordot(weight, rows[first:last], 1) / weight.sum())
    return np.clip(np.round(results), 0, 255)


def square(pixels: np.ndarray, side: int, resize_mode: str) -> np.ndarray:
    height, width, _ = pixels.shape
    if resize_mode == "crop":
        e = min(height, width)
        top, left = (height - e) // 2, (width - e) // 2
        pixels = pixels[top : top + e, left : left + e]
    h, w = side, side
    if resize_mode == "pad":
        longest = max(height, width)
        h, w = max(1, round(height * side / longest)), max(1, round(width * side / longest))
    along_rows = resized(pixels.swapaxes(0, 1), w).swapaxes(0, 1)
    whole = np.full((side, side, 3), 128.0)
    top, left = (side - h) // 2, (side - w) // 2
    whole[top : top + h, left : left + w] = resized(along_rows, h)
    return whole


def array(path) -> np.ndarray:
    """Read an .npy file as the page says."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00"
    (length,) = struct.unpack("<H", data[8:10])
    header = data[10 : 10 + length].decode()
    shape = [int(each) for each in header.split("(")[1].split(")")[0].split(",") if each.strip()]
    return np.frombuffer(data[10 + length :], "<f4").reshape(shape)


def weights_with(resize_mode: str, **rule) -> Weights:
    network = build_model("cifar_26pct", classes=3, image_px=32, crop_px=27, initialization="he")
    rule = {"image_px": 32, "crop_px": 27, "resize_mode": resize_mode, **rule}
    return Weights(
        model=network.model,
        arguments=network.arguments,
        state=network.state_dict(),
        classes=("ant", "bee", "crab"),
        preprocessing=Preprocessing(**rule),
    )


MEAN = np.random.default_rng(0).random((32, 32, 3), dtype=np.float32) * 255


@pytest.mark.parametrize(
    ("weights", "output_type"),
    [
        (weights_with("crop", mean=MEAN, order="BGR"), "probabilities"),
        (weights_with("squash", mean=MEAN[0, 0], std=MEAN[1, 1] + 1), "logits"),
        (weights_with("pad", std=MEAN[1, 1] + 1), "probabilities"),
    ],
)
def test_the_page_is_enough_to_write_the_preprocessing_again(tmp_path, weights, output_type):
    write_test_vectors(tmp_path, weights, ExportRequest(output_type=output_type), None)
    rule, about = weights.preprocessing, json.loads((tmp_path / "vectors.json").read_text())
    inputs, outputs = array(tmp_path / "inputs.npy"), array(tmp_path / "outputs.npy")
    assert len(about["images"]) == len(inputs) == len(outputs) == 4
    for i, each in enumerate(about["images"]):
        pixels = np.asarray(Image.open(tmp_path / each["image"])).astype(np.float64)
        stored = np.asarray(Image.open(tmp_path / each["stored"])).astype(np.float32)
        assert np.abs(square(pixels, 32, rule.resize_mode) - stored).max() <= 1
        found = stored[2:29, 2:29]
        if rule.mean is not None:
            image = rule.mean.ndim == 3
            found = found - (array(tmp_path / "mean.npy") if image else rule.mean)
        if rule.std is not None:
            found = found / rule.std
        found = found[..., :: -1 if rule.order == "BGR" else 1].transpose(2, 0, 1)
        assert np.abs(found - inputs[i]).max() <= 1e-4
        assert np.allclose(each["input_means"], inputs[i].mean((1, 2)), atol=1e-3)
        for sample in each["input_samples"]:
            value = inputs[i, sample["channel"], sample["row"], sample["column"]]
            assert value == np.float32(sample["value"])
        logits = weights.network()(torch.from_numpy(inputs[i : i + 1].copy())).detach()
        wanted = torch.softmax(logits, 1) if output_type == "probabilities" else logits
        assert np.abs(wanted.numpy() - outputs[i]).max() <= 1e-4
        assert np.allclose(each["outputs"], outputs[i])
        assert each["top5"][0]["class"] == weights.classes[outputs[i].argmax()]
    assert (tmp_path / "mean.npy").exists() == (rule.mean is MEAN)


def test_the_page_has_the_numbers_of_these_weights(tmp_path):
    mean = np.array([100.5, 110.25, 120], dtype=np.float32)
    weights = weights_with("crop", mean=mean, order="BGR")
    write_test_vectors(tmp_path, weights, ExportRequest(), None)
    page = (tmp_path / "README.md").read_text()
    for said in ("x = x - (100.5, 110.25, 120)", "blue, green, red", "Rows and columns 2 to 29"):
        assert said in page
    assert weights.digest in page
    assert "{" not in page


def test_given_images_are_used_except_unreadable_ones(tmp_path, images):
    data = (images / "train/ant/0.png").read_bytes()
    torn = (images / "train/bee/torn.png").read_bytes()
    weights = replace(weights_with("crop"))
    write_test_vectors(tmp_path, weights, ExportRequest(), [("torn", torn), ("whole", data)] * 12)
    rows = json.loads((tmp_path / "vectors.json").read_text())["images"]
    assert [each["original"] for each in rows] == ["whole"] * 8
