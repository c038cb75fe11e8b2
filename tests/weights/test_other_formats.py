"""Model files of other programs are named as what they are."""

from __future__ import annotations

import tarfile
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from alexnet import describe
from alexnet.commands.import_ import import_
from alexnet.errors import WeightsError
from alexnet.weights import load_weights
from alexnet.weights.other_formats import what_it_is

CONTENTS = {
    "m.onnx": (b"\x08\x08\x12\x07pytorch", "an ONNX model"),
    "m.tflite": (b"\x1c\0\0\0TFL3" + bytes(20), "a model of TensorFlow Lite"),
    "m.gguf": (b"GGUF\3\0\0\0" + bytes(20), "a GGUF file"),
    "m.mlmodel": (b"\x08\x04\x12\x20", "a Core ML model"),
    "m.pb": (b"\x0a\x1c\x0a\x05input", "a graph of TensorFlow's"),
    "m.h5": (b"\x89HDF\r\n\x1a\n" + bytes(90) + b"keras_version", "an HDF5 file of Keras"),
    "m.param": (b"7767517\n3 3\n", "a network of ncnn's"),
    "m.params": (b"\x12\x01" + bytes(30), "parameters of MXNet's"),
    "m.mat": (b"MATLAB 5.0 MAT-file" + bytes(99), "a file of MATLAB's"),
    "m.trt": (b"ptrt" + bytes(20), "an engine of TensorRT"),
    "m.xml": (b'<?xml version="1.0"?>\n<net name="m">', "a network of OpenVINO's"),
    "m.json": (b'{"metadata": {}, "weight_map": {"a": "b"}}', "a list of weights files"),
    "m.pth": (b'{"error":"not found"}', "a server's error"),
    "page.pth": (b"<!DOCTYPE html><html>", "a page of a website"),
    "lfs.pth": (
        b"version https://git-lfs.github.com/spec/v1\n",
        r"a pointer of Git LFS.*\(git lfs pull\)",
    ),
    "m.pth.gz": (b"\x1f\x8b\x08" + bytes(20), "a gzip archive. Unpack it"),
    "photo.jpg": (b"\xff\xd8\xff\xe0" + bytes(20), "a JPEG image"),
}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("verb", ["load", "describe", "import"])
def test_each_is_named_by_every_verb_that_takes_a_model(name, verb, tmp_path):
    path = tmp_path / name
    path.write_bytes(CONTENTS[name][0])
    with pytest.raises(WeightsError, match=f"{name} is {CONTENTS[name][1]}"):
        if verb == "load":
            load_weights(path)
        elif verb == "describe":
            describe(str(path))
        else:
            import_(path, out=tmp_path / "w.safetensors")


def zipped(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return path


def test_a_zip_archive_is_what_it_holds(tmp_path):
    for names, what in (
        (("m/data.pkl", "m/constants.pkl", "m/code/a.py"), "a program of TorchScript"),
        (("m/archive_format", "m/data.pkl"), "a program of torch.export"),
        (("config.json", "model.weights.h5"), "a model of Keras"),
        (("a.npy", "b.npy"), "a file of NumPy arrays"),
        (("net.pth",), "a zip archive. Unpack it"),
    ):
        assert what in (what_it_is(zipped(tmp_path / "x", *names)) or "")
    torch.save({"a": torch.ones(1)}, tmp_path / "saved.pth")
    assert what_it_is(tmp_path / "saved.pth") is None
    (tmp_path / "cut").write_bytes((tmp_path / "saved.pth").read_bytes()[:300])
    assert what_it_is(tmp_path / "cut") is None


def test_a_tar_archive_is_unpacked_or_older_than_this_torch_reads(tmp_path):
    (tmp_path / "sys_info").write_text("")
    (tmp_path / "net.pth").write_text("")
    for name, what in (("sys_info", "torch before 0.2"), ("net.pth", "a tar archive. Unpack")):
        with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.GNU_FORMAT) as archive:
            archive.add(tmp_path / name, name)
        said = what_it_is(tmp_path / "x.tar") or ""
        assert what in said
        assert "weights_only" not in said


def test_folders_of_other_programs_are_named(tmp_path):
    for name, what in (
        ("archive/data.pkl", "an unpacked file of torch.save"),
        (".metadata", "a distributed checkpoint"),
        ("saved_model.pb", "a saved model of TensorFlow's"),
    ):
        folder = tmp_path / name.replace("/", "-").strip(".")
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("")
        with pytest.raises(WeightsError, match=f"is {what}"):
            load_weights(folder)


@pytest.mark.parametrize("length", [274, 0x5441, 1000])
def test_safetensors_are_never_taken_for_another_format(length, tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "a", {"x": "y"})
    data = (tmp_path / "a").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + size].ljust(length)
    (tmp_path / "a").write_bytes(length.to_bytes(8, "little") + header + data[8 + size :])
    assert what_it_is(tmp_path / "a") is None


def test_what_an_importer_reads_is_named_for_the_others_alone(tmp_path):
    np.save(tmp_path / "mean.npy", np.ones(3))
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(90))
    for name, what in (("mean.npy", "an array of NumPy's"), ("net.h5", "an HDF5 file")):
        assert what_it_is(tmp_path / name, importing=True) is None
        assert what in (what_it_is(tmp_path / name) or "")
