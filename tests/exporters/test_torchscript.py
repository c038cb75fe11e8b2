"""TorchScript: files that torch runs where this package is not."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

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
        facts = {"alexnet.json": ""}
        net = torch.jit.load(name + ".pt", _extra_files=facts)
        about = json.loads(facts["alexnet.json"])
        assert json.loads(about["classes"])[0] == "class 0"
        pictures = torch.from_numpy(np.load(name + ".npy"))
        for batch in (pictures, pictures[:1]):
            with torch.no_grad():
                answers = net(batch)
        whole = net(pictures)
        assert torch.equal(whole[:1], answers) or (whole[:1] - answers).abs().max() < 1e-3
        np.save(name + "-answers.npy", whole.detach().numpy())
"""


def test_they_run_in_a_process_that_has_torch_alone(tmp_path, weigh):
    from alexnet.exporters.compare import made_pictures, reference

    wanted = {}
    for model, takes, precision in (
        ("cifar_11pct", "picture", "fp32"),
        ("cifar_18pct", "crop", "fp16"),
        ("alexnet_small", "picture", "fp16"),
    ):
        weights = weigh(build_model(model, classes=3, initialisation="he"))
        request = ExportRequest(precision=precision, takes=takes, gives="logits")
        write_torchscript(weights, request, tmp_path / f"{model}.pt")
        rule = weights.preprocessing
        pictures = made_pictures(rule.image_px, 3)
        wanted[model] = reference(weights, request)(pictures)
        start = (rule.image_px - rule.crop_px) // 2
        rows = slice(start, start + rule.crop_px) if takes == "crop" else slice(None)
        np.save(tmp_path / f"{model}.npy", np.ascontiguousarray(pictures[:, rows, rows]))
    (tmp_path / "elsewhere.py").write_text(textwrap.dedent(ELSEWHERE))
    command = [sys.executable, "elsewhere.py", *wanted]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert said.returncode == 0, said.stderr
    for model, answers in wanted.items():
        found = np.load(tmp_path / f"{model}-answers.npy")
        bound = 1e-5 if model == "cifar_11pct" else 0.02
        assert np.abs(found - answers).max() <= bound * max(1, np.abs(answers).max())


@pytest.mark.parametrize("takes", ["picture", "crop", "numbers"])
@pytest.mark.parametrize("gives", ["probabilities", "logits"])
def test_what_it_takes_and_gives_is_by_choice(held, weigh, takes, gives):
    weights = weigh(build_model("cifar_18pct", classes=3, crop_px=28, initialisation="he"))
    found = held(write_torchscript, open_torchscript, weights, takes=takes, gives=gives)
    assert (found.pictures, found.difference < 1e-5) == (4, True)


def test_towers_graphs_and_both_kinds_of_norm_go_out(held, weigh, sixth_layer):
    found = held(write_torchscript, open_torchscript, weigh(sixth_layer), gives="logits")
    assert found.difference < 1e-5
    nodes = [
        {"name": "a", "op": "pool", "inputs": ["input"], "kind": "mean", "kernel": [3, 3]}
        | {"stride": [2, 2], "padding": [1, 1], "ceiling": True},
        {"name": "b", "op": "reshape", "inputs": ["a"], "shape": [9, 3, 9]},
        {"name": "c", "op": "flatten", "inputs": ["b"], "axis": 1, "end": 3},
        {"name": "fc", "op": "linear", "inputs": ["c"], "outputs": 3, "bias": True},
    ]
    graph = {"version": 1, "name": "small", "classes": 3, "nodes": nodes}
    network = build_model("graph", classes=3, crop_px=17, graph=graph)
    found = held(write_torchscript, open_torchscript, weigh(network), gives="logits")
    assert (found.pictures, found.difference < 1e-5) == (4, True)


def test_every_head_on_a_layer_goes_out(held, weigh, headed):
    for precision, bound in (("fp32", 1e-5), ("fp16", 0.05)):
        wishes = {"precision": precision}
        found = held(write_torchscript, open_torchscript, weigh(headed), **wishes)
        assert (found.pictures, found.difference <= bound) == (4, True)


def test_any_module_goes_out(held, weigh, tmp_path, monkeypatch):
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
        found = held(write_torchscript, open_torchscript, weigh(network), gives="logits")
    sys.modules.pop("theirs_to_trace")
    assert (found.pictures, found.difference < 1e-5) == (4, True)


def test_the_file_says_what_a_reader_needs(tmp_path, weigh):
    weights = weigh(build_model("mlp", classes=3))
    write_torchscript(weights, ExportRequest(), tmp_path / "mlp.pt")
    facts = {"alexnet.json": ""}
    with pytest.warns(DeprecationWarning):
        torch.jit.load(tmp_path / "mlp.pt", _extra_files=facts)
    about = json.loads(facts["alexnet.json"])
    assert json.loads(about["class_words"]) == {"class 0": "größer"}
    assert about["digest"] == weights.digest


def test_what_torchscript_has_not_is_told(tmp_path, weigh):
    weights = weigh(build_model("mlp", classes=3))
    with pytest.raises(WeightsError, match="no int8 for TorchScript any more"):
        write_torchscript(weights, ExportRequest(precision="int8"), tmp_path / "x")
    with pytest.raises(WeightsError, match="Leave --plain-operators out"):
        write_torchscript(weights, ExportRequest(plain_operators=True), tmp_path / "x")
