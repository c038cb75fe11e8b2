"""Features: exactly what a layer says, for the images that can be read, in the source's order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from alexnet.data import open_source, write_pack
from alexnet.errors import RecipeError, SourceError, WeightsError
from alexnet.evaluation import Member
from alexnet.transfer import extract_features
from alexnet.transfer.extract import layer_features
from alexnet.weights import load_weights, save_weights


def by_hand(weights, source, layer: str, indices) -> np.ndarray:
    """(n, D) of the layer at the center crop: a plain walk through the layers, one image each."""
    network = weights.network()
    rule = weights.preprocessing
    rows = []
    for index in indices:
        stored = rule.read(source.read(index), "x").astype(np.float32)
        x = torch.from_numpy((stored - rule.mean)[2:18, 2:18] / rule.std).permute(2, 0, 1)[None]
        for name, module in network.named_children():
            with torch.no_grad():
                x = module(x)
            if name == layer:
                rows.append(x.flatten().numpy())
                break
    return np.array(rows)


@pytest.fixture
def weights(saved):
    return load_weights(saved("w"))


@pytest.mark.parametrize("layer", ["conv1", "pool3", "fc4", "relu4", "fc5"])
def test_features_are_those_computed_by_hand(weights, images, layer):
    source = open_source(images)
    indices = np.array([9, 0, 3, 12])
    member = Member(weights.network(), weights.preprocessing)
    parts = list(layer_features(member, source, indices, layer=layer, batch_size=3))
    assert [part.indices.tolist() for part in parts] == [[9, 0, 3], [12]]
    found = np.concatenate([part.numbers for part in parts])
    wanted = by_hand(weights, source, layer, indices.tolist())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_crops_are_averaged(weights, images):
    """Against the crops cut by hand: four corners, the center, and their mirror images."""
    source = open_source(images)
    rule, network = weights.preprocessing, weights.network()
    stored = rule.read(source.read(0), "x").astype(np.float32)
    rows = []
    for top, left in ((0, 0), (0, 4), (2, 2), (4, 0), (4, 4)):
        crop = ((stored - rule.mean) / rule.std)[top : top + 16, left : left + 16]
        for view in (crop, crop[:, ::-1]):
            x = torch.from_numpy(view.copy()).permute(2, 0, 1)[None]
            with torch.no_grad():
                rows.append(network.stage(x, "relu4")[0].numpy())
    member = Member(network, rule)
    (part,) = layer_features(member, source, np.array([0]), layer="relu4", crops=10)
    np.testing.assert_allclose(part.numbers[0], np.mean(rows, axis=0), rtol=1e-4, atol=1e-4)


def test_dropout_is_off_and_modes_are_left_as_they_were(images, saved):
    weights = load_weights(saved("small", model="alexnet_small"))
    network = weights.network().train()
    network.get_submodule("bn1").eval()
    modes = {name: layer.training for name, layer in network.named_modules()}
    member = Member(network, weights.preprocessing)
    source = open_source(images)

    def drop6() -> np.ndarray:
        (part,) = layer_features(member, source, np.arange(4), layer="drop6")
        return part.numbers

    np.testing.assert_array_equal(drop6(), drop6())
    assert {name: layer.training for name, layer in network.named_modules()} == modes


def test_the_file_holds_every_readable_image_in_order(saved, weights, images, tmp_path):
    report, _ = extract_features(saved("w"), images, out=tmp_path / "f.npz", batch_size=3)
    source = open_source(images)
    readable = [i for i, path in enumerate(source.paths) if "torn" not in path]
    assert (report.images, report.layer, report.crops) == (14, "relu4", 1)
    assert report.classes == ["ant", "bee"]
    ((path, reason),) = report.unreadable
    assert (path, reason) == (
        "train/bee/torn.png",
        "it begins like a PNG and is damaged or cut off",
    )
    with np.load(tmp_path / "f.npz", allow_pickle=False) as file:
        assert file["paths"].tolist() == [source.paths[i] for i in readable]
        assert file["classes"].tolist() == [path.split("/")[1] for path in file["paths"]]
        assert file["splits"].tolist() == [path.split("/")[0] for path in file["paths"]]
        assert [source.classes[k] for k in file["labels"]] == file["classes"].tolist()
        wanted = by_hand(weights, source, "relu4", readable)
        assert file["features"].shape == (report.images, report.feature_dim) == wanted.shape
        np.testing.assert_allclose(file["features"], wanted, rtol=1e-4, atol=1e-4)


def test_a_split_alone_and_a_pack_give_the_same_rows(saved, images, tmp_path):
    path = saved("w")
    extract_features(path, images, out=tmp_path / "all.npz", batch_size=4)
    extract_features(path, images, out=tmp_path / "val.npz", split="val", batch_size=4)
    write_pack(open_source(images), tmp_path / "pack", image_px=20, quarantine=tmp_path / "q")
    extract_features(
        path, tmp_path / "pack", out=tmp_path / "packed.npz", split="val", batch_size=4
    )
    with (
        np.load(tmp_path / "all.npz") as every,
        np.load(tmp_path / "val.npz") as val,
        np.load(tmp_path / "packed.npz") as packed,
    ):
        assert val["splits"].tolist() == ["val"] * 4
        assert every["paths"][-4:].tolist() == val["paths"].tolist() == packed["paths"].tolist()
        np.testing.assert_allclose(every["features"][-4:], val["features"], rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(val["features"], packed["features"])


def test_one_class_is_enough(saved, images, tmp_path):
    folder = tmp_path / "photos" / "ant"
    folder.mkdir(parents=True)
    (folder / "0.png").write_bytes((images / "val" / "ant" / "0.png").read_bytes())
    report, _ = extract_features(saved("w"), tmp_path / "photos", out=tmp_path / "f.npz")
    assert (report.images, report.classes) == (1, ["ant"])


def test_mistakes_are_sentences_and_leave_the_old_file(saved, images, tmp_path):
    path, out = saved("w"), tmp_path / "f.npz"
    out.write_bytes(b"old")
    with pytest.raises(RecipeError, match=r'no layer "fc9"\. Did you mean .* Layers: conv1, pool1'):
        extract_features(path, images, out=out, layer="fc9")
    with pytest.raises(RecipeError, match="crops must be 1"):
        extract_features(path, images, out=out, crops=3)
    with pytest.raises(SourceError, match='no images in the split "test"; it has train and val'):
        extract_features(path, images, out=out, split="test")
    with pytest.raises(WeightsError, match="no weights file"):
        extract_features(tmp_path / "nothing", images, out=out)
    torn = tmp_path / "photos" / "ant"
    torn.mkdir(parents=True)
    for i in range(2):
        (torn / f"{i}.jpg").write_text("no image")
    sentence = r"photos: not one of its 2 images can be read\. The first, ant/0\.jpg: it is a text"
    with pytest.raises(SourceError, match=sentence):
        extract_features(path, tmp_path / "photos", out=out)
    assert out.read_bytes() == b"old"
    assert {each.name for each in tmp_path.iterdir()} == {"w.safetensors", "f.npz", "photos"}


def test_features_that_are_no_numbers_are_refused(saved, images, tmp_path):
    weights = load_weights(saved("w"))
    weights.state["conv1.bias"].fill_(float("nan"))
    save_weights(tmp_path / "nan.safetensors", weights)
    with pytest.raises(WeightsError, match='the layer "relu4" is no number for some images'):
        extract_features(
            tmp_path / "nan.safetensors", images, out=tmp_path / "f.npz", layer="relu4"
        )
    assert not (tmp_path / "f.npz").exists()
