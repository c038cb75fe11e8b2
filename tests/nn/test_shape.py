"""Parts, shapes and grey, against sums by hand."""

from __future__ import annotations

import torch

from alexnet.nn import Grey, Part, Reshape


def test_a_part_and_another_shape():
    x = torch.arange(24.0).reshape(2, 3, 2, 2)
    assert torch.equal(Part(1, 1, 2)(x), x[:, 1:3])
    assert torch.equal(Reshape((4, 3))(x), x.reshape(2, 4, 3))
    assert repr(Part(1, 1, 2)) == "Part(axis=1, 1 to 2)"
    assert repr(Reshape((4, 3))) == "Reshape((4, 3))"


def test_a_part_in_channels_last_is_read_in_the_same_order():
    x = torch.arange(24.0).reshape(2, 3, 2, 2)
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(Reshape((12,))(last), x.reshape(2, 12))


def test_grey_weighs_colours_and_leaves_grey_as_it_is():
    red = torch.tensor([255.0, 0, 0]).reshape(1, 3, 1, 1)
    assert abs(Grey("RGB")(red).item() - 76.245) < 1e-4
    assert abs(Grey("BGR")(red).item() - 29.07) < 1e-4
    assert torch.allclose(Grey()(torch.full((1, 3, 2, 2), 100.0)), torch.tensor(100.0))
