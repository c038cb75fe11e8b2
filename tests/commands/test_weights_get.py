"""From a server on this machine to weights that predict, for each form that publishers use."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from alexnet.importers.torchvision_graphs import ARCHITECTURES
from alexnet.models import build_model
from alexnet.weights import PUBLISHED, load_weights
from fixtures.mirror import mirroring

DESCRIPTION = """
name: "Tiny" input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 5 kernel_size: 3 } }
layer { name: "pool" type: "Pooling" bottom: "conv1" top: "pool"
        pooling_param { pool: AVE global_pooling: true } }
layer { name: "prob" type: "Softmax" bottom: "pool" top: "prob" }
"""


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder whose files a server on this machine gives out."""
    folder = tmp_path / "served"
    folder.mkdir()
    with mirroring(folder, monkeypatch):
        yield folder


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def torchvision_state(architecture: str, classes: int) -> dict[str, torch.Tensor]:
    """Return random tensors by torchvision's names."""
    graph = ARCHITECTURES[architecture]()
    nodes = [dict(node) for node in graph.nodes]
    next(node for node in reversed(nodes) if node["op"] in ("conv", "linear"))["outputs"] = classes
    described = {**graph.description(classes), "nodes": nodes}
    network = build_model("graph", classes=classes, image_px=256, crop_px=224, graph=described)
    tensors = network.state_dict()
    return {theirs: tensors[ours].clone() for ours, theirs in graph.origins.items()}


def publish(monkeypatch, name, content, digest, **changes):
    """Change an entry of the catalogue to a small file of the same form."""
    changes = {"sha256": digest, "size_mb": len(content) / 2**20, **changes}
    monkeypatch.setitem(PUBLISHED, name, replace(PUBLISHED[name], **changes))


def publish_squeezenet(served, monkeypatch, classes=1000):
    file = served / "squeezenet1_1-b8a52dc0.pth"
    torch.save(torchvision_state("squeezenet1_1", classes), file)
    content = file.read_bytes()
    start = hashlib.sha256(content).hexdigest()[:8]
    publish(monkeypatch, "torchvision-squeezenet1_1", content, f"sha256-start:{start}")
    return file


def test_torchvisions_form_is_known_by_its_name(alexnet, served, monkeypatch, photo):
    publish_squeezenet(served, monkeypatch)
    before = alexnet("predict", "torchvision-squeezenet1_1", photo)
    assert before.code == 2
    assert "alexnet weights get torchvision-squeezenet1_1" in before.err
    said = alexnet("weights", "get", "torchvision-squeezenet1_1", "--json")
    assert said.code == 0, said.err
    weights = load_weights("torchvision-squeezenet1_1")
    assert weights.class_words["n01440764"] == "tench, Tinca tinca"
    assert (len(weights.classes), weights.preprocessing.crop_px) == (1000, 224)
    found = json.loads(said.out)
    assert found["license"].startswith("BSD-3-Clause")
    after = alexnet("predict", "torchvision-squeezenet1_1", photo, "--json")
    assert after.code == 0, after.err


def test_the_license_is_said_before_the_download(alexnet, served, monkeypatch):
    file = publish_squeezenet(served, monkeypatch)
    file.unlink()
    said = alexnet("weights", "get", "torchvision-squeezenet1_1")
    assert said.code == 2
    assert "404" in said.err
    assert "license: BSD-3-Clause" in said.err


@pytest.mark.parametrize("kind", ["sha256-start", "sha1", "git", "sha256"])
def test_another_file_is_not_kept(alexnet, served, monkeypatch, tmp_path, kind):
    file = publish_squeezenet(served, monkeypatch)
    digits = {"sha256-start": "0" * 8, "sha256": "0" * 64}.get(kind, "0" * 40)
    publish(monkeypatch, "torchvision-squeezenet1_1", file.read_bytes(), f"{kind}:{digits}")
    said = alexnet("weights", "get", "torchvision-squeezenet1_1")
    assert said.code == 2
    assert "Nothing was kept" in said.err
    assert not list((tmp_path / "cache" / "weights").glob("squeeze*"))


