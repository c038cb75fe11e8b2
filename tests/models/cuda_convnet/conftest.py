"""Layer files in the program's syntax, written for tests, and what changes one thing in them."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from alexnet.models import build_model

LAYERS = """
# a remark
[data]
type=data
dataIdx=0

[labels]
type=data
dataIdx=1

[conv1]
type=conv
inputs=data
channels=3
filters=16
padding=2
stride=1
filterSize=5
initW=0.0001
partialSum=4
sharedBiases=1

[pool1]
type=pool
pool=max
inputs=conv1
start=0
sizeX=3
stride=2
outputsX=0
channels=16
neuron=relu

[rnorm1]
type=cmrnorm
inputs=pool1
channels=16
size=5

[conv2]
type=conv
inputs=rnorm1
channels=16
filters=16
groups=2
padding=1
filterSize=3
initW=0.01
initB=1
partialSum=8
neuron=relu

[drop]
type=hs
inputs=conv2

[fc10]
type=fc
inputs=drop
outputs=10
initW=0.01

[probs]
type=softmax
inputs=fc10

[logprob]
type=cost.logreg
inputs=labels,probs
"""

RATES = "epsW=0.001\nepsB=0.002\nmomW=0.9\nmomB=0.9\nwc=0.004\n"
PARAMETERS = (
    "".join(f"[{name}]\n{RATES}\n" for name in ("conv1", "conv2", "fc10"))
    + "[rnorm1]\nscale=0.001\npow=0.75\nminDiv=2\n[drop]\nkeep=0.5\n[logprob]\ncoeff=1\ntopk=5\n"
)


def changed(text: str, layer: str, **options: object) -> str:
    """Set options of a layer; None takes one out."""
    head, found, rest = text.partition(f"[{layer}]\n")
    body, mark, tail = rest.partition("\n[")
    for option, value in options.items():
        line = "" if value is None else f"{option}={value}\n"
        body, count = re.subn(rf"^{option}=.*\n?", line, body + "\n", flags=re.M)
        body = body if count else body + line
    assert found
    return head + found + body.rstrip("\n") + "\n" + mark + tail


@pytest.fixture(scope="session")
def net() -> SimpleNamespace:
    """A net in a row as two texts, what changes one of them, and a layer's rates."""
    return SimpleNamespace(layers=LAYERS, parameters=PARAMETERS, changed=changed, rates=RATES)


@pytest.fixture
def build():
    """Build a network of texts, on images of 32 pixels unless told otherwise."""

    def build(layers: str = LAYERS, parameters: str = PARAMETERS, **arguments):
        arguments = {"classes": 10, "crop_px": 32, "image_px": 32, **arguments}
        files = {"layers": layers, "parameters": parameters}
        return build_model("cuda_convnet", files=files, **arguments)

    return build


@pytest.fixture
def pair(tmp_path):
    """Write a pair of files and return the name of the first."""

    def pair(layers: str = LAYERS, parameters: str = PARAMETERS) -> str:
        (tmp_path / "layers-net.cfg").write_text(layers)
        (tmp_path / "layer-params-net.cfg").write_text(parameters)
        return str(tmp_path / "layers-net.cfg")

    return pair
