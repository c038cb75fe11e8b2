"""Saving in the background: what is written is what was there at the call."""

import errno
import threading

import pytest
import torch

from alexnet.errors import RunError
from alexnet.runs.saver import Saver


@pytest.fixture
def saver():
    made = Saver()
    yield made
    made.close()


def test_what_is_written_is_what_was_there_at_the_call(saver):
    tensor, written = torch.zeros(4, 3, 5, 5).to(memory_format=torch.channels_last), []
    go = threading.Event()

    def write(copies):
        go.wait()
        written.append(copies["w"].clone())

    saver.save({"w": tensor}, write)
    tensor.fill_(1)  # training goes on
    assert written == []
    go.set()
    saver.save({"w": tensor}, write)  # waits for the one before, and takes its buffers
    saver.wait()
    assert [float(each.mean()) for each in written] == [0.0, 1.0]
    assert all(each.is_contiguous() for each in written)


def test_memory_is_one_copy_that_is_used_again(saver):
    places = []
    for _ in range(3):
        saver.save(
            {"w": torch.randn(7)}, lambda copies: places.append({id(t) for t in copies.values()})
        )
    saver.wait()
    assert places[0] == places[1] == places[2]


def test_never_two_writes_at_once(saver):
    at_work, most = [], []

    def write(copies):
        at_work.append(1)
        most.append(len(at_work))
        at_work.pop()

    for _ in range(50):
        saver.save({"w": torch.zeros(1)}, write)
    saver.wait()
    assert set(most) == {1}


@pytest.mark.parametrize("notice", ["check", "wait", "save"])
def test_a_write_that_fails_is_raised_once_where_training_looks(saver, notice):
    done = threading.Event()

    def full(copies):
        try:
            raise RunError("the disk is full")
        finally:
            done.set()

    saver.save({"w": torch.zeros(1)}, full)
    done.wait()
    if notice == "check":
        while True:
            try:
                saver.check()
            except RunError as error:
                assert str(error) == "the disk is full"
                break
    elif notice == "wait":
        with pytest.raises(RunError, match="the disk is full"):
            saver.wait()
    else:
        with pytest.raises(RunError, match="the disk is full"):
            saver.save({"w": torch.zeros(1)}, lambda copies: None)
    saver.check()
    saver.wait()


def test_closing_waits_for_the_write(saver):
    written = []
    saver.save({"w": torch.zeros(1)}, lambda copies: written.append(OSError(errno.ENOSPC, "full")))
    saver.close()
    assert len(written) == 1


def test_what_is_held_is_not_copied_and_all_else_is(saver):
    tensors, written = {"held": torch.zeros(3), "other": torch.zeros(3)}, {}
    saver.save(tensors, written.update, held={"held"})
    saver.wait()
    places = {name: written[name].data_ptr() == each.data_ptr() for name, each in tensors.items()}
    assert places == {"held": True, "other": False}
