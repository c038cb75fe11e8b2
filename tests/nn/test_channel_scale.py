"""A factor and a summand for each channel, against sums by hand."""

from __future__ import annotations

import torch

from alexnet.nn import ChannelScale


def test_it_starts_by_changing_nothing():
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ChannelScale((3,))(x), x)


def test_each_channel_has_its_own_numbers():
    layer = ChannelScale((2,))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([2.0, -1]))
        layer.bias.copy_(torch.tensor([0.5, 0]))
    found = layer(torch.ones(1, 2, 1, 3))
    assert found.flatten().tolist() == [2.5, 2.5, 2.5, -1, -1, -1]
    rows = ChannelScale((3,), axis=2, bias=False)
    with torch.no_grad():
        rows.weight.copy_(torch.tensor([1.0, 2, 3]))
    assert rows(torch.ones(1, 1, 3, 2)).flatten().tolist() == [1, 1, 2, 2, 3, 3]
    assert [name for name, _ in rows.named_parameters()] == ["weight"]
