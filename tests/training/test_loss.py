"""Losses against their formulas."""

import numpy as np
import pytest
import torch

from alexnet.training import class_weights, make_loss

LOGITS = torch.tensor([[1.0, 2.0, -1.0], [0.0, 0.5, 0.25]])
LABELS = torch.tensor([1, 2])


def test_softmax_is_the_mean_negative_log_probability():
    p = torch.softmax(LOGITS.double(), dim=1)
    wanted = -(p[0, 1].log() + p[1, 2].log()) / 2
    assert make_loss("softmax")(LOGITS, LABELS).item() == pytest.approx(wanted.item())


def test_smoothing_spreads_a_share_of_the_label_over_all_classes():
    logits = LOGITS.double()
    truth = 0.7 * torch.nn.functional.one_hot(LABELS, 3).double() + 0.3 / 3
    wanted = -(truth * logits.log_softmax(dim=1)).sum(dim=1).mean()
    found = make_loss("softmax", smoothing=0.3)(logits, LABELS)
    assert found.item() == pytest.approx(wanted.item())


def test_both_losses_have_output_minus_target_as_gradient():
    truth = torch.nn.functional.one_hot(LABELS, 3).float()
    for loss, answer in (("softmax", torch.softmax(LOGITS, 1)), ("squared", LOGITS)):
        logits = LOGITS.clone().requires_grad_()
        make_loss(loss)(logits, LABELS).backward()
        torch.testing.assert_close(logits.grad, (answer - truth) / 2)


def test_class_weights_have_mean_one_over_the_images_and_balance_the_classes():
    labels = np.array([0, 0, 0, 1, 3])
    weights = class_weights(labels, 4)
    assert weights[labels].mean() == pytest.approx(1)
    sums = np.bincount(labels, weights[labels], minlength=4)
    assert sums[[0, 1, 3]] == pytest.approx([5 / 3] * 3)
    assert weights[2] == 0
    weighted = make_loss("softmax", np.array([1, 3, 0.5], dtype=np.float32))
    plain = torch.nn.functional.cross_entropy(LOGITS, LABELS, reduction="none")
    wanted = (3 * plain[0] + 0.5 * plain[1]) / 2
    assert weighted(LOGITS, LABELS).item() == pytest.approx(wanted.item())
