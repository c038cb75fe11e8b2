"""Networks from a description: built, read by stage, given other classes, held to their form."""

from __future__ import annotations

import copy
import gc
import json
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from alexnet.errors import RecipeError
from alexnet.models import GRAPH, GraphNetwork, build_model, summarize_network, unused_name

WINDOW = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1, "bias": True}


def conv(name, source, outputs, kernel=1, **settings):
    given = {**WINDOW, "outputs": outputs, "kernel": [kernel, kernel], **settings}
    return {"name": name, "op": "conv", "inputs": [source], **given}


def node(name, operation, *inputs, **settings):
    return {"name": name, "op": operation, "inputs": list(inputs), **settings}


POOL = {"stride": [1, 1], "padding": [0, 0], "ceiling": True}

FIRE = {
    "version": 1,
    "name": "fire",
    "classes": 4,
    "nodes": [
        conv("squeeze", "input", 3),
        node("relu/squeeze", "relu", "squeeze", slope=0.0),
        conv("expand1", "relu/squeeze", 2),
        conv("expand3", "relu/squeeze", 5, 3, padding=[1, 1]),
        node("concat", "concat", "expand1", "expand3", axis=1),
        node("drop", "dropout", "concat", p=0.5, inverted=True),
        conv("classifier", "drop", 4),
        node("pool", "pool", "classifier", kind="avg", kernel=None, **POOL),
        node("logits", "flatten", "pool", axis=1, end=3),
    ],
}


def build(description=FIRE, **more):
    asked = {"classes": 4, "image_px": 8, "crop_px": 6, **more}
    return build_model(GRAPH, graph=description, **asked)


def changed(place: int, **settings):
    """The description with one node changed; a value of `...` takes the setting away."""
    found = copy.deepcopy(FIRE)
    found["nodes"][place].update(settings)
    found["nodes"][place] = {k: v for k, v in found["nodes"][place].items() if v is not ...}
    return found


def test_branches_meet_again():
    network = build(seed=3).eval()
    x = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    squeezed = network.squeeze(x).relu()
    both = torch.cat([network.expand1(squeezed), network.expand3(squeezed)], 1)
    wanted = network.classifier(both).mean((2, 3))
    with torch.no_grad():
        assert torch.allclose(network(x), wanted, atol=1e-6)
        stages = network.stages(x)
        assert list(stages) == [each["name"] for each in FIRE["nodes"]]
        assert torch.equal(network.stage(x, "concat"), stages["concat"])
    assert network.features_layer == "concat"
    with pytest.raises(RecipeError, match='graph has no layer "conct". Did you mean "concat"'):
        network.stage(x, "conct")
    with pytest.raises(RecipeError, match=r"graph takes images of shape \(N, 3, 6, 6\)"):
        network(x[..., :5])


def test_the_same_arguments_give_the_same_bits():
    one = build(seed=1)
    other = build_model(one.model, **json.loads(json.dumps(one.arguments)), seed=1)
    assert one.arguments == other.arguments
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])
    assert not torch.equal(one.squeeze.weight, build(seed=2).squeeze.weight)


def test_outputs_are_freed_after_their_last_reader():
    network = build().eval()
    alive: list[weakref.ref] = []

    class Spy(nn.Module):
        def forward(self, x):
            gc.collect()
            self.seen = sum(each() is not None for each in alive)
            return x.clone()

    for name, layer in network.named_children():
        layer.register_forward_hook(lambda *given: alive.append(weakref.ref(given[2])))
        if name == "drop":
            network.drop = Spy()
    with torch.no_grad():
        network(torch.zeros(1, 3, 6, 6))
    assert network.drop.seen == 1  # of five outputs so far only the last


def test_other_classes_change_the_last_layer_with_weights():
    network = build(classes=7)
    assert isinstance(network, GraphNetwork)
    assert network.shapes["logits"] == (7,)
    assert network.arguments["graph"]["classes"] == 7
    again = build_model(GRAPH, **network.arguments)
    assert again.classifier.weight.shape == (7, 7, 1, 1)
    flat = {**FIRE, "classes": 108, "nodes": [node("a", "flatten", "input", axis=1, end=3)]}
    with pytest.raises(RecipeError, match="no layer with weights to replace"):
        build(flat)


