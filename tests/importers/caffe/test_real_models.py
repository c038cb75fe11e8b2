"""Models that Caffe trained in 2014: the answers of OpenCV's reader, and their known figures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from alexnet import evaluate, import_
from alexnet.importers import ImportRequest
from alexnet.importers.caffe import import_caffe

MODELS = {
    "quick": ("cifar10_quick.prototxt", "cifar10_quick_iter_5000.caffemodel"),
    "full": ("cifar10_full.prototxt", "cifar10_full_iter_70000.caffemodel"),
    "training": ("cifar10_full_train_test.prototxt", "cifar10_full_iter_70000.caffemodel"),
    "lenet": ("lenet.prototxt", "lenet_iter_10000.caffemodel"),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_trained_model_answers_as_in_opencv(name, real_models):
    import cv2

    files = tuple(real_models / each for each in MODELS[name])
    found = import_caffe(ImportRequest(files=files, image_px=None if name != "training" else 32))
    network = found.weights.network()
    gray, side = name == "lenet", found.weights.preprocessing.crop_px
    rng = np.random.default_rng(0)
    size = (4, 1 if gray else 3, side, side)
    x = rng.uniform(-120, 130, size).astype(np.float32) / (256 if gray else 1)
    with torch.inference_mode():
        answer = network(torch.from_numpy(np.repeat(x, 3, 1) if gray else x)).softmax(1).numpy()
    described = files[0] if name != "training" else real_models / MODELS["full"][0]
    reader = cv2.dnn.readNetFromCaffe(str(described), str(files[1]))
    wanted = []
    for each in x:
        reader.setInput(each[None])
        wanted.append(reader.forward().reshape(-1))
    assert np.abs(answer - np.stack(wanted)).max() < 1e-4


def test_means_of_caffes_are_read(real_models):
    from alexnet.importers.caffe.mean import read_mean

    image = read_mean(str(real_models / "imagenet_mean.binaryproto"), channels=3, order="BGR")
    other = read_mean(str(real_models / "ilsvrc_2012_mean.npy"), channels=3, order="BGR")
    assert image.shape == other.shape == (256, 256, 3)
    assert np.abs(image.mean((0, 1)) - (122.68, 116.67, 104.01)).max() < 0.2
    assert np.abs(image - other).mean() < 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mean", "share"),
    [
        ("quick", True, 0.7350),
        ("quick", False, 0.5369),
        ("full", True, 0.7941),
        ("full", False, 0.6887),
    ],
)
def test_a_trained_model_is_as_good_as_it_was(name, mean, share, real_models, tmp_path):
    images = real_models.parent / "cifar10.zip"
    if not images.is_file():
        pytest.skip("the images of CIFAR-10 are not there")
    import_(
        *(real_models / each for each in MODELS[name]),
        out=tmp_path / "w.safetensors",
        order="rgb",
        mean=str(real_models / "cifar10_mean.binaryproto") if mean else None,
        classes=images,
    )
    results = evaluate(tmp_path / "w.safetensors", images, split="test")
    assert (results.images, results.top1) == (10_000, share)
