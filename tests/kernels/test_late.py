"""Kernels that are loaded when enough images have come."""

from __future__ import annotations

import threading

import pytest

from alexnet.kernels import late
from alexnet.kernels.late import LateKernels, expect_images, load_at_once


@pytest.fixture(autouse=True)
def nothing_at_once(monkeypatch):
    monkeypatch.setattr(late, "_is_at_once", threading.Event())


def test_the_first_calls_are_answered_without():
    kernels = LateKernels("late", calls=3)
    assert [kernels.get() for _ in range(3)] == [None] * 3
    assert kernels.get() is late
    assert kernels.get() is late


def test_what_cannot_be_loaded_is_tried_once(monkeypatch):
    tried: list[str] = []

    def fail(name: str) -> None:
        tried.append(name)
        raise ImportError(name)

    monkeypatch.setattr(late.importlib, "import_module", fail)
    kernels = LateKernels("missing", calls=0)
    assert [kernels.get() for _ in range(3)] == [None] * 3
    assert tried == ["alexnet.kernels.missing"]


def test_who_measures_loads_at_once():
    kernels = LateKernels("late", calls=10**9)
    assert kernels.get() is None
    load_at_once()
    assert kernels.get() is late


@pytest.mark.parametrize(("count", "loaded"), [(2000, False), (2001, True)])
def test_who_knows_that_many_come_loads_at_once(count, loaded):
    kernels = LateKernels("late")
    expect_images(count)
    assert (kernels.get() is late) is loaded


def test_several_threads_count_together():
    kernels = LateKernels("late", calls=40)
    answers: list[object] = []

    def ask() -> None:
        answers.extend(kernels.get() for _ in range(10))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(None) == 40
