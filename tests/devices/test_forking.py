"""A process that was forked from one that had computed computes on one thread, and ends."""

from __future__ import annotations

import multiprocessing
import os

import pytest
import torch

from alexnet.devices import choose_device, is_forked, usable_threads

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def in_child(work):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    process = context.Process(target=lambda: results.put(work()))
    process.start()
    try:
        return results.get(timeout=60)
    finally:
        process.kill()
        process.join()


def convolve():
    x = torch.ones(16, 16, 64, 64)
    return float(torch.nn.functional.conv2d(x, torch.ones(16, 16, 3, 3)).sum())


def test_the_child_computes_what_the_parent_did():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected = convolve()  # OpenMP's threads are there now
        assert in_child(convolve) == expected
    finally:
        torch.set_num_threads(before)


def test_the_child_keeps_to_one_thread_whatever_is_asked_for():
    def work():
        threads = choose_device("fp32", threads=2).threads
        return threads, torch.get_num_threads(), is_forked(), convolve() > 0

    assert in_child(work) == (1, 1, True, True)


def test_the_parent_is_as_it_was():
    in_child(is_forked)
    assert not is_forked()
    assert usable_threads(7) == 7
