"""A few images by a cached graph: the same as torch gives, and torch wherever that cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from alexnet import SourceError, evaluation, features, load_weights, pack, predict, save_weights
from alexnet import weights as weights_room
from alexnet.evaluation import ensemble, graph_predictions, with_temperature
from alexnet.evaluation.graph_cache import cached_graphs, graphs_folder
from alexnet.exporters.onnx import cached
from alexnet.images import resize
from alexnet.weights import mapped
from fixtures.transfer import make_weights
from fixtures.weights import weights_of

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

TOLERANCE = 1e-5


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """A process that has not loaded torch, or believes so, with an empty cache.

    Returns what says, with True, that torch must not be used from now on.
    """
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    nothing = SimpleNamespace(modules={})
    for module in (graph_predictions, resize):
        monkeypatch.setattr(module, "sys", nothing)
    monkeypatch.setattr(resize, "_loads_torch", True)
    monkeypatch.setattr(mapped, "_SETTLED_NS", -(10**18))  # files of tests are young

    def refuse(*arguments, **more):
        raise AssertionError("torch is used")

    def forbid(forbidden: bool = True) -> None:
        real = {evaluation: "load_ensemble", resize: "_resize_by_torch"}
        for module, name in real.items():
            if forbidden:
                monkeypatch.setattr(module, name, refuse)
            else:
                monkeypatch.setattr(module, name, originals[name])

    originals = {
        "load_ensemble": evaluation.load_ensemble,
        "_resize_by_torch": resize._resize_by_torch,
    }
    return forbid


def photo(seed: int, size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """An image with large and small forms."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    noise = Image.effect_noise(size, 40).convert("RGB")
    return Image.blend(image, noise, 0.3).convert(mode)