@pytest.fixture
def caffe(served, monkeypatch, caffemodel):
    """Caffe's form under a name of the catalogue: description, arrays, and a mean in numbers."""
    arrays = {"conv1": [np.ones((5, 3, 3, 3), np.float32), np.zeros(5, np.float32)]}
    content = caffemodel(arrays)
    (served / "squeezenet_v1.1.caffemodel").write_bytes(content)
    (served / "squeezenet_v1.1-deploy.prototxt").write_text(DESCRIPTION)
    digest = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    publish(monkeypatch, "squeezenet_v1.1", content, f"git:{digest}")
    pinned = hashlib.sha256(DESCRIPTION.encode()).hexdigest()
    url = "https://no-such-host.invalid/deploy.prototxt"
    from alexnet.weights import COMPANIONS

    changed = replace(COMPANIONS["squeezenet_v1.1"], files=((url, pinned),))
    monkeypatch.setitem(COMPANIONS, "squeezenet_v1.1", changed)


@pytest.fixture
def caffemodel():
    """The bytes of a caffemodel, by protobuf's wire format."""

    def varint(value):
        found = bytearray()
        while value > 127:
            found.append(value & 127 | 128)
            value >>= 7
        return bytes([*found, value])

    def field(number, value):
        return varint(number << 3 | 2) + varint(len(value)) + value

    def blob(array):
        shape = b"".join(varint(side) for side in array.shape)
        return field(7, field(1, shape)) + field(5, array.astype("<f4").tobytes())

    def layer(name, arrays):
        return field(1, name.encode()) + b"".join(field(7, blob(each)) for each in arrays)

    return lambda arrays: b"".join(field(100, layer(*each)) for each in arrays.items())


@pytest.mark.usefixtures("caffe")
def test_caffes_form_comes_with_description_and_mean(alexnet, photo):
    said = alexnet("weights", "get", "squeezenet_v1.1")
    assert said.code == 0, said.err
    rule = load_weights("squeezenet_v1.1").preprocessing
    assert (rule.order, rule.mean.tolist()) == ("BGR", [123, 117, 104])
    assert alexnet("predict", "squeezenet_v1.1", photo).code == 0


@pytest.fixture
def hub(served):
    """Two texts and a file, as the model hub has of a small ResNet."""
    file = served / "timm--resnet18.tiny-model.safetensors"
    save_file(torchvision_state("resnet18", 3), file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\n"
    pointer += f"size {file.stat().st_size}\n"
    (served / f"{file.name}.pointer").write_text(pointer)
    cfg = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "input_size": [3, 96, 96]}
    cfg |= {"crop_pct": 0.75, "interpolation": "bicubic", "license": "apache-2.0"}
    config = {"architecture": "resnet18", "num_classes": 3, "pretrained_cfg": cfg}
    config["label_names"] = ["ant", "bee", "cat"]
    (served / "timm--resnet18.tiny-config.json").write_text(json.dumps(config))
    return served


def test_a_model_of_the_hub_brings_its_preprocessing(alexnet, hub, photo):
    said = alexnet("weights", "get", "timm/resnet18.tiny")
    assert said.code == 0, said.err
    weights = load_weights("timm/resnet18.tiny")
    rule = weights.preprocessing
    assert weights.classes == ("ant", "bee", "cat")
    assert (rule.image_px, rule.crop_px) == (128, 96)
    assert np.allclose(rule.mean, 127.5)
    assert np.allclose(rule.std, 63.75)
    assert alexnet("predict", "timm/resnet18.tiny", photo).code == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"architecture": "vit_base"}, "resnet18, resnet34"),
        ({"num_classes": 0}, "how many classes"),
        ({"pretrained_cfg": {}}, "does not say how images are prepared"),
    ],
)
def test_other_models_of_the_hub_are_sentences(alexnet, hub, change, sentence):
    file = hub / "timm--resnet18.tiny-config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    said = alexnet("weights", "get", "timm/resnet18.tiny")
    assert said.code == 2
    assert sentence in " ".join(said.err.split())


def test_what_has_no_hash_is_asked_for(alexnet, served, monkeypatch):
    (served / "placesCNN_upgraded.tar.gz").write_bytes(b"archive")
    said = alexnet("weights", "get", "places205-alexnet")
    assert said.code == 2
    assert "--unverified" in said.err
    said = alexnet("weights", "get", "places205-alexnet", "--unverified")
    assert (said.code, "unpack it" in said.out) == (0, True)
