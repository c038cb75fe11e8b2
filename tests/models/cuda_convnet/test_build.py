"""Networks of layer files: against the same networks built by hand, and by name."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from alexnet.errors import RecipeError
from alexnet.models import build_model, summarize_model
from alexnet.nn import ResponseNorm

RATES = "epsW=0.001\nepsB=0.002\nmomW=0.9\nmomB=0.9\n"


def towers() -> str:
    """Two towers that meet in conv2 and in fc4."""
    text = "[data]\ntype=data\ndataIdx=0\n[labels]\ntype=data\ndataIdx=1\n"
    first = (
        "[conv1{t}]\ntype=conv\ninputs=data\nchannels=3\nfilters=16\nfilterSize=3\npadding=1\n"
        "initW=0.1\ninitB=0.5\npartialSum=0\ngpu={i}\nneuron=relu\n"
        "[pool1{t}]\ntype=pool\npool=max\ninputs=conv1{t}\nchannels=16\nsizeX=3\nstride=2\n"
    )
    second = (
        "[conv2{t}]\ntype=conv\ninputs=pool1a,pool1b\nchannels=16,16\nfilters=16\n"
        "filterSize=3,1\npadding=1,0\ninitW=0.2,0.3\ninitB=0.25\npartialSum=1\ngpu={i}\n"
        "neuron=relu\n"
    )
    third = (
        "[fc3{t}]\ntype=fc\ninputs=conv2{t}\noutputs=5\ninitW=0.1\ngpu={i}\n"
        "neuron=tanh[1.5,0.5]\n[hs3{t}]\ntype=hs\ninputs=fc3{t}\n"
    )
    for stage in (first, second, third):
        text += "".join(stage.format(t=t, i=i) for i, t in enumerate("ab"))
    return text + (
        "[fc4]\ntype=fc\ninputs=hs3a,hs3b\noutputs=3\ninitW=0.1,0.1\ngpu=0\n"
        "[probs]\ntype=softmax\ninputs=fc4\n[logprob]\ntype=cost.logreg\ninputs=labels,probs\n"
    )


TOWERS = towers()
TOWER_PARAMETERS = (
    "".join(f"[{n}{t}]\n{RATES}" for t in "ab" for n in ("conv1", "conv2", "fc3"))
    + f"[fc4]\n{RATES}[hs3a]\n[hs3b]\nkeep=0.5\n[logprob]\ncoeff=1\n"
)


def images(side: int = 32) -> torch.Tensor:
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(3))


def test_sequential_network_equals_its_layers(build):
    network = build().eval()
    names = ["conv1", "pool1", "pool1_neuron", "rnorm1", "conv2", "conv2_neuron", "drop", "fc10"]
    assert [name for name, _ in network.named_children()] == names
    p = network.state_dict()
    x = images()
    y = functional.conv2d(x, p["conv1.weight"], p["conv1.bias"], padding=2)
    y = functional.max_pool2d(y, 3, 2, ceil_mode=True).relu()
    y = ResponseNorm(5, alpha=0.001, beta=0.75, k=2, divide=True)(y)
    y = functional.conv2d(y, p["conv2.weight"], p["conv2.bias"], padding=1, groups=2).relu()
    y = functional.linear((0.5 * y).flatten(1), p["fc10.weight"], p["fc10.bias"])
    assert p["conv2.weight"].shape == (32, 8, 3, 3), "filters are counted for each group"
    assert torch.allclose(network(x), y, atol=1e-5)
    assert torch.equal(network.stages(x)["fc10"], network(x))
    assert network.features_layer == "conv2_neuron"


def test_initial_weights_have_the_deviations_and_biases_of_the_file(build):
    p = build(classes=10).state_dict()
    assert p["conv1.weight"].std().item() == pytest.approx(0.0001, rel=0.1)
    assert p["conv2.weight"].std().item() == pytest.approx(0.01, rel=0.1)
    assert (p["conv2.bias"] == 1).all()
    assert not p["fc10.bias"].any()
    again, other = build(seed=0).state_dict(), build(seed=1).state_dict()
    assert torch.equal(p["fc10.weight"], again["fc10.weight"])
    assert not torch.equal(p["fc10.weight"], other["fc10.weight"])
    he = build(initialization="he").state_dict()
    assert he["conv2.weight"].std().item() == pytest.approx((2 / 72) ** 0.5, rel=0.1)


def test_towers_that_meet_equal_their_layers(build):
    network = build(TOWERS, TOWER_PARAMETERS, classes=3, crop_px=8, image_px=8).eval()
    p = network.state_dict()
    x = images(8)
    pooled = {}
    for t in "ab":
        y = functional.conv2d(x, p[f"conv1{t}.weight"], p[f"conv1{t}.bias"], padding=1).relu()
        pooled[t] = functional.max_pool2d(y, 3, 2, ceil_mode=True)
    total = p["fc4.0.bias"]
    for i, t in enumerate("ab"):
        y = functional.conv2d(pooled["a"], p[f"conv2{t}.0.weight"], padding=1)
        y = y + functional.conv2d(pooled["b"], p[f"conv2{t}.1.weight"])
        y = (y + p[f"conv2{t}.0.bias"][:, None, None]).relu()
        y = functional.linear(y.flatten(1), p[f"fc3{t}.weight"], p[f"fc3{t}.bias"])
        total = total + functional.linear(0.5 * 1.5 * (0.5 * y).tanh(), p[f"fc4.{i}.weight"])
    assert torch.allclose(network(x), total, atol=1e-5)
    assert "conv2a.1.bias" not in p, "one bias for the sum"
    assert p["conv2a.1.weight"].std().item() == pytest.approx(0.3, rel=0.2)
    assert (p["conv2a.0.bias"] == 0.25).all()
    assert network.features_layer == "fc3a_neuron,fc3b_neuron"
    features = network.stage(x, network.features_layer)
    assert features.shape == (2, 10)
    assert torch.equal(features[:, 5:], network.stage(x, "fc3b_neuron"))


def test_outputs_are_freed_after_their_last_reader(build):
    network = build(TOWERS, TOWER_PARAMETERS, classes=3, crop_px=8, image_px=8)
    network(images(8)).sum().backward()
    assert all(each.grad is not None for each in network.parameters())


def test_the_authors_net_of_13_percent_is_ours(build):
    lines = ["[data]\ntype=data\ndataIdx=0\n[labels]\ntype=data\ndataIdx=1\n"]
    below, channels = "data", 3
    for n in (1, 2):
        lines.append(
            f"[conv{n}]\ntype=conv\ninputs={below}\nchannels={channels}\nfilters=64\npadding=2\n"
            f"filterSize=5\ninitW=0.01\npartialSum=4\nneuron=relu\n[pool{n}]\ntype=pool\npool=max\n"
            f"inputs=conv{n}\nsizeX=3\nstride=2\nchannels=64\n"
        )
        below, channels = f"pool{n}", 64
    for n in (3, 4):
        lines.append(
            f"[local{n}]\ntype=local\ninputs={below}\nchannels={channels}\nfilters=32\npadding=1\n"
            "filterSize=3\ninitW=0.04\nneuron=relu\n"
        )
        below, channels = f"local{n}", 32
    lines.append(
        "[fc10]\ntype=fc\ninputs=local4\noutputs=10\ninitW=0.01\n[probs]\ntype=softmax\n"
        "inputs=fc10\n[logprob]\ntype=cost.logreg\ninputs=labels,probs\n"
    )
    layers = ("conv1", "conv2", "local3", "local4", "fc10")
    parameters = "".join(f"[{n}]\n{RATES}" for n in layers) + "[logprob]\ncoeff=1\n"
    network = build("".join(lines), parameters).eval()
    ours = build_model("cifar_13pct", classes=10).eval()
    names = dict(zip(layers, ("conv1", "conv2", "local3", "local4", "fc5"), strict=True))
    state = {
        f"{names[layer]}.{kind}": network.state_dict()[f"{layer}.{kind}"]
        for layer in layers
        for kind in ("weight", "bias")
    }
    ours.load_state_dict(state)
    x = images()
    assert torch.allclose(network(x), ours(x), atol=1e-6)


def test_older_spellings_are_read(build, net):
    layers = net.changed(net.layers, "conv1", filters=None, numFilters=16)
    layers = net.changed(layers, "fc10", outputs=None, numOutputs=10)
    layers = net.changed(layers, "pool1", sizeX=None, subsX=3)
    layers = net.changed(layers, "rnorm1", type="rnorm", crossMap=1, size=None, sizeX=5)
    layers = net.changed(layers, "rnorm1", scale=0.001, pow=0.75)
    parameters = net.parameters.replace("[rnorm1]\nscale=0.001\npow=0.75\nminDiv=2\n", "")
    found = build(layers, parameters).rnorm1
    assert (found.size, found.alpha, found.divide, found.region) == (5, 0.001, True, "channels")
    assert found.k == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"type": "rnorm", "size": 3},
            "3, alpha=0.001 (divided), beta=0.75, k=2, towers=1, spatial",
        ),
        ({"type": "cnorm", "size": 3}, "3, alpha=0.001, beta=0.75, k=2"),
    ],
)
def test_norms_inside_a_map(build, options, words, net):
    assert build(net.changed(net.layers, "rnorm1", **options)).rnorm1.extra_repr() == words


def test_a_blocked_norm_sums_over_disjoint_groups(build, net):
    norm = build(net.changed(net.layers, "rnorm1", size=4, blocked=1)).rnorm1
    x = images(5).repeat(1, 6, 1, 1)[:, :16]
    sums = x.square().unflatten(1, (4, 4)).sum(2, keepdim=True).expand(-1, -1, 4, -1, -1)
    wanted = x / (2 + 0.001 / 4 * sums.flatten(1, 2)) ** 0.75
    assert torch.allclose(norm(x), wanted, atol=1e-6)


def test_dropout_of_both_programs(build, net):
    assert build().drop.inverted is False
    assert build(net.changed(net.layers, "drop", type="dropout2")).drop.inverted is True
    off = net.parameters.replace("keep=0.5", "keep=0.25\nenable=0")
    x = torch.ones(2, 3)
    assert torch.equal(build(parameters=off).drop.train()(x), 0.25 * x)
    assert "drop" not in dict(
        build(net.changed(net.layers, "drop", type="dropout2"), off).named_children()
    )
    assert build(dropout=0.1).drop.p == 0.1


def test_pools_that_start_elsewhere(build, net):
    layers = net.changed(net.layers, "pool1", pool="avg", start=-1, outputsX=17)
    layers = net.changed(layers, "conv2", partialSum=0)
    pool = build(layers).pool1
    assert (pool.kind, pool.start, pool.outputs) == ("avg", -1, 17)


def test_biases_of_their_own_at_each_position(build, net):
    layer = build(net.changed(net.layers, "conv2", sharedBiases=0)).conv2
    assert {name: tuple(p.shape) for name, p in layer.named_parameters()} == {
        "bias": (32, 16, 16),
        "0.weight": (32, 8, 3, 3),
    }
    assert (layer.bias == 1).all()


def test_eltsum_eltmax_and_concat(build, net):
    extra = """
