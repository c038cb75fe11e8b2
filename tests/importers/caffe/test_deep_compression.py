"""The compressed form: packed here by hand and read back, and damaged files as sentences."""

from __future__ import annotations

import numpy as np
import pytest

from alexnet.errors import WeightsError
from alexnet.importers import ImportRequest
from alexnet.importers.caffe import import_caffe

DESCRIPTION = """
name: "Tiny" input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 5 kernel_size: 3 } }
layer { name: "fc" type: "InnerProduct" bottom: "conv1" top: "fc"
        inner_product_param { num_output: 3 } }
"""


def packed(weights, codebook, bits):
    """Return count and bytes of a layer's codes and gaps; a gap of 15 and more is bridged."""
    codes, gaps, last = [], [], -1
    for place, code in enumerate(weights.reshape(-1).tolist()):
        if code or place - last == 16:
            codes.append(code)
            gaps.append(place - last - 1)
            last = place

    def halves(numbers):
        even = [*numbers, 0] if len(numbers) % 2 else numbers
        return bytes(low | high << 4 for low, high in zip(even[::2], even[1::2], strict=True))

    return len(codes), (bytes(codes) if bits == 8 else halves(codes)) + halves(gaps)


@pytest.fixture
def model(tmp_path):
    random = np.random.default_rng(0)
    shapes, head, body, dense = {"conv1": (5, 3, 3, 3), "fc": (3, 180)}, [], b"", {}
    for name, shape in shapes.items():
        bits = 8 if name == "conv1" else 4
        codebook = random.normal(size=2**bits).astype("<f4")
        codebook[0] = 0
        codes = random.integers(0, 2**bits, shape) * (random.random(shape) < 0.1)
        bias = random.normal(size=shape[0]).astype("<f4")
        count, data = packed(codes, codebook, bits)
        head.append(count)
        body += codebook.tobytes() + bias.tobytes() + data
        dense[name] = (codebook[codes], bias)
    (tmp_path / "net.prototxt").write_text(DESCRIPTION)
    (tmp_path / "tiny.net").write_bytes(np.array(head, "<u4").tobytes() + body)
    return tmp_path, dense


def read(folder):
    files = (folder / "tiny.net", folder / "net.prototxt")
    return import_caffe(ImportRequest(files=files)).weights


def test_every_weight_is_unpacked(model):
    folder, dense = model
    state = read(folder).state
    for name, (weight, bias) in dense.items():
        assert np.array_equal(state[f"{name}.weight"].numpy(), weight)
        assert np.array_equal(state[f"{name}.bias"].numpy(), bias)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda data: data[:-1], "ends too early"),
        (lambda data: data + b"\0", "1 bytes are left"),
        (lambda data: b"\xff\xff\xff\x7f" + data[4:], "it stores"),
        (lambda data: data[:-40] + b"\xff" * 40, "lies beyond"),
        (lambda data: b"", "ends too early"),
    ],
)
def test_damaged_files_are_sentences(model, damage, sentence):
    file = model[0] / "tiny.net"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(WeightsError, match=sentence):
        read(model[0])
