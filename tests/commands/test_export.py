"""`alexnet export`: files that other programs run, held against the weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alexnet import export, load_weights
from alexnet.errors import RecipeError, SourceError, WeightsError
from alexnet.weights import save_weights


def test_half_a_weights_file_is_one_for_every_verb(alexnet, trained, tmp_path):
    out, photos = tmp_path / "half.safetensors", trained.images
    words = ("--to", "safetensors", "--precision", "fp16", "--out", out, "--check", photos)
    said = alexnet("export", trained.run, *words)
    assert said.code == 0, said.err
    assert "half.safetensors: mlp for 2 classes as safetensors, fp16" in said.out
    assert "Verified with alexnet itself on 4 images" in said.out  # those it held out
    assert "Top-1 accuracy: " in said.out
    whole = trained.run / "weights.safetensors"
    assert out.stat().st_size < 0.52 * whole.stat().st_size

    results = json.loads(alexnet("evaluate", out, photos, "--json").out)
    assert results["images"] == 16
    assert alexnet("predict", out, photos / "ant/0.png").code == 0
    assert alexnet("describe", out).code == 0
    features = ("--out", tmp_path / "f.npz")
    assert alexnet("features", out, photos, *features).code == 0
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
    assert alexnet("finetune", out, photos, "--run-dir", tmp_path / "run", *more).code == 0


def test_a_whole_weights_file_is_the_same_file(trained, tmp_path):
    report = export(trained.run, to="safetensors", out=tmp_path / "w.safetensors")
    assert (report.max_difference, report.synthetic_images, report.top1_before) == (0, True, None)
    assert report.same_class == report.images == 12
    assert report.bytes == (tmp_path / "w.safetensors").stat().st_size
    assert load_weights(tmp_path / "w.safetensors").digest == load_weights(trained.run).digest


def test_images_without_classes_and_with_others_will_do(alexnet, trained, tmp_path):
    words = ("--to", "safetensors", "--out", tmp_path / "w", "--json", "--check")
    found = json.loads(alexnet("export", trained.run, *words, trained.images / "ant").out)
    assert (found["images"], found["top1_before"]) == (8, None)
    others = tmp_path / "others"
    for name in ("ant", "wasp"):
        (others / name).mkdir(parents=True)
        image = (trained.images / "ant/0.png").read_bytes()
        (others / name / "0.png").write_bytes(image)
    said = alexnet("export", trained.run, *words, others)
    assert 'do not know the class "wasp"' in said.err
    assert json.loads(said.out)["images"] == 2
    said = alexnet("export", trained.run, *words, trained.images, "--images", 3)
    assert json.loads(said.out)["images"] == 3


def test_what_cannot_be_checked_is_told(trained, tmp_path):
    def asked(**more: object) -> None:
        export(trained.run, to="safetensors", out=tmp_path / "w", **more)

    with pytest.raises(RecipeError, match="at least 1; got 0"):
        asked(images=0)
    with pytest.raises(RecipeError, match="--split chooses among the images of --check"):
        asked(split="val")
    with pytest.raises(SourceError, match="none"):
        asked(check=tmp_path / "none")
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(SourceError, match="not one of its 1 image can be read"):
        asked(check=torn)
    with pytest.raises(SourceError, match='no images in the split "test"'):
        asked(check=trained.images, split="test")
    assert not (tmp_path / "w").exists()


def test_a_file_beyond_the_bound_is_not_kept(trained, tmp_path, monkeypatch):
    from alexnet.exporters import export as exporting

    monkeypatch.setattr(exporting, "TOLERANCES", {"fp32": -1.0})
    out: Path = tmp_path / "w.safetensors"
    out.write_bytes(b"as it was")
    with pytest.raises(
        WeightsError, match="0 is the largest difference of two numbers, and -1 is the tolerance"
    ):
        export(trained.run, to="safetensors", out=out)
    assert out.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [out]


def test_an_onnx_file_answers_as_the_verb_predict(alexnet, trained, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    out, photos = tmp_path / "net.onnx", trained.images
    words = ("--to", "onnx", "--out", out, "--check", photos, "--split", "all", "--json")
    found = json.loads(alexnet("export", trained.run, *words).out)
    assert found["max_difference"] < 1e-5
    assert (found["images"], found["same_class"]) == (16, 16)
    assert found["top1_before"] == found["top1_after"]
    assert found["input"] == "images, uint8 (N, 16, 16, 3), RGB"
    assert found["runtime"].startswith("ONNX Runtime ")

    session = onnxruntime.InferenceSession(out)
    classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
    rule = load_weights(trained.run).preprocessing
    name = photos / "bee/0.png"
    images = rule.read(name.read_bytes(), "bee")[None]
    (answers,) = session.run(None, {"image": images})
    said = json.loads(alexnet("predict", trained.run, name, "--json").out)["predictions"][0]
    order = [said["classes"].index(each) for each in classes]
    assert answers[0] == pytest.approx([said["probabilities"][i] for i in order], abs=1e-6)


def test_a_form_without_a_graph_takes_no_wishes_for_one(trained, tmp_path):
    with pytest.raises(
        WeightsError, match="Leave --input-type, --output-type and --plain-operators out"
    ):
        export(trained.run, to="safetensors", out=tmp_path / "w", output_type="logits")


@pytest.mark.parametrize(
    ("to", "precision", "name", "package"),
    [
        ("torchscript", "fp16", "net.pt", "torch"),
        ("openvino", "fp16", "net.xml", "openvino"),
        ("openvino", "int8", "net.xml", "openvino"),
        ("onnx", "int8", "net.onnx", "onnxruntime"),
    ],
)
def test_every_form_is_checked_by_its_own_program(trained, tmp_path, to, precision, name, package):
    pytest.importorskip(package)
    photos = trained.images
    found = export(
        trained.run,
        to=to,
        out=tmp_path / name,
        precision=precision,
        calibrate=photos if precision == "int8" else None,
        check=photos,
        split="all",
        input_type="crop",
        output_type="logits",
    )
    assert (found.images, found.synthetic_images) == (16, False)
    assert found.probability_shift < 0.05
    assert found.top1_before is not None
    assert found.quantized_share == (1.0 if precision == "int8" else None)
    files = {each.name for each in tmp_path.iterdir()}
    assert files == ({name, "net.bin"} if to == "openvino" else {name})
    assert found.bytes == sum(each.stat().st_size for each in tmp_path.iterdir())


@pytest.mark.parametrize(("to", "name"), [("onnx", "net.onnx"), ("openvino", "net.xml")])
def test_int8_says_how_much_of_it_is(alexnet, trained, tmp_path, to, name):
    pytest.importorskip({"onnx": "onnxruntime"}.get(to, to))
    words = ("--to", to, "--precision", "int8", "--calibrate", trained.images)
    said = alexnet("export", trained.run, *words, "--out", tmp_path / name)
    assert "Quantized: 100.0% of the multiply-adds." in said.out
    said = alexnet("export", trained.run, *words, "--out", tmp_path / name, "--json")
    assert json.loads(said.out)["quantized_share"] == 1.0
    plain = alexnet("export", trained.run, "--to", to, "--out", tmp_path / name)
    assert (plain.code, "Quantized" in plain.out) == (0, False)


def test_int8_in_name_alone_is_an_error(trained, tmp_path, monkeypatch):
    from dataclasses import replace

    from alexnet.exporters import export as exporting

    pytest.importorskip("onnxruntime")
    exporters = dict(exporting.EXPORTERS)
    exporters["onnx"] = replace(exporters["onnx"], quantized_share=lambda path: 0.0)
    monkeypatch.setattr(exporting, "EXPORTERS", exporters)
    wish = {"to": "onnx", "precision": "int8", "calibrate": trained.images}
    with pytest.raises(WeightsError, match="int8 in name alone. Nothing was written"):
        export(trained.run, out=tmp_path / "net.onnx", **wish)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("to", ["onnx", "openvino", "torchscript", "safetensors"])
def test_weights_that_are_no_numbers_do_not_go_out(trained, tmp_path, to, number):
    weights = load_weights(trained.run)
    name = next(name for name in weights.state if name.endswith("bias"))
    weights.state[name].flatten()[0] = float(number)
    save_weights(tmp_path / "diverged.safetensors", weights)
    layer = name.removesuffix(".bias")
    words = (
        rf'The layer "{layer}" cannot be exported: 1 number of its bias \({name}\) is not finite'
    )
    with pytest.raises(WeightsError, match=words):
        export(tmp_path / "diverged.safetensors", to=to, out=tmp_path / "net.xml")
    assert [path.name for path in tmp_path.iterdir()] == ["diverged.safetensors"]


def test_test_vectors_are_of_the_images_that_were_checked(alexnet, trained, tmp_path):
    from alexnet import pack

    words = ("--to", "safetensors", "--out", tmp_path / "w", "--test-vectors", tmp_path / "v")
    said = alexnet("export", trained.run, *words, "--check", trained.images)
    assert f"Test vectors, and how to use them: {tmp_path / 'v'}/README.md" in said.out
    rows = json.loads((tmp_path / "v/vectors.json").read_text())["images"]
    assert sorted(each["original"] for each in rows) == sorted(trained.held_out)
    packed = pack(trained.images, tmp_path / "pack", image_px=16)
    said = alexnet("export", trained.run, *words, "--check", packed.folder, "--images", 3)
    assert said.code == 0, said.err
    rows = json.loads((tmp_path / "v/vectors.json").read_text())["images"]
    assert len(rows) == 3


def test_int8_and_its_images_belong_together(trained, tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(WeightsError, match="with --calibrate SOURCE"):
        export(trained.run, to="onnx", out=tmp_path / "x.onnx", precision="int8")
    with pytest.raises(RecipeError, match="--calibrate is for --precision int8"):
        export(trained.run, to="onnx", out=tmp_path / "x.onnx", calibrate=trained.images)
    with pytest.raises(WeightsError, match="keeps fp32 or fp16"):
        export(trained.run, to="safetensors", out=tmp_path / "x", precision="int8")
    assert not list(tmp_path.iterdir())
