"""TorchScript: files that torch runs where this package is not."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
import torch

import alexnet
from alexnet.errors import WeightsError
from alexnet.exporters import ExportRequest, open_torchscript, write_torchscript
from alexnet.models import build_model

ELSEWHERE = """
    import json, sys, warnings

    sys.modules["alexnet"] = None  # an attempt to import it fails
    import numpy as np, torch

    warnings.simplefilter("ignore")
    for name in sys.argv[1:]:
        extra = {"alexnet.json": ""}
        net = torch.jit.load(name + ".pt", _extra_files=extra)
        about = json.loads(extra["alexnet.json"])
        assert json.loads(about["classes"])[0] == "class 0"
        images = torch.from_numpy(np.load(name + ".npy"))
        for batch in (images, images[:1]):
            with torch.no_grad():
                outputs = net(batch)
        whole = net(images)
        assert torch.equal(whole[:1], outputs) or (whole[:1] - outputs).abs().max() < 1e-3
        np.save(name + "-outputs.npy", whole.detach().numpy())
"""


def test_they_run_in_a_process_that_has_torch_alone(tmp_path, weigh):
    from alexnet.exporters.compare import reference_predictor, synthetic_images

    wanted = {}
    for model, input_type, precision in (
        ("cifar_11pct", "image", "fp32"),
        ("cifar_18pct", "crop", "fp16"),
        ("alexnet_small", "image", "fp16"),
    ):
        weights = weigh(build_model(model, classes=3, initialization="he"))
        request = ExportRequest(precision=precision, input_type=input_type, output_type="logits")
        write_torchscript(weights, request, tmp_path / f"{model}.pt")
        rule = weights.preprocessing
        images = synthetic_images(rule.image_px, 3)
        wanted[model] = reference_predictor(weights, request)(images)
        start = (rule.image_px - rule.crop_px) // 2
        rows = slice(start, start + rule.crop_px) if input_type == "crop" else slice(None)
        np.save(tmp_path / f"{model}.npy", np.ascontiguousarray(images[:, rows, rows]))
    (tmp_path / "elsewhere.py").write_text(textwrap.dedent(ELSEWHERE))
    command = [sys.executable, "elsewhere.py", *wanted]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert said.returncode == 0, said.stderr
    for model, outputs in wanted.items():
        found = np.load(tmp_path / f"{model}-outputs.npy")
        bound = 1e-5 if model == "cifar_11pct" else 0.02
        assert np.abs(found - outputs).max() <= bound * max(1, np.abs(outputs).max())


@pytest.mark.parametrize("input_type", ["image", "crop", "tensor"])
@pytest.mark.parametrize("output_type", ["probabilities", "logits"])
def test_input_and_output_are_by_choice(write_and_compare, weigh, input_type, output_type):
    weights = weigh(build_model("cifar_18pct", classes=3, crop_px=28, initialization="he"))
    found = write_and_compare(
        write_torchscript, open_torchscript, weights, input_type=input_type, output_type=output_type
    )
    assert (found.images, found.difference < 1e-5) == (4, True)


def test_towers_graphs_and_both_kinds_of_norm_go_out(write_and_compare, weigh, sixth_layer):
    found = write_and_compare(
        write_torchscript, open_torchscript, weigh(sixth_layer), output_type="logits"
    )
    assert found.difference < 1e-5
    nodes = [
        {"name": "a", "op": "pool", "inputs": ["input"], "kind": "avg", "kernel": [3, 3]}
        | {"stride": [2, 2], "padding": [1, 1], "ceiling": True},
        {"name": "b", "op": "reshape", "inputs": ["a"], "shape": [9, 3, 9]},
        {"name": "c", "op": "flatten", "inputs": ["b"], "axis": 1, "end": 3},
        {"name": "fc", "op": "linear", "inputs": ["c"], "outputs": 3, "bias": True},
    ]
    graph = {"version": 1, "name": "small", "classes": 3, "nodes": nodes}
    network = build_model("graph", classes=3, crop_px=17, graph=graph)
    found = write_and_compare(
        write_torchscript, open_torchscript, weigh(network), output_type="logits"
    )
    assert (found.images, found.difference < 1e-5) == (4, True)


def test_every_head_on_a_layer_goes_out(write_and_compare, weigh, headed):
    for precision, bound in (("fp32", 1e-5), ("fp16", 0.05)):
        options = {"precision": precision}
        found = write_and_compare(write_torchscript, open_torchscript, weigh(headed), **options)
        assert (found.images, found.difference <= bound) == (4, True)


def test_a_head_on_pooled_layers_goes_out(write_and_compare, weigh, pooled_head):
    for precision, bound in (("fp32", 1e-5), ("fp16", 0.05)):
        options = {"precision": precision}
        weights = weigh(pooled_head)
        found = write_and_compare(write_torchscript, open_torchscript, weights, **options)
        assert (found.images, found.difference <= bound) == (4, True)


@pytest.mark.parametrize("crop_px", [48, 57, 224])
def test_the_adaptive_network_goes_out_at_every_size(write_and_compare, weigh, crop_px):
    sides = {"image_px": crop_px, "crop_px": crop_px, "initialization": "he"}
    weights = weigh(build_model("alexnet_adaptive", classes=3, **sides))
    found = write_and_compare(write_torchscript, open_torchscript, weights, output_type="logits")
    assert (found.images, found.difference < 1e-5) == (4, True)


def test_any_module_goes_out(write_and_compare, weigh, tmp_path, monkeypatch):
    (tmp_path / "theirs_to_trace.py").write_text(
        textwrap.dedent("""
        import torch
        from torch import nn
        from alexnet.nn import ResponseNorm

        class Odd(nn.Module):
            def __init__(self, classes):
                super().__init__()
                self.conv, self.norm = nn.Conv2d(3, 6, 3), ResponseNorm(4)
                self.fc = nn.Linear(6, classes)

            def forward(self, x):
                y = torch.cumsum(self.norm(self.conv(x)), 1)  # ONNX has no rule for that
                return self.fc(y.mean((2, 3)))

        def odd(classes):
            return Odd(classes)
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    with alexnet.trusting("theirs_to_trace:odd"):
        network = build_model("theirs_to_trace:odd", classes=3, image_px=12, crop_px=12)
        found = write_and_compare(
            write_torchscript, open_torchscript, weigh(network), output_type="logits"
        )
    sys.modules.pop("theirs_to_trace")
    assert (found.images, found.difference < 1e-5) == (4, True)


def test_the_file_says_what_a_reader_needs(tmp_path, weigh):
    weights = weigh(build_model("mlp", classes=3))
    write_torchscript(weights, ExportRequest(), tmp_path / "mlp.pt")
    extra = {"alexnet.json": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # which warning, if any, depends on the version of torch
        torch.jit.load(tmp_path / "mlp.pt", _extra_files=extra)
    about = json.loads(extra["alexnet.json"])
    assert json.loads(about["class_words"]) == {"class 0": "größer"}
    assert about["digest"] == weights.digest


def test_what_torchscript_lacks_is_an_error(tmp_path, weigh):
    weights = weigh(build_model("mlp", classes=3))
    with pytest.raises(WeightsError, match="no longer has int8 for TorchScript"):
        write_torchscript(weights, ExportRequest(precision="int8"), tmp_path / "x")
    with pytest.raises(WeightsError, match="Leave --plain-operators out"):
        write_torchscript(weights, ExportRequest(plain_operators=True), tmp_path / "x")
