"""Solvers: the network inside, or the file that they name."""

from __future__ import annotations

import pytest

from alexnet.errors import WeightsError
from alexnet.importers.caffe.net import read_net

NET = """name: "%s" input: "data" input_dim: [1, 3, 8, 8]
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" }"""
HOW = 'base_lr: 0.01 lr_policy: "step" max_iter: 10 snapshot_prefix: "s" solver_mode: GPU\n'


@pytest.fixture
def solver(tmp_path):
    """A solver in caffe/examples/x/solver.prototxt, read."""
    folder = tmp_path / "caffe" / "examples" / "x"
    folder.mkdir(parents=True)

    def read(text: str):
        (folder / "solver.prototxt").write_text(HOW + text)
        return read_net(folder / "solver.prototxt")

    read.folder = folder
    return read


INSIDE = {
    "net_param": "net_param { %s }",
    "train_net_param": "train_net_param { %s }",
    "test_net_param": 'test_net_param { %s } train_net_param { name: "other" }',
    "with a colon": "net_param: < %s >",
    "of both": 'train_net: "none.prototxt" test_net_param { %s }',
}


@pytest.mark.parametrize("form", INSIDE)
def test_the_network_inside_is_taken(form, solver):
    net = solver(INSIDE[form] % (NET % "inner"))
    assert net.name == "inner"
    assert "The network is the one of the solver" in net.remarks[0]


NAMED = {
    "beside": ("net.prototxt", 'net: "net.prototxt"'),
    "from the root": ("net.prototxt", 'net: "examples/x/net.prototxt"'),
    "below": ("nets/net.prototxt", 'net: "nets/net.prototxt"'),
    "above": ("../net.prototxt", 'net: "../net.prototxt"'),
    "of somebody else": ("net.prototxt", 'net: "/home/ada/caffe/net.prototxt"'),
    "of Windows": ("net.prototxt", "net: 'D:\\\\caffe\\\\net.prototxt'"),
    "train_net": ("net.prototxt", 'train_net: "net.prototxt"'),
    "test_net": ("net.prototxt", 'train_net: "train.prototxt" test_net: "net.prototxt"'),
    "several": ("net.prototxt", 'test_net: "net.prototxt" test_net: "more.prototxt"'),
}


@pytest.mark.parametrize("form", NAMED)
def test_the_file_that_it_names_is_found(form, solver):
    place, text = NAMED[form]
    (solver.folder / place).parent.mkdir(exist_ok=True)
    (solver.folder / place).write_text(NET % "named")
    net = solver(text)
    assert net.name == "named"
    assert net.remarks[0].endswith("net.prototxt.")


def test_a_file_that_is_not_there_is_told(solver):
    with pytest.raises(WeightsError, match=r"\(a solver\), and the network that it names, a\.pro"):
        solver('net: "a.prototxt"')
    with pytest.raises(WeightsError, match="neither holds a network nor names the file of one"):
        solver("")
    with pytest.raises(WeightsError, match=r"names, solver\.prototxt, is not there"):
        solver('net: "solver.prototxt"')


def test_a_net_of_a_solver_that_names_itself_is_no_circle(solver):
    (solver.folder / "b.prototxt").write_text(HOW + 'net: "solver.prototxt"')
    with pytest.raises(WeightsError, match="describes no layers"):
        solver('net: "b.prototxt"')