@pytest.fixture
def photos(tmp_path):
    """Image files of many kinds and sizes; those that cannot be read are among them."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, size in enumerate([(20, 20), (16, 90), (61, 47), (640, 480), (333, 21)]):
        photo(number, size).save(folder / f"color{number}.jpg", quality=92)
    photo(10, (70, 40), "L").save(folder / "gray.jpg")
    photo(11, (70, 40), "CMYK").save(folder / "cmyk.jpg")
    photo(12, (70, 40), "P").save(folder / "palette.gif")
    photo(13, (41, 40), "RGBA").save(folder / "alpha.png")
    deep = np.random.default_rng(14).integers(0, 65536, (30, 44), dtype=np.uint16)
    Image.fromarray(deep).save(folder / "deep.png")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        photo(15, (51, 38)).save(folder / f"turned{orientation}.jpg", exif=exif)
    (folder / "text.jpg").write_text("no image")
    (folder / "cut.png").write_bytes((folder / "alpha.png").read_bytes()[:60])
    return folder


def assert_close(found, expected) -> None:
    """Compare predictions: the same rows, classes and words, probabilities within the tolerance."""
    found, expected = found.to_json(), expected.to_json()
    for rows in (found["predictions"], expected["predictions"]):
        for row in rows:
            row["probabilities"] = np.array(row["probabilities"])
    pairs = zip(found.pop("predictions"), expected.pop("predictions"), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(
            one.pop("probabilities"), other.pop("probabilities"), rtol=0, atol=TOLERANCE
        )
        assert one == other
    assert found == expected


@pytest.mark.parametrize("resize_mode", ["crop", "squash", "pad"])
def test_every_kind_of_file_is_predicted_as_by_torch(quick, photos, saved, resize_mode):
    path = saved("a", resize_mode=resize_mode)
    files = sorted(photos.iterdir())
    expected = predict(path, *files, photos / "gone.png")
    (graph,) = cached_graphs()
    assert (graph.weights, graph.outputs) == (str(path), ["probabilities"])
    quick()
    found = predict(path, *files, photos / "gone.png")
    assert sum(row.error is None for row in found.predictions) == len(files) - 2
    assert_close(found, expected)


@pytest.mark.parametrize("crops", [5, 10])
def test_several_crops_are_averaged(quick, photos, saved, crops):
    path, names = saved("a"), [photos / "color2.jpg", photos / "deep.png"]
    expected = predict(path, *names, crops=crops)
    quick()
    assert_close(predict(path, *names, crops=crops), expected)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("model", ["alexnet_small", "cifar_18pct", "mlp"])
def test_networks_and_storages(quick, photos, tmp_path, model, dtype):
    from alexnet import build_model

    size = {"alexnet_small": (28, 24), "cifar_18pct": (24, 24), "mlp": (20, 16)}[model]
    network = build_model(model, classes=3, image_px=size[0], crop_px=size[1], initialization="he")
    path = tmp_path / "a.safetensors"
    save_weights(path, weights_of(network), dtype=dtype)
    expected = predict(path, photos / "color2.jpg", photos / "alpha.png")
    quick()
    assert_close(predict(path, photos / "color2.jpg", photos / "alpha.png"), expected)


def test_a_calibrated_temperature_is_in_the_graph(quick, photos, tmp_path):
    weights, path = make_weights(), tmp_path / "a.safetensors"
    save_weights(path, weights)
    plain = predict(path, photos / "color2.jpg")
    hot = with_temperature(weights, 4.0)
    save_weights(path, hot)
    expected = predict(path, photos / "color2.jpg")
    assert expected.predictions[0].probabilities[0] < plain.predictions[0].probabilities[0]
    quick()
    assert_close(predict(path, photos / "color2.jpg"), expected)


def test_options_give_the_same_text_json_and_csv(quick, alexnet, photos, saved, tmp_path):
    path, name = saved("a"), photos / "color2.jpg"
    lines = (
        ["predict", path, name],
        ["predict", path, name, photos / "text.jpg", "--top", 2, "--json"],
        ["predict", path, name, "--csv", "-"],
        ["predict", path, name, "--reject-below", 0.99],
        ["predict", path, name, "--top", 0],
        ["predict", path, photos / "text.jpg"],
        ["predict", path, photos / "gone.jpg"],
        ["predict", path, name, "--crops", 3],
    )
    expected = [alexnet(*line) for line in lines]
    quick()
    for line, other in zip(lines, expected, strict=True):
        said = alexnet(*line)
        assert (said.code, said.err) == (other.code, other.err)
        if "--json" in line or "--csv" in line:  # which have nine digits
            assert len(said.out) == pytest.approx(len(other.out), abs=12)
        else:
            assert said.out == other.out


def test_what_the_graph_does_not_do_is_done_by_torch(quick, photos, saved):
    path, name = saved("a"), photos / "color2.jpg"
    predict(path, name)
    quick()
    for options in ({"also": (saved("b"),)}, {"precision": "bf16"}):
        with pytest.raises(AssertionError, match="torch is used"):
            predict(path, name, **options)
    with pytest.raises(AssertionError, match="torch is used"):
        predict(path, *[name] * 65)
    predict(path, *[name] * 64)


def damage(suffix: str) -> None:
    (path,) = graphs_folder().glob(f"*/*{suffix}")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("suffix", [".json", ".onnx", ".tensors"])
@pytest.mark.parametrize("way", ["flip", "cut", "remove"])
def test_a_damaged_graph_is_made_again(quick, photos, tmp_path, suffix, way):
    path, name = tmp_path / "a.safetensors", photos / "color2.jpg"
    save_weights(path, make_weights(), dtype="float16")  # so that tensors lie beside the graph
    expected = predict(path, name)
    (file,) = graphs_folder().glob(f"*/*{suffix}")
    if way == "flip":
        damage(suffix)
    elif way == "cut":
        file.write_bytes(file.read_bytes()[:-9])
    else:
        file.unlink()
    quick()
    with pytest.raises(AssertionError, match="torch is used"):
        predict(path, name)
    quick(False)
    assert_close(predict(path, name), expected)
    quick()
    assert_close(predict(path, name), expected)


def test_changed_weights_are_never_predicted_by_an_old_graph(quick, photos, saved):
    path, name = saved("a"), photos / "color2.jpg"
    old = predict(path, name)
    status = path.stat()
    saved("a", seed=1)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    quick()
    with pytest.raises(AssertionError, match="torch is used"):
        predict(path, name)
    quick(False)
    new = predict(path, name)
    assert new.predictions != old.predictions
    quick()
    assert_close(predict(path, name), new)


def test_a_bit_that_changed_in_place_is_noticed(quick, alexnet, photos, saved):
    path, name = saved("a"), photos / "color2.jpg"
    predict(path, name)
    status = path.stat()
    with path.open("r+b") as file:  # the same header, inode and size
        file.seek(-3, os.SEEK_END)
        file.write(b"\x7f")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    said = alexnet("predict", path, name)
    assert said.code == 2
    assert "its tensors do not match their checksum" in said.err


def test_a_copy_of_the_weights_takes_the_graph_that_is_there(quick, photos, saved):
    path, name = saved("a"), photos / "color2.jpg"
    expected = predict(path, name)
    copy = path.with_name("b.safetensors")
    copy.write_bytes(path.read_bytes())
    (graph,) = graphs_folder().glob("*/*.onnx")
    made = graph.stat().st_mtime_ns
    predict(copy, name)
    quick()
    assert_close(predict(copy, name), expected)
    assert_close(predict(path, name), expected)
    assert graph.stat().st_mtime_ns == made


def test_weights_that_change_while_they_are_used_are_left_to_torch(
    quick, photos, saved, monkeypatch
):
    path, name = saved("a"), photos / "color2.jpg"
    predict(path, name)
    quick()
    read = mapped.MappedWeights.is_unchanged
    monkeypatch.setattr(mapped.MappedWeights, "is_unchanged", lambda self: not read(self))
    with pytest.raises(AssertionError, match="torch is used"):
        predict(path, name)


def test_weights_that_are_no_numbers_are_left_to_torch(quick, alexnet, photos, tmp_path):
    weights, path = make_weights(), tmp_path / "a.safetensors"
    next(iter(weights.state.values())).fill_(float("nan"))
    save_weights(path, weights)
    for _ in range(2):
        said = alexnet("predict", path, photos / "color2.jpg")
        assert said.code == 2
        assert "is no number for any of 1 image" in said.err
    assert cached_graphs() == []


@pytest.mark.parametrize("layer", [None, "fc6", "relu1", "pool2", "mean:relu2"])
def test_features_are_those_of_torch(quick, photos, tmp_path, saved, layer):
    path, source = saved("a", model="alexnet_small"), tmp_path / "source"
    for name in ("ant", "bee"):
        (source / name).mkdir(parents=True)
        for file in ("color2.jpg", "deep.png"):
            (source / name / file).write_bytes((photos / file).read_bytes())
    expected = features(path, source, out=tmp_path / "a.npz", layer=layer)
    quick()
    found = features(path, source, out=tmp_path / "b.npz", layer=layer)
    assert {**found.to_json(), "out": ""} == {**expected.to_json(), "out": ""}
    with np.load(tmp_path / "a.npz") as one, np.load(tmp_path / "b.npz") as other:
        largest = max(1.0, float(np.abs(one["features"]).max()))
        np.testing.assert_allclose(
            other["features"], one["features"], rtol=0, atol=TOLERANCE * largest
        )
        for name in ("labels", "paths", "classes", "splits"):
            np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize(("store", "gray"), [("pixels", False), ("jpeg", False), ("pixels", True)])
def test_features_of_a_pack_are_those_of_torch(quick, photos, tmp_path, saved, store, gray):
    source, packed = tmp_path / "source", tmp_path / "packed"
    weights = load_weights(saved("a"))
    rule = replace(weights.preprocessing, gray=gray)
    path = tmp_path / "b.safetensors"
    save_weights(path, replace(weights, preprocessing=rule))
    for name in ("ant", "bee"):
        (source / name).mkdir(parents=True)
        for number, file in enumerate(["color2.jpg", "deep.png", "gray.jpg"] * 2):
            (source / name / f"{number}-{file}").write_bytes((photos / file).read_bytes())
    pack(source, packed, image_px=rule.image_px, resize_mode=rule.resize_mode, store=store)
    expected = features(path, packed, out=tmp_path / "a.npz", crops=5)
    quick()
    found = features(path, packed, out=tmp_path / "b.npz", crops=5)
    assert {**found.to_json(), "out": ""} == {**expected.to_json(), "out": ""}
    assert found.images == 12
    with np.load(tmp_path / "a.npz") as one, np.load(tmp_path / "b.npz") as other:
        largest = max(1.0, float(np.abs(one["features"]).max()))
        np.testing.assert_allclose(
            other["features"], one["features"], rtol=0, atol=TOLERANCE * largest
        )
        np.testing.assert_array_equal(one["paths"], other["paths"])


def test_a_pack_of_another_size_is_the_same_error_by_a_graph(quick, photos, tmp_path, saved):
    path, source = saved("a"), tmp_path / "source"
    (source / "ant").mkdir(parents=True)
    (source / "ant" / "1.jpg").write_bytes((photos / "color2.jpg").read_bytes())
    features(path, source, out=tmp_path / "a.npz")  # makes the graph
    (source / "bee").mkdir()
    (source / "bee" / "1.jpg").write_bytes((photos / "color3.jpg").read_bytes())
    pack(source, tmp_path / "packed", image_px=21)
    quick()
    with pytest.raises(SourceError, match="holds images of 21 pixels"):
        features(path, tmp_path / "packed", out=tmp_path / "b.npz")


def test_weights_are_loaded_once_for_features_and_their_graph(
    quick, photos, tmp_path, saved, monkeypatch
):
    path, source, loaded = saved("a"), tmp_path / "source", []
    (source / "ant").mkdir(parents=True)
    (source / "ant" / "1.jpg").write_bytes((photos / "color2.jpg").read_bytes())
    load = ensemble.load_weights
    for module in (ensemble, weights_room):
        monkeypatch.setattr(
            module, "load_weights", lambda *a, **k: loaded.append(1) or load(*a, **k)
        )
    features(path, source, out=tmp_path / "a.npz")
    assert loaded == [1]
    assert len(cached_graphs()) == 1


def test_the_answer_comes_before_the_graph(quick, alexnet, photos, saved, monkeypatch):
    monkeypatch.setattr(cached, "keep_graph", lambda *arguments: sys.stdout.write("the graph\n"))
    said = alexnet("predict", saved("a"), photos / "color2.jpg")
    assert said.out.endswith("1 image, center crop.\nthe graph\n")


def test_a_graph_of_another_runtime_is_made_again(quick, photos, saved):
    path, name = saved("a"), photos / "color2.jpg"
    expected = predict(path, name)
    (entry,) = graphs_folder().glob("*/*.json")
    entry.write_text(entry.read_text().replace('"runtime": "', '"runtime": "0.'))
    quick()
    with pytest.raises(AssertionError, match="torch is used"):
        predict(path, name)
    quick(False)
    predict(path, name)
    quick()
    assert_close(predict(path, name), expected)


def test_what_another_user_wrote_is_not_used(quick, photos, saved, monkeypatch):
    path, name = saved("a"), photos / "color2.jpg"
    predict(path, name)
    quick()
    monkeypatch.setattr(os, "getuid", lambda: 12345, raising=False)
    with pytest.raises(AssertionError, match="torch is used"):
        predict(path, name)


def test_a_cache_that_cannot_be_written_is_no_error(quick, photos, saved, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "file"))
    assert predict(saved("a"), photos / "color2.jpg").predictions[0].error is None


PROGRAM = """
import sys
from alexnet.cli.main import main
code = main(sys.argv[1:])
loaded = {"torch", "numba", "cyclopts", "onnx", "scipy", "pandas"}
loaded |= {"filelock", "numpy.ma", "PIL.PdfParser"}  # these take a fifth of it
print(code, *sorted(loaded & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("packed", [False, True])
def test_features_load_neither_torch_nor_what_takes_as_long_as_an_image(
    quick, photos, saved, tmp_path, packed
):
    path, source = saved("a"), tmp_path / "source"
    for name in ("ant", "bee"):
        (source / name).mkdir(parents=True)
        (source / name / "1.jpg").write_bytes((photos / "color2.jpg").read_bytes())
    if packed:
        rule = load_weights(path).preprocessing
        pack(source, tmp_path / "packed", image_px=rule.image_px, resize_mode=rule.resize_mode)
        source = tmp_path / "packed"
    features(path, source, out=tmp_path / "a.npz")
    words = ["features", path, source, "--out", tmp_path / "b.npz", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == "0\n"
    assert json.loads(done.stdout)["images"] == 2


def test_neither_torch_nor_numba_is_loaded(quick, photos, saved, tmp_path):
    path, name = saved("a"), photos / "color2.jpg"
    expected = predict(path, name)
    words = ["predict", path, name, photos / "gray.jpg", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == "0\n"
    row = json.loads(done.stdout)["predictions"][0]
    assert row["classes"] == expected.predictions[0].classes
    np.testing.assert_allclose(
        row["probabilities"], expected.predictions[0].probabilities, rtol=0, atol=TOLERANCE
    )
