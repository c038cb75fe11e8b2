"""Networks laid out for answers: the same bits in fp32, the same rounding in bf16."""

from __future__ import annotations

import pytest
import torch

from alexnet.devices import convolving
from alexnet.errors import RecipeError
from alexnet.models import build_model, for_inference, inference, summarize_network
from alexnet.nn import Convolution

SIDES = {
    "alexnet": 80,
    "alexnet_bn": 80,
    "alexnet_adaptive": 57,
    "cifar_18pct": None,
    "cifar_11pct": None,
    "mlp": None,
}


def network(name, **options):
    side = SIDES[name]
    built = build_model(name, classes=7, image_px=side, initialization="he", **options)
    return built.eval().to(memory_format=torch.channels_last)


def images(net, count=3):
    draw = torch.Generator().manual_seed(count)
    x = 50 * torch.randn(count, 3, net.crop_px, net.crop_px, generator=draw)
    return x.contiguous(memory_format=torch.channels_last)


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch):
    """Products are torch's own on whatever processor the tests run."""
    monkeypatch.setattr(inference, "processor", lambda: "Intel(R) Xeon(R)")


@pytest.fixture(scope="module", params=SIDES)
def net(request):
    return network(request.param)


@torch.inference_mode()
def test_fp32_has_the_bits_of_the_network_whatever_the_batch(net):
    answer = for_inference(net)
    for count in (3, 2, 3):
        x = images(net, count)
        assert torch.equal(answer(x), net(x))


@torch.inference_mode()
def test_by_winograd_it_has_the_bits_of_the_network_by_winograd(net):
    pytest.importorskip("numba")
    with convolving("winograd"):
        answer = for_inference(net)
    for count in (3, 2, 3):
        x = images(net, count)
        with convolving("winograd"):
            wanted = net(x)
        assert torch.equal(answer(x), wanted)
        torch.testing.assert_close(wanted, net(x), rtol=1e-4, atol=1e-5 * wanted.abs().max())


@torch.inference_mode()
@pytest.mark.parametrize("count", [1, 3])
def test_onednn_products_equal_within_rounding(net, monkeypatch, count):
    monkeypatch.setattr(inference, "processor", lambda: "AMD EPYC")
    x = images(net, count)
    wanted = net(x)
    answer = for_inference(net)
    for _ in range(2):
        torch.testing.assert_close(answer(x), wanted, rtol=1e-4, atol=3e-6 * wanted.abs().max())
    assert torch.equal(answer(x), answer(x))


@torch.inference_mode()
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("processor", ["Intel(R) Xeon(R)", "AMD EPYC"])
@pytest.mark.parametrize("layer", ["conv1", "conv2", "conv3", "fc6", "fc8"])
def test_nan_weights_of_any_layer_give_nan_logits(precision, processor, layer, monkeypatch):
    monkeypatch.setattr(inference, "processor", lambda: processor)
    net = network("alexnet")
    getattr(net, layer).weight[0] = float("nan")
    for compiled in (True, False):
        found = for_inference(net, precision, compiled=compiled)(images(net))
        assert found.isnan().any(dim=1).all()


@torch.inference_mode()
def test_a_single_image_is_equal_within_rounding(net):  # torch takes another way for it
    x = images(net, 1)
    wanted = net(x)
    torch.testing.assert_close(
        for_inference(net)(x), wanted, rtol=1e-4, atol=3e-6 * wanted.abs().max()
    )


@torch.inference_mode()
def test_small_maps_of_a_single_image_are_convolved_as_torch_does():
    pytest.importorskip("numba")
    layer = Convolution(64, 64, kernel=3, padding=1).to(memory_format=torch.channels_last).eval()
    torch.nn.init.normal_(layer.weight, std=0.05)
    forms = ("torch", "winograd")
    steps = [inference._Convolve(layer, torch.float32, form, relu=False) for form in forms]
    with torch.inference_mode():
        for images, side, alike in ((1, 8, True), (2, 8, False), (1, 27, False)):
            x = torch.randn(images, 64, side, side).contiguous(memory_format=torch.channels_last)
            outputs = [step(x) for step in steps]
            assert torch.equal(*outputs) == alike
            torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-4)