WRONG = {
    "version": ({**FIRE, "version": 2}, "version 2; this one reads up to 1.*Update alexnet"),
    "kind": ({**FIRE, "classes": "4"}, "has '4' as \"classes\", not a whole number"),
    "field": ({**FIRE, "code": "x"}, 'a field "code", which it should not have'),
    "nothing": ({**FIRE, "nodes": []}, "A graph has 1 to 20,000 nodes; this one has 0"),
    "no node": ({**FIRE, "nodes": [3]}, "Node 1 of the graph is 3, not an object"),
    "no object": ([1], r"described by an object; got \[1\]"),
    "no op": (changed(0, op=...), "Node 1 of the graph lacks one of name, op and inputs"),
    "inputs": (changed(0, inputs=[3]), 'inputs of the node "squeeze" are not all names'),
    "operation": (changed(0, op="cnov"), 'has the operation "cnov".*Did you mean "conv"'),
    "from behind": (changed(0, inputs=["pool"]), '"squeeze" takes "pool", but no node before'),
    "twice": (changed(1, name="squeeze"), 'No node can be called "squeeze" here'),
    "dot": (changed(0, name="a.b"), 'No node can be called "a.b" here'),
    "torch's": (changed(0, name="forward"), 'No node can be called "forward" here'),
    "lacks": (changed(0, kernel=...), r'"squeeze" \(conv\) lacks "kernel"'),
    "unknown": (changed(0, kernl=1), 'no setting "kernl". Did you mean "kernel"'),
    "negative": (changed(0, stride=[0, 1]), 'of at least 1, height and width as "stride"; got'),
    "flag": (changed(0, bias=1), 'needs true or false as "bias"; got 1'),
    "word": (changed(7, kind="min"), 'needs "max" or "avg" as "kind"; got \'min\''),
    "number": (changed(1, slope=float("nan")), 'needs a number from -inf to inf as "slope"'),
    "inputs of one": (changed(0, inputs=["input", "input"]), "takes one; it has 2"),
    "groups": (changed(0, groups=2), "cannot split 3 channels in and 3 out evenly into 2 groups"),
    "too large": (changed(0, kernel=[9, 9]), 'window of the node "squeeze" is larger.* 3 x 6 x 6'),
    "memory": (changed(0, outputs=2**24), "would have 603,979,776 outputs for one image"),
    "parameters": (changed(0, outputs=2**24, kernel=[9, 9], padding=[9, 9]), "would have 4,0"),
    "axis": (changed(4, axis=4), 'whole number from 1 to 3 as "axis"; got 4'),
    "side by side": (changed(3, padding=[0, 0]), "differ in more than one axis"),
    "answer": ({**FIRE, "nodes": FIRE["nodes"][:-1]}, r'an output of shape \(4, 1, 1\)'),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_invalid_description_raises(name):
    description, said = WRONG[name]
    with pytest.raises(RecipeError, match=said), torch.device("meta"):
        build(description)


def test_a_graph_has_its_own_arguments():
    with pytest.raises(RecipeError, match='"graph" needs a description as graph'):
        build_model(GRAPH, classes=3)
    with pytest.raises(RecipeError, match="no other does"):
        build_model("mlp", classes=3, graph=FIRE)
    with pytest.raises(RecipeError, match="for the crop that it was made for"):
        build(activation="tanh")


SOMETHING = st.none() | st.booleans() | st.integers(-2, 2**40) | st.floats()
ANYTHING = st.recursive(
    SOMETHING | st.sampled_from(["input", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("a"), inner),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 8), st.sampled_from(["name", "op", "inputs", "kernel", "axis", "x"]), ANYTHING
)
def test_any_changed_description_is_built_or_raises(place, name, value):
    with torch.device("meta"):
        try:
            build(changed(place, **{name: value}))
        except RecipeError as error:
            assert str(error)


def test_unused_name():
    assert unused_name("conv1", {}) == "conv1"
    assert unused_name("conv1", {"conv1": 1, "conv1_2": 1}) == "conv1_3"
    for count in (2, 3, 4, 7, 8, 9, 1000):
        taken = dict.fromkeys(["a", *(f"a_{i}" for i in range(2, count + 1))])
        assert unused_name("a", taken) == f"a_{count + 1}"
    assert unused_name("conv.1", {}) == "conv_1"
    assert unused_name("eval", {}) == "eval_"
    assert unused_name("classes", {}) == "classes_"
    assert unused_name("", {}) == "node"
    assert unused_name("_modules", {}) == "node_modules"


def test_its_summary_has_a_row_for_each_node():
    description = copy.deepcopy(FIRE)
    description["nodes"][3] |= {"kernel": [3, 1], "padding": [1, 0]}
    found = summarize_network(build(description))
    rows = {each.name: each for each in found.layers}
    assert (found.summary, found.activation, found.features_layer) == ("fire", "relu", "concat")
    assert rows["squeeze"].multiply_adds == 36 * 3 * 3
    assert rows["expand1"].details is None
    assert rows["expand3"].details.startswith("takes relu/squeeze, windows of 3 x 1, stride 1 x 1")
    assert rows["expand3"].kernel is None
    assert rows["concat"].output == [7, 6, 6]
    assert rows["pool"].kind == "average pooling"
    assert found.parameters == sum(each.numel() for each in build(description).parameters())
    assert "graph of 9 nodes" in found.notes[0]


class Counting(dict[str, object]):
    """Counts how often a name is looked for."""

    looked = 0

    def __contains__(self, key: object) -> bool:
        self.looked += 1
        return super().__contains__(key)


def test_names_of_many_layers_in_place_take_few_looks():
    taken = Counting.fromkeys(["relu", *(f"relu_{i}" for i in range(2, 20_000))])
    assert unused_name("relu", taken) == "relu_20000"
    assert taken.looked < 100
