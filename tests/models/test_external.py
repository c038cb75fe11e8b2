"""Any torch module as a network: names, stages, trust, and what cannot be one."""

from __future__ import annotations

import sys
import types

import pytest
import torch
from torch import nn

from alexnet.errors import RecipeError
from alexnet.models import build_model, is_external, needs_trust, summarize_network
from alexnet.trust import trusting


class Small(nn.Module):
    """A branch, an activation in place that runs twice, a parameter and a buffer of its own."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1))
        self.register_buffer("seen", torch.zeros(1))
        self.model = nn.Identity()  # a name that networks use themselves
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.act = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.top = nn.Linear(4, classes)

    def forward(self, x):
        y = self.act(self.body(self.model(x)))
        y = self.act(y + self.shift - 0.1)
        return self.top(self.drop(y.mean((2, 3))))


def only_num_classes(num_classes):
    return Small(num_classes)


def anything(**settings):
    return Small(settings["num_classes"])


def fixed():
    return Small(3)


def tuples(classes):
    class Two(Small):
        def forward(self, x):
            return super().forward(x), x

    return Two(classes)


def broken(classes):
    raise ValueError("no such thing")


def wrong_size(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(5, classes))


def no_parameters(classes):
    return nn.Sequential(nn.Flatten())


def no_module(classes):
    return "text"


@pytest.fixture(autouse=True)
def nets(monkeypatch):
    """Make this file importable under a name, as a user's package is."""
    module = types.ModuleType("mynets")
    for name, value in globals().items():
        if callable(value):
            setattr(module, name, value)
    module.constant = 3
    monkeypatch.setitem(sys.modules, "mynets", module)


def build(name: str, **arguments):
    reference = f"mynets:{name}"
    with trusting(reference):
        return build_model(reference, **{"classes": 3, "image_px": 12, "crop_px": 8, **arguments})


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a:b", True),
        ("my.nets:Outer.inner", True),
        ("timm:resnet18.a1_in1k", True),
        ("alexnet", False),
        ("layers.cfg", False),
        ("a:b:c", False),
        ("../a:b", False),
        ("a.b:", False),
        ("timm:hf-hub:someone/thing", False),
    ],
)
def test_is_external(name, is_one):
    assert is_external(name) == is_one


@pytest.mark.parametrize("name", ["Small", "only_num_classes", "anything", "fixed"])
def test_function_is_called_with_classes_or_num_classes(name):
    network = build(name)
    assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 3)
    assert network.arguments["classes"] == 3
    assert (network.image_px, network.crop_px) == (12, 8)


def test_names_are_the_modules_own():
    network = build("Small")
    assert [name for name, _ in network.named_parameters()] == [
        *("shift", "body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias"),
        *("top.weight", "top.bias"),
    ]
    assert set(network.state_dict()) == set(Small(3).state_dict())
    assert network.head == "top"
    assert network.features_layer == "act"


def test_logits_equal_the_module_in_train_and_eval_mode():
    network, alone = build("Small"), Small(3)
    alone.load_state_dict(network.state_dict())
    x = torch.randn(4, 3, 8, 8)
    for mode in (True, False):
        network.train(mode)
        alone.train(mode)
        torch.manual_seed(0)
        found = network(x)
        torch.manual_seed(0)
        assert torch.equal(found, alone(x))
    assert torch.equal(network.get_buffer("body.1.running_mean"), alone.body[1].running_mean)


def test_what_is_loaded_or_moved_reaches_the_module():
    network = build("Small", seed=1)
    state = {name: torch.zeros_like(each) for name, each in network.state_dict().items()}
    network.load_state_dict(state)
    assert not network(torch.ones(2, 3, 8, 8)).any()
    network.double()
    assert network.get_parameter("top.weight").dtype == torch.float64
    network.zero_grad(set_to_none=True)
    network(torch.ones(2, 3, 8, 8).double()).sum().backward()
    assert network.get_parameter("shift").grad is not None


def test_initial_weights_follow_the_seed_and_leave_the_generator_alone():
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = build("Small"), build("Small"), build("Small", seed=1)
    assert torch.equal(torch.rand(1), wanted)
    assert torch.equal(first.top.weight, again.top.weight)
    assert not torch.equal(first.top.weight, other.top.weight)


