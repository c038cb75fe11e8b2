"""`alexnet import`: from files of another program to weights that every verb takes."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from alexnet import describe, import_, load_weights
from alexnet.errors import WeightsError
from alexnet.importers.request import class_names

PROTOTXT = """
name: "two ways" input: "data" input_dim: [1, 3, 12, 12]
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 stride: 2 } }
layer { name: "one" type: "ReLU" bottom: "conv1" top: "one" }
layer { name: "other" type: "TanH" bottom: "conv1" top: "other" }
layer { name: "both" type: "Concat" bottom: "one" bottom: "other" top: "both" }
layer { name: "fc" type: "InnerProduct" bottom: "both" top: "fc"
  inner_product_param { num_output: 2 } }
"""


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def message(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


@pytest.fixture
def model(tmp_path):
    """A network of Caffe's in V1's form, in two files."""
    rng = np.random.default_rng(0)
    found = b""
    for name, shapes in {b"conv1": [(4, 3, 3, 3), (4,)], b"fc": [(2, 200), (2,)]}.items():
        blobs = b""
        for shape in shapes:
            numbers = rng.normal(0, 0.05, shape).astype("<f4").tobytes()
            dims = message(1, b"".join(map(varint, shape)))
            blobs += message(6, message(5, numbers) + message(7, dims))
        found += message(2, message(4, name) + blobs)
    (tmp_path / "net.prototxt").write_text(PROTOTXT)
    (tmp_path / "net.caffemodel").write_bytes(found)
    return tmp_path / "net.prototxt", tmp_path / "net.caffemodel"


def test_what_was_imported_works_with_every_verb(alexnet, model, trained, tmp_path):
    out, photos = tmp_path / "w.safetensors", trained.images
    said = alexnet("import", *model, "--out", out, "--classes", photos, "--mean", "100,110,120")
    assert said.code == 0, said.err
    assert "two ways (caffe) as graph: 514 parameters, 2 classes" in said.out
    assert "needs --order rgb" in said.out
    weights = load_weights(out)
    assert (weights.classes, weights.model) == (("ant", "bee"), "graph")
    assert weights.preprocessing.mean.tolist() == [120, 110, 100]

    results = json.loads(alexnet("evaluate", out, photos, "--json").out)
    assert results["images"] == 16
    answers = json.loads(alexnet("predict", out, photos / "ant/0.png", "--json").out)
    assert sum(answers["predictions"][0]["probabilities"]) == pytest.approx(1)
    features = tmp_path / "f.npz"
    assert alexnet("features", out, photos, "--layer", "both", "--out", features).code == 0
    assert np.load(features)["features"].shape == (16, 200)
    described = json.loads(alexnet("describe", out, "--json").out)
    assert [each["name"] for each in described["layers"]][:4] == ["conv1", "one", "other", "both"]
    assert "two ways" in alexnet("describe", out).out

    more = (
        "--epochs",
        1,
        "--batch-size",
        4,
        "--cache",
        "none",
        "--precision",
        "fp32",
        "--threads",
        1,
    )
    said = alexnet("finetune", out, photos, "--run-dir", tmp_path / "run", *more, "--json")
    assert said.code == 0, said.err
    tuned = load_weights(tmp_path / "run")
    assert (tuned.model, tuned.preprocessing.resize_mode) == ("graph", "squash")
    assert tuned.arguments == weights.arguments
    measured = json.loads(alexnet("evaluate", tmp_path / "run", photos, "--json").out)
    assert measured["top1"] == json.loads(said.out)["results"]["top1"]


def test_its_record_says_what_was_done(model, tmp_path):
    found = import_(
        *model, out=tmp_path / "w.safetensors", order="rgb", scale=0.5, resize_mode="pad"
    )
    assert (found.format, found.name, found.model) == ("caffe", "two ways", "graph")
    assert (found.channel_order, found.scale, found.resize_mode, found.mean) == (
        "RGB",
        0.5,
        "pad",
        None,
    )
    assert (found.classes, found.image_px, found.crop_px) == (["0", "1"], 12, 12)
    assert any("--classes" in each for each in found.remarks)
    first = (tmp_path / "w.safetensors").read_bytes()
    import_(*model, out=tmp_path / "w.safetensors", order="rgb", scale=0.5, resize_mode="pad")
    assert (tmp_path / "w.safetensors").read_bytes() == first


def test_a_header_that_was_changed_is_told(model, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    out = tmp_path / "w.safetensors"
    import_(*model, out=out)
    with safe_open(out, "pt") as opened:
        header = json.loads(opened.metadata()["alexnet"])
    header["arguments"]["graph"]["nodes"][0]["outputs"] = 2**24
    save_file(load_file(out), out, {"alexnet": json.dumps(header)})
    with pytest.raises(WeightsError, match="ask for a network that cannot be built here"):
        load_weights(out).network()


def test_what_nobody_can_import_is_told(alexnet, tmp_path):
    (tmp_path / "x.weights").write_text("")
    said = alexnet("import", tmp_path / "x.weights", "--out", tmp_path / "w.safetensors")
    assert said.code == 2
    assert "no file of a known format. Known: Caffe: .prototxt, .caffemodel" in said.err
    said = alexnet("import", tmp_path / "none", "--out", tmp_path / "w.safetensors")
    assert "There is no file" in said.err
    assert "Nothing cannot be" in alexnet("import", "--out", tmp_path / "w").err


def test_names_come_from_lists_and_from_images(tmp_path, trained):
    path = tmp_path / "names.txt"
    path.write_text("n01440764 tench, Tinca tinca\nn01443537 goldfish\n\n")
    names, words = class_names(path, 2)
    assert names == ("n01440764", "n01443537")
    assert words["n01440764"] == "tench, Tinca tinca"
    path.write_text("a cat\nb\tthe second\n")
    assert class_names(path, 2) == (("a cat", "b"), {"b": "the second"})
    assert class_names(trained.images, 2) == (("ant", "bee"), {})
    assert class_names(None, 3) == (("0", "1", "2"), {})
    with pytest.raises(WeightsError, match="names 2 classes, and the network has 3 outputs"):
        class_names(path, 3)
    path.write_text("a\na\n")
    with pytest.raises(WeightsError, match='names the class "a" twice'):
        class_names(path, 2)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WeightsError, match="is no text"):
        class_names(path, 2)
    with pytest.raises(WeightsError, match=r"Could not read .*none\.txt"):
        class_names(tmp_path / "none.txt", 2)


def test_a_list_of_classes_among_the_files_is_taken(alexnet, model, tmp_path):
    (tmp_path / "labels.txt").write_text("ant\nbee\n")
    said = alexnet("import", *model, tmp_path / "labels.txt", "--out", tmp_path / "w.safetensors")
    assert said.code == 0, said.err
    assert "labels.txt is taken as the list of the classes, as by --classes." in said.err
    assert load_weights(tmp_path / "w.safetensors").classes == ("ant", "bee")
    with pytest.raises(WeightsError, match="has one list of its classes, and .*Name one, as --cl"):
        import_(
            *model,
            tmp_path / "labels.txt",
            classes=tmp_path / "labels.txt",
            out=tmp_path / "w.safetensors",
        )


@pytest.mark.parametrize(
    ("description", "trained"),
    [
        ("deploy.prototxt.txt", "net.caffemodel"),
        ("DEPLOY.PROTOTXT", "NET.CAFFEMODEL"),
        ("deploy.pbtxt", "weights.bin"),
        ("deploy", "weights"),
    ],
)
def test_files_are_known_by_what_is_in_them(description, trained, model, tmp_path):
    one, other = (
        path.rename(tmp_path / name)
        for path, name in zip(model, (description, trained), strict=True)
    )
    report = import_(other, one, out=tmp_path / "w.safetensors")
    assert (report.name, report.parameters) == ("two ways", 514)


def test_arrays_in_hdf5_and_a_solver_are_taken(model, tmp_path):
    h5py = pytest.importorskip("h5py")
    from alexnet.importers.caffe.caffemodel import read_caffemodel

    with h5py.File(tmp_path / "net.caffemodel.h5", "w") as file:
        for name, blobs in read_caffemodel(model[1]).items():
            for place, blob in enumerate(blobs):
                file[f"data/{name}/{place}"] = blob.numbers.reshape(blob.shape)
    (tmp_path / "solver.prototxt").write_text('net: "net.prototxt" base_lr: 1')
    trained = tmp_path / "net.caffemodel.h5"
    report = import_(tmp_path / "solver.prototxt", trained, out=tmp_path / "h.safetensors")
    import_(*model, out=tmp_path / "w.safetensors")
    one, other = (load_weights(tmp_path / f"{each}.safetensors") for each in "hw")
    assert all(bool((one.state[name] == other.state[name]).all()) for name in other.state)
    assert "The network is the one of the solver" in report.remarks[0]
    both = import_(tmp_path / "solver.prototxt", *model, out=tmp_path / "b.safetensors")
    assert both.remarks == import_(*model, out=tmp_path / "w.safetensors").remarks


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_told_and_never_waited_for(model, tmp_path):
    os.mkfifo(tmp_path / "pipe.pth")
    pipe, out = tmp_path / "pipe.pth", tmp_path / "w.safetensors"
    for call in (
        lambda: import_(pipe, out=out),
        lambda: import_(*model, out=out, classes=pipe),
        lambda: import_(*model, out=out, mean=str(pipe)),
        lambda: describe(str(pipe)),
        lambda: load_weights(pipe),
    ):
        with pytest.raises(WeightsError, match="pipe.pth is a pipe or a device. Copy it into a"):
            call()
