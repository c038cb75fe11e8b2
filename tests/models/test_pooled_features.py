"""Outputs of several layers as one row of numbers an image."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alexnet.errors import RecipeError
from alexnet.models import (
    Block,
    HeadedNetwork,
    PooledFeatures,
    build_model,
    default_blocks,
    default_features,
    make_head,
)
from fixtures.layouts import layout_weights


def naive(block: Block, output: np.ndarray) -> np.ndarray:
    """Averages over cells, signed square roots, unit length, one number after the other."""
    rows = []
    for image in output.astype(np.float64):
        numbers = []
        if block.grid:
            for channel in image:
                side = channel.shape[0]
                for i in range(block.grid):
                    for j in range(block.grid):
                        top, bottom = i * side // block.grid, -(-(i + 1) * side // block.grid)
                        left, right = j * side // block.grid, -(-(j + 1) * side // block.grid)
                        numbers.append(channel[top:bottom, left:right].mean())
        else:
            numbers = list(image.reshape(-1))
        rooted = np.array([np.sign(number) * abs(number) ** 0.5 for number in numbers])
        rows.append(rooted / np.linalg.norm(rooted))
    return np.array(rows)


@given(st.integers(1, 5), st.integers(5, 9), st.integers(0, 2**16))
def test_maps_are_averaged_rooted_and_scaled(grid, side, seed):
    output = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(seed))
    block = Block("conv", grid)
    np.testing.assert_allclose(block(output), naive(block, output.numpy()), atol=1e-5)


def test_blocks_together_have_unit_length_and_raw_ones_stay_as_they_are():
    outputs = {"conv": torch.randn(4, 3, 6, 6), "fc": torch.randn(4, 5)}
    pooling = PooledFeatures([Block("conv", 2), Block("fc"), Block("fc", raw=True)])
    features = pooling(outputs)
    assert features.shape == (4, 12 + 5 + 5)
    np.testing.assert_allclose(features[:, :17].norm(dim=1), 1.0, rtol=1e-5)
    assert torch.equal(features[:, 17:], outputs["fc"])
    assert pooling.layers == ("conv", "fc")


@pytest.mark.parametrize(
    "block",
    [Block("relu5", 2), Block("relu6"), Block("fc7", raw=True), Block("fire/concat", 1, raw=True)],
    ids=str,
)
def test_a_block_is_read_back_from_its_text(block):
    assert Block.parse(str(block)) == block


def test_a_mean_is_that_of_each_map_and_wants_maps():
    block, output = Block.parse("mean:fire9/concat"), torch.randn(2, 3, 5, 5)
    assert (block.layer, str(block)) == ("fire9/concat", "mean:fire9/concat")
    np.testing.assert_allclose(block(output), output.numpy().mean(axis=(2, 3)), atol=1e-6)
    with pytest.raises(RecipeError, match='"fc7" has no maps that could be averaged'):
        Block.parse("mean:fc7")(torch.zeros(2, 8))


@pytest.mark.parametrize(
    "text", ["", "/2", "relu5/", "relu5/0", "relu5/x", "relu5/99", "raw:", "mean:", 7, None]
)
def test_what_is_no_block_is_refused(text):
    with pytest.raises(RecipeError, match="blocks of features such as"):
        Block.parse(text)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("alexnet_adaptive", "relu3/1 relu3/2 relu4/1 relu4/2 relu5/1 relu5/2 relu6 fc7"),
        ("cifar_26pct", "relu1/1 relu1/2 relu2/1 relu2/2 relu3/1 relu3/2 relu4 fc5"),
        ("mlp", "act2 fc3"),
    ],
)
def test_blocks_of_a_network_are_its_last_maps_and_what_follows(model, expected):
    blocks = default_blocks(build_model(model, classes=3))
    assert [str(block) for block in blocks if block.layer in expected] == list(map(str, blocks))
    assert str(blocks[-1]) == expected.split()[-1]


@pytest.mark.parametrize(
    ("layout", "averaged"), [("squeezenet", True), ("resnet", False), ("vgg", False)]
)
def test_a_classifier_that_is_a_convolution_is_read_averaged_over_its_map(layout, averaged):
    network = layout_weights(layout).network()
    name = default_features(network)
    assert name == ("mean:" if averaged else "") + network.features_layer
    assert default_features(headed()) == "relu6", "below a head on several layers"


def headed() -> HeadedNetwork:
    """A ridge head with numbers on three layers of a small network."""
    network = build_model("alexnet_adaptive", classes=4, image_px=32, crop_px=32, seed=3).eval()
    blocks = ["relu5/2", "relu6", "raw:fc7"]
    settings = {"kind": "ridge", "layer": "relu5,relu6,fc7", "features": 384 * 4 + 512 + 4}
    head = make_head({**settings, "classes": 3, "blocks": blocks})
    generator = torch.Generator().manual_seed(5)
    state = {
        name: torch.randn(tensor.shape, generator=generator)
        for name, tensor in head.state_dict().items()
    }
    state["scale"] = state["scale"].abs() + 1
    head.load_state_dict(state, assign=True)
    return HeadedNetwork(network, head.eval())


def test_a_head_on_several_layers_is_a_softmax_of_their_pooled_outputs():
    network, x = headed(), torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        stages = network.backbone.stages(x)
        blocks = [naive(Block("relu5", 2), stages["relu5"].numpy())]
        blocks += [naive(Block("relu6"), stages["relu6"].numpy())]
        features = np.concatenate([*(each / 2**0.5 for each in blocks), stages["fc7"].numpy()], 1)
        head = {
            name: each.numpy().astype(np.float64)
            for name, each in network.classifier.named_buffers()
        }
        logits = (features - head["shift"]) / head["scale"] @ head["weight"].T + head["bias"]
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(network(x).exp(), expected, atol=1e-4)


def test_blocks_that_are_no_list_are_refused():
    with pytest.raises(RecipeError, match="not a list of texts"):
        make_head({"kind": "ridge", "layer": "fc7", "features": 4, "classes": 2, "blocks": "fc7"})


def test_outputs_are_those_of_the_stages_and_unknown_layers_are_named():
    network = build_model("alexnet_adaptive", classes=4, image_px=32, crop_px=32).eval()
    x = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        stages = network.stages(x)
        for name, output in network.outputs(x, ["relu6", "relu3"]).items():
            assert torch.equal(output, stages[name])
        with pytest.raises(RecipeError, match='no layer "relu33"'):
            network.outputs(x, ["relu33"])