def test_stages_are_layers_and_see_no_work_in_place():
    network = build("Small").eval()
    x = torch.randn(2, 3, 8, 8)
    stages = network.stages(x)
    assert list(stages) == ["model", "body.0", "body.1", "act", "drop", "top"]
    assert torch.equal(stages["body.1"], network.get_submodule("body")(x)), (
        "before the ReLU in place"
    )
    assert stages["act"].min() == 0
    assert torch.equal(network.stage(x, "body"), stages["body.1"])
    assert torch.equal(network.stage(x, "top"), network(x))
    with pytest.raises(RecipeError, match='no layer "tpo". Did you mean "top"'):
        network.stage(x, "tpo")


def test_summary_has_every_layer():
    found = summarize_network(build("Small"))
    rows = {each.name: each for each in found.layers}
    assert rows["body.0"].output == [4, 8, 8]
    assert rows["body.0"].multiply_adds == 4 * 64 * 27
    assert rows["top"].parameters == 15
    assert (found.summary, found.features_layer) == ("a torch module of its own", "act")


def test_untrusted_reference_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "hostile.py").write_text("import pathlib\npathlib.Path('was-here').touch()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert needs_trust("hostile:net")
    with pytest.raises(RecipeError, match="hostile:net is code .* add --trust hostile:net"):
        build_model("hostile:net", classes=2)
    with trusting("hostile:other"), pytest.raises(RecipeError, match="--trust hostile:net"):
        build_model("hostile:net", classes=2)
    assert not (tmp_path / "was-here").exists()
    assert "hostile" not in sys.modules


def test_trust_ends_with_its_block():
    with trusting("a:b"):
        assert not needs_trust("a:b")
        with trusting(None, "c:d"):
            assert not needs_trust("a:b")
    assert needs_trust("a:b")


def test_a_module_in_the_working_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "lying_here.py").write_text(
        "from torch import nn\ndef net(classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(12, classes))\n"
    )
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    with trusting("lying_here:net"):
        network = build_model("lying_here:net", classes=2, image_px=2, crop_px=2)
    assert (network.features_layer, sys.path) == ("1", path)
    monkeypatch.delitem(sys.modules, "lying_here")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "mynets:missing cannot be imported: AttributeError"),
        ("constant", "mynets:constant is not a function but int"),
        ("broken", "mynets:broken could not make a network: ValueError: no such thing"),
        ("no_module", "mynets:no_module must return a torch module; got str"),
        ("no_parameters", "mynets:no_parameters has no parameters"),
        ("wrong_size", "mynets:wrong_size does not take crops of 8 pixels: RuntimeError"),
        ("tuples", r"must return logits of shape \(2, 3\) for 2 images.*got tuple"),
    ],
)
def test_function_that_makes_no_network_raises(name, words):
    with pytest.raises(RecipeError, match=words):
        build(name)


def test_another_number_of_logits_raises():
    with pytest.raises(
        RecipeError, match=r"shape \(2, 4\) for 2 images, one for each class; got \(2, 3\)"
    ):
        build("fixed", classes=4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"activation": "tanh"}, "has activations and dropout of its own"),
        ({"dropout": 0.1}, "has activations and dropout of its own"),
        ({"initialization": "he"}, "draws its initial weights itself"),
        ({"classes": 0}, "at least one class; got 0"),
        ({"crop_px": 13}, "A crop of 13 pixels cannot be cut from an image of 12"),
    ],
)
def test_unsupported_settings_raise(arguments, words):
    with pytest.raises(RecipeError, match=words):
        build("Small", **arguments)


def test_missing_package_raises():
    with (
        trusting("no_such_package_at_all:net"),
        pytest.raises(RecipeError, match="ModuleNotFoundError.*installed or in this folder"),
    ):
        build_model("no_such_package_at_all:net", classes=2)


def test_timm_models_need_no_trust(monkeypatch):
    timm = types.ModuleType("timm")
    asked = []

    def create_model(name, *, pretrained, num_classes):
        asked.append((name, pretrained, num_classes))
        return Small(num_classes)

    timm.create_model = create_model
    monkeypatch.setitem(sys.modules, "timm", timm)
    network = build_model("timm:resnet18", classes=3, image_px=8, crop_px=8)
    assert (network.model, asked) == ("timm:resnet18", [("resnet18", False, 3)])


def test_without_timm_the_error_names_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(RecipeError, match="timm:resnet18 needs timm: pip install timm"):
        build_model("timm:resnet18", classes=3)
