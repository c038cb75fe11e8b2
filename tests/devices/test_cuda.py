"""What is asked of an accelerator, in which order: held against a card that only listens."""

from __future__ import annotations

import contextlib

import pytest
import torch

from alexnet.devices import (
    SideStream,
    accelerator_name,
    empty_pinned,
    free_bytes,
    record_event,
    synchronize,
    wait_event,
)
from alexnet.devices import cuda as accelerator


class Listening:
    """Stands in for `torch.cuda`: writes down what it is asked."""

    def __init__(self):
        self.said = []
        self.current = "training"
        self.streams = 0

    def is_available(self):
        return True

    def get_device_name(self):
        return "a card"

    def mem_get_info(self):
        return 30, 80

    def synchronize(self):
        self.said.append("synchronize")

    def current_stream(self):
        card, name = self, self.current

        class Stream:
            def wait_event(self, event):
                card.said.append(f"{name} waits for {event.name}")

            def __str__(self):
                return name

        return Stream()

    def Stream(self):  # noqa: N802
        self.streams += 1
        return f"lane {self.streams}"

    @contextlib.contextmanager
    def stream(self, name):
        before, self.current = self.current, name
        yield
        self.current = before

    def Event(self, *, blocking):  # noqa: N802
        card = self
        assert blocking  # whoever waits sleeps

        class Event:
            name = ""

            def record(self, stream):
                self.name = f"a mark on {stream}"

            def synchronize(self):
                card.said.append(f"the thread waits for {self.name}")

        return Event()


class Made:
    """A tensor that was made on the lane."""

    def __init__(self, card):
        self.card = card

    def record_stream(self, stream):
        self.card.said.append(f"memory is kept for {stream}")


@pytest.fixture
def card(monkeypatch):
    found = Listening()
    monkeypatch.setattr(accelerator, "_cuda", lambda: found)
    return found


def test_gpu_name_and_free_memory(card):
    assert accelerator_name() == "a card"
    assert free_bytes("cuda") == 30
    synchronize("cuda")
    assert card.said == ["synchronize"]


def test_side_stream_tensors_are_waited_for_on_the_device_and_recorded(card):
    lane = SideStream("cuda")
    with lane.context():
        assert card.current == "lane 1"
        made = record_event("cuda")
    assert card.current == "training"
    lane.make_available(made, [Made(card), Made(card)])
    assert card.said == [
        "training waits for a mark on lane 1",
        "memory is kept for training",
        "memory is kept for training",
    ]


def test_side_stream_is_created_once(card):
    lane = SideStream("cuda")
    for _ in range(3):
        with lane.context():
            pass
    assert card.streams == 1


def test_only_waiting_for_an_event_blocks_the_thread(card):
    found = record_event("cuda")
    assert card.said == []
    wait_event(found)
    assert card.said == ["the thread waits for a mark on training"]


def test_every_function_works_on_a_processor(monkeypatch):
    monkeypatch.setattr(accelerator, "_cuda", lambda: pytest.fail("no processor is asked there"))
    lane = SideStream("cpu")
    with lane.context():
        made = record_event("cpu")
    lane.make_available(made, [torch.zeros(1)])
    wait_event(made)
    synchronize("cpu")
    assert free_bytes("cpu") == 0
    memory = empty_pinned((2, 3), torch.uint8, "cpu")
    assert (tuple(memory.shape), memory.dtype) == ((2, 3), torch.uint8)


@pytest.mark.gpu
def test_every_function_works_on_the_gpu():
    assert accelerator_name()
    assert free_bytes("cuda") > 0
    lane, memory = SideStream("cuda"), empty_pinned((1 << 20,), torch.uint8, "cuda")
    assert memory.is_pinned()
    memory.fill_(7)
    with lane.context():
        there = memory.to("cuda", non_blocking=True)
        made = record_event("cuda")
    lane.make_available(made, [there])
    assert int(there.long().sum()) == 7 << 20
    wait_event(record_event("cuda"))
    synchronize("cuda")
