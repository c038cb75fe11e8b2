"""Test vectors, and a preprocessing written again by their page alone."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.exporters import ExportRequest, write_vectors
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
        centre = f * (i + 0.5)
        first, last = max(0, int(centre - r + 0.5)), min(n, int(centre + r + 0.5))
        weight = np.array([max(0, 1 - abs((j + 0.5 - centre) / r)) for j in range(first, last)])
        results.append(np.tensordot(weight, rows[first:last], 1) / weight.sum())
    return np.clip(np.round(results), 0, 255)


def square(pixels: np.ndarray, side: int, fit: str) -> np.ndarray:
    height, width, _ = pixels.shape
    if fit == "crop":
        e = min(height, width)
        top, left = (height - e) // 2, (width - e) // 2
        pixels = pixels[top : top + e, left : left + e]
    h, w = side, side
    if fit == "pad":
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


def weights_with(fit: str, **rule) -> Weights:
    network = build_model("cifar_26pct", classes=3, image_px=32, crop_px=27, initialisation="he")
    rule = {"image_px": 32, "crop_px": 27, "fit": fit, **rule}
    return Weights(
        model=network.model,
        arguments=network.arguments,
        state=network.state_dict(),
        classes=("ant", "bee", "crab"),
        preprocessing=Preprocessing(**rule),
    )


MEAN = np.random.default_rng(0).random((32, 32, 3), dtype=np.float32) * 255


@pytest.mark.parametrize(
    ("weights", "gives"),
    [
        (weights_with("crop", mean=MEAN, order="BGR"), "probabilities"),
        (weights_with("squash", mean=MEAN[0, 0], scale=MEAN[1, 1] + 1), "logits"),
        (weights_with("pad", scale=MEAN[1, 1] + 1), "probabilities"),
    ],
)
def test_the_page_is_enough_to_write_the_preprocessing_again(tmp_path, weights, gives):
    write_vectors(tmp_path, weights, ExportRequest(gives=gives), None)
    rule, about = weights.preprocessing, json.loads((tmp_path / "vectors.json").read_text())
    numbers, answers = array(tmp_path / "numbers.npy"), array(tmp_path / "answers.npy")
    assert len(about["pictures"]) == len(numbers) == len(answers) == 4
    for i, each in enumerate(about["pictures"]):
        pixels = np.asarray(Image.open(tmp_path / each["picture"])).astype(np.float64)
        stored = np.asarray(Image.open(tmp_path / each["stored"])).astype(np.float32)
        assert np.abs(square(pixels, 32, rule.fit) - stored).max() <= 1
        found = stored[2:29, 2:29]
        if rule.mean is not None:
            image = rule.mean.ndim == 3
            found = found - (array(tmp_path / "mean.npy") if image else rule.mean)
        if rule.scale is not None:
            found = found / rule.scale
        found = found[..., :: -1 if rule.order == "BGR" else 1].transpose(2, 0, 1)
        assert np.abs(found - numbers[i]).max() <= 1e-4
        assert np.allclose(each["number_means"], numbers[i].mean((1, 2)), atol=1e-3)
        for probe in each["number_probes"]:
            value = numbers[i, probe["channel"], probe["row"], probe["column"]]
            assert value == np.float32(probe["value"])
        logits = weights.network()(torch.from_numpy(numbers[i : i + 1].copy())).detach()
        wanted = torch.softmax(logits, 1) if gives == "probabilities" else logits
        assert np.abs(wanted.numpy() - answers[i]).max() <= 1e-4
        assert np.allclose(each["answers"], answers[i])
        assert each["best"][0]["class"] == weights.classes[answers[i].argmax()]
    assert (tmp_path / "mean.npy").exists() == (rule.mean is MEAN)


def test_the_page_has_the_numbers_of_these_weights(tmp_path):
    mean = np.array([100.5, 110.25, 120], dtype=np.float32)
    weights = weights_with("crop", mean=mean, order="BGR")
    write_vectors(tmp_path, weights, ExportRequest(), None)
    page = (tmp_path / "README.md").read_text()
    for said in ("x = x - (100.5, 110.25, 120)", "blue, green, red", "Rows and columns 2 to 29"):
        assert said in page
    assert weights.digest in page
    assert "{" not in page


def test_given_pictures_are_taken_and_unreadable_ones_passed_over(tmp_path, pictures):
    data = (pictures / "train/ant/0.png").read_bytes()
    torn = (pictures / "train/bee/torn.png").read_bytes()
    weights = replace(weights_with("crop"))
    write_vectors(tmp_path, weights, ExportRequest(), [("torn", torn), ("whole", data)] * 12)
    rows = json.loads((tmp_path / "vectors.json").read_text())["pictures"]
    assert [each["made_of"] for each in rows] == ["whole"] * 8
