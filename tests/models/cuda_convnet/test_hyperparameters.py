"""A pair of files by name, and the rates that they bring to a recipe."""

from __future__ import annotations

import pytest

from alexnet.errors import RecipeError
from alexnet.models import layer_file_hyperparameters, read_layer_files
from alexnet.recipe import Recipe, changed


def rates(net, **options):
    parameters = net.parameters
    for layer, values in options.items():
        parameters = net.changed(parameters, layer, **values)
    return layer_file_hyperparameters({"layers": net.layers, "parameters": parameters})


def test_one_learning_rate_for_all_layers(net):
    assert rates(net) == {
        "lr": 0.001,
        "momentum": 0.9,
        "weight_decay": 0.004,
        "bias_lr_ratio": 2.0,
        "bias_weight_decay": False,
        "layer_lr": (),
        "layer_weight_decay": (),
        "layer_momentum": (),
    }


def test_learning_rates_by_layer(net):
    found = rates(
        net,
        conv1={"epsW": 0, "epsB": 0},
        conv2={"epsW": 0.0005, "epsB": 0.003, "momW": 0.5},
        fc10={"wc": 1},
    )
    assert found["lr"] == 0.001
    assert found["bias_lr_ratio"] == 1.0
    assert found["layer_lr"] == (
        *("conv1.weight=0", "conv1.bias=0", "conv2.weight=0.5", "conv2.bias=3"),
        "fc10.bias=2",
    )
    assert found["layer_weight_decay"] == ("fc10=1",)
    assert found["layer_momentum"] == ("conv2.weight=0.5",)
    changed(Recipe(), found)


def test_the_coefficient_of_the_cost_multiplies_the_gradient_alone(net):
    found = rates(net, logprob={"coeff": 4})
    assert (found["lr"], found["weight_decay"]) == (0.004, 0.001)


def test_learning_rate_written_as_constant_schedule(net):
    assert rates(net, fc10={"epsW": "const[base=0.002]"})["lr"] == 0.002


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epsW": None}, 'option "epsW" is missing'),
        ({"epsB": None}, 'option "epsB" is missing'),
        ({"momW": None}, 'option "momW" is missing'),
        ({"momB": None}, 'option "momB" is missing'),
        ({"epsW": -1}, "epsW must be at least 0"),
        ({"epsW": "0.1,0.2"}, "epsW has 2 entries, but the layer has 1 inputs"),
        ({"epsW": "dexp[base=0.01;tgtFactor=250;numSteps=4]"}, "follows the schedule .*dexp"),
        ({"schedW": "linear[tgtFactor=10]"}, "schedW follows the schedule .*linear"),
        ({"momW": 1}, "momentum must be at least 0 and under 1"),
        ({"wc": -1}, "wc at least 0"),
        ({"wball": 0.1}, "wball other than 0 is not supported"),
        ({"superEps": 0.1}, "superEps other than 0 is not supported"),
        ({"updatePeriod": 2}, "updatePeriod must be between 0 and 1"),
        ({"epsw2": 2}, 'no option "epsw2". Did you mean "epsW"'),
    ],
)
def test_invalid_learning_rate_raises(net, options, words):
    with pytest.raises(RecipeError, match=f'^Layer "conv2": .*{words}'):
        rates(net, conv2=options)


def test_all_learning_rates_zero_raises(net):
    parameters = net.parameters.replace("epsW=0.001", "epsW=0")
    with pytest.raises(RecipeError, match="Every epsW .* is 0"):
        layer_file_hyperparameters({"layers": net.layers, "parameters": parameters})


def test_a_pair_by_its_first_name_or_by_both(pair, net, tmp_path):
    place = pair()
    assert read_layer_files(place) == {"layers": net.layers, "parameters": net.parameters}
    (tmp_path / "layer-params-net.cfg").rename(tmp_path / "other.cfg")
    with pytest.raises(RecipeError, match=r"layer-params-net.cfg, which does not exist. Name both"):
        read_layer_files(place)
    assert read_layer_files(f"{place},{tmp_path / 'other.cfg'}")["parameters"] == net.parameters


def test_files_that_are_not_text_raise(tmp_path):
    (tmp_path / "a.cfg").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.cfg").write_bytes(b"x" * 1_100_000)
    for name, words in (
        ("a.cfg", "is not a text file"),
        ("b.cfg", "larger than 1 MiB"),
        ("c.cfg", "Could not read the layer file .*c.cfg: No such file"),
    ):
        with pytest.raises(RecipeError, match=words):
            read_layer_files(str(tmp_path / name))