[sum]
type=eltsum
inputs=conv2,conv2
[most]
type=eltmax
inputs=conv2,sum
[both]
type=concat
inputs=most,sum
"""
    layers = net.changed(net.layers.replace("\n[drop]", extra + "\n[drop]"), "drop", inputs="both")
    parameters = net.parameters + "[sum]\ncoeffs=2,-0.5\n"
    stages = build(layers, parameters).eval().stages(100 * images())
    y = stages["conv2_neuron"]
    assert torch.allclose(stages["sum"], 1.5 * y)
    assert torch.equal(stages["most"], torch.maximum(y, stages["sum"]))
    assert torch.equal(stages["both"], torch.cat([stages["most"], stages["sum"]], 1))


def test_local_layers_with_groups_see_their_own_maps(build, net):
    layers = net.changed(net.layers, "conv2", type="local", partialSum=None, filterSize=3)
    network = build(layers).eval()
    x = torch.randn(1, 16, 16, 16)
    other = x.clone()
    other[:, 8:] += 1
    y, z = network.conv2(x), network.conv2(other)
    assert y.shape == (1, 32, 16, 16)
    assert torch.equal(y[:, :16], z[:, :16])
    assert not torch.equal(y[:, 16:], z[:, 16:])


def test_maps_that_feed_the_softmax_are_flattened(build, net):
    layers = net.changed(net.layers, "fc10", type="pool", pool="avg", outputs=None, initW=None)
    layers = net.changed(layers, "fc10", channels=32, sizeX=16, stride=1)
    network = build(layers, classes=32)
    assert network(images()).shape == (2, 32)


def test_summary_of_a_layer_file(pair):
    found = summarize_model(pair())
    rows = {each.name: each for each in found.layers}
    assert (found.classes, found.crop_px, found.features_layer) == (10, 32, "conv2_neuron")
    assert rows["conv1"].multiply_adds == 32 * 32 * 16 * 75
    assert (rows["conv2"].towers, rows["conv2"].parameters) == (2, 32 * 72 + 32)
    assert rows["fc10"].neurons == 10
    assert "0.001 / 5" in (rows["rnorm1"].details or "")


def test_summary_counts_several_inputs(build):
    from alexnet.models import summarize_network

    network = build(TOWERS, TOWER_PARAMETERS, classes=3, crop_px=8, image_px=8)
    rows = {each.name: each for each in summarize_network(network).layers}
    assert rows["conv2a"].multiply_adds == 16 * 16 * (16 * 9 + 16)
    assert rows["conv2a"].parameters == 16 * (16 * 9 + 16) + 16
    assert rows["fc4"].weights == 3 * 10
    assert sum(each.parameters for each in rows.values()) == sum(
        each.numel() for each in network.parameters()
    )


def test_without_sizes_the_first_stride_decides(build, net):
    assert build(image_px=None, crop_px=None).crop_px == 32
    layers = net.changed(net.layers, "conv1", stride=4, partialSum=0)
    network = build(layers, image_px=None, crop_px=None)
    assert (network.image_px, network.crop_px) == (256, 224)


def test_another_activation_raises(build):
    with pytest.raises(RecipeError, match="activations of this network stand in its layer file"):
        build(activation="tanh")


def test_other_classes_than_the_files(pair, build):
    with pytest.raises(RecipeError, match="written for 10 classes, and there are 2"):
        build_model(pair(), classes=2)
    assert build(classes=2).fc10.out_features == 2, "as fine-tuning asks"