def test_bf16_is_what_autocast_makes(net):
    x = images(net)
    answer = for_inference(net, "bf16")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wanted = net(x).float()
    exact, scale = net(x), wanted.abs().max()
    for _ in range(2):  # packed at the first call
        assert (answer(x).float() - wanted).abs().max() < 0.01 * scale
        assert (answer(x).float() - exact).abs().max() < 0.03 * scale


@torch.inference_mode()
def test_without_compiled_kernels_it_is_equal_within_rounding(net):
    x = images(net)
    wanted = net(x)
    torch.testing.assert_close(
        for_inference(net, compiled=False)(x), wanted, rtol=1e-4, atol=3e-6 * wanted.abs().max()
    )


def test_each_layer_can_be_the_last():
    net = network("cifar_11pct")
    x = images(net)
    stages = net.stages(x)
    for name, wanted in stages.items():
        assert torch.equal(for_inference(net, until=name)(x), wanted)


def test_weights_are_packed_for_each_shape_and_no_gradient_is_kept(monkeypatch):
    packs = []
    pack = torch._C._nn.mkldnn_reorder_conv2d_weight
    monkeypatch.setattr(
        torch._C._nn, "mkldnn_reorder_conv2d_weight", lambda *a: packs.append(1) or pack(*a)
    )
    net = network("cifar_11pct")
    answer = for_inference(net)
    assert not answer(images(net)).requires_grad
    answer(images(net))
    convolutions = sum(name.startswith("conv") for name, _ in net.named_children())
    assert len(packs) == convolutions
    answer(images(net, 2))
    assert len(packs) == 2 * convolutions


def test_without_onednn_operators_the_network_itself_runs(monkeypatch):
    net = network("cifar_11pct")
    x = images(net)
    wanted = for_inference(net)(x)
    monkeypatch.setattr(inference, "_has_onednn_operators", lambda dtype: False)
    assert torch.equal(for_inference(net)(x), wanted)
    assert torch.equal(for_inference(net, until="relu2")(x), net.stage(x, "relu2"))


FORKED = {
    "version": 1,
    "name": "forked",
    "classes": 3,
    "nodes": [
        {"name": "left", "op": "conv", "inputs": ["input"], "outputs": 4, "kernel": [3, 3]},
        {"name": "right", "op": "conv", "inputs": ["input"], "outputs": 2, "kernel": [3, 3]},
        {"name": "both", "op": "concat", "inputs": ["left", "right"], "axis": 1},
        {"name": "relu", "op": "relu", "inputs": ["both"], "slope": 0.0},
        {"name": "row", "op": "flatten", "inputs": ["relu"], "axis": 1, "end": 3},
        {"name": "fc", "op": "linear", "inputs": ["row"], "outputs": 3, "bias": True},
    ],
}
for _node in FORKED["nodes"][:2]:
    _node |= {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1, "bias": True}


@torch.inference_mode()
def test_graph_runs_itself():
    net = build_model("graph", graph=FORKED, classes=3, image_px=8, crop_px=8).eval()
    x = images(net)
    assert torch.equal(for_inference(net)(x), net(x))
    assert torch.equal(for_inference(net, compiled=False)(x), net(x))
    assert torch.equal(for_inference(net, until="both")(x), net.stage(x, "both"))
    assert summarize_network(net).layers[-1].kind == "fully connected"


def test_network_with_hooks_runs_itself():
    net = network("cifar_11pct")
    seen = []
    handle = net.get_submodule("conv2").register_forward_hook(lambda *given: seen.append(1))
    for_inference(net)(images(net))
    handle.remove()
    assert seen == [1]


def test_unknown_precision_or_layer_raises():
    net = network("mlp")
    with pytest.raises(RecipeError, match=r'precision must be "fp32" or "bf16"; got "fp8"\.'):
        for_inference(net, "fp8")
    with pytest.raises(RecipeError, match=r"mlp takes images of shape"):
        for_inference(net)(torch.zeros(2, 3, 5, 5))
    with pytest.raises(RecipeError, match=r'no layer "conv9"'):
        for_inference(net, until="conv9")(images(net))
