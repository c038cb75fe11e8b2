"""What is asked of an accelerator, in which order: held against a card that only listens."""

from __future__ import annotations

import contextlib

import pytest
import torch

from alexnet.devices import Lane, accelerator_name, finish, free_bytes, mark, pinned, reach
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


def test_a_card_is_named_and_its_free_memory_told(card):
    assert accelerator_name() == "a card"
    assert free_bytes("cuda") == 30
    finish("cuda")
    assert card.said == ["synchronize"]


def test_what_the_lane_made_is_waited_for_by_the_device_alone_and_its_memory_kept(card):
    lane = Lane("cuda")
    with lane.beside():
        assert card.current == "lane 1"
        made = mark("cuda")
    assert card.current == "training"
    lane.hand_over(made, [Made(card), Made(card)])
    assert card.said == [
        "training waits for a mark on lane 1",
        "memory is kept for training",
        "memory is kept for training",
    ]


def test_a_lane_stays_the_same_so_that_its_memory_is_used_again(card):
    lane = Lane("cuda")
    for _ in range(3):
        with lane.beside():
            pass
    assert card.streams == 1


def test_only_reaching_a_mark_holds_up_the_thread(card):
    found = mark("cuda")
    assert card.said == []
    reach(found)
    assert card.said == ["the thread waits for a mark on training"]


def test_a_processor_has_an_answer_to_everything(monkeypatch):
    monkeypatch.setattr(accelerator, "_cuda", lambda: pytest.fail("no processor is asked there"))
    lane = Lane("cpu")
    with lane.beside():
        made = mark("cpu")
    lane.hand_over(made, [torch.zeros(1)])
    reach(made)
    finish("cpu")
    assert free_bytes("cpu") == 0
    memory = pinned((2, 3), torch.uint8, "cpu")
    assert (tuple(memory.shape), memory.dtype) == ((2, 3), torch.uint8)


@pytest.mark.gpu
def test_the_card_of_this_machine_does_it_all():
    assert accelerator_name()
    assert free_bytes("cuda") > 0
    lane, memory = Lane("cuda"), pinned((1 << 20,), torch.uint8, "cuda")
    assert memory.is_pinned()
    memory.fill_(7)
    with lane.beside():
        there = memory.to("cuda", non_blocking=True)
        made = mark("cuda")
    lane.hand_over(made, [there])
    assert int(there.long().sum()) == 7 << 20
    reach(mark("cuda"))
    finish("cuda")
