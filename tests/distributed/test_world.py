"""What processes tell each other, and what is said when one is lost: threads that share a store."""

from __future__ import annotations

import importlib
import threading
import time

import pytest
import torch.distributed as dist

from alexnet.distributed import EndedByAnother, OthersLost, World, alone, together, world
from alexnet.errors import RecipeError, RunError

# By their full names: the package's attribute `world` is the function.
joining = importlib.import_module("alexnet.distributed.joining")
world_module = importlib.import_module("alexnet.distributed.world")


@pytest.fixture
def worlds():
    store = dist.HashStore()
    return [World(rank, 2, store) for rank in range(2)]


def in_threads(*functions):
    """Call each in a thread of its own; return what they returned, or the errors."""
    results = [None] * len(functions)

    def work(index, function):
        try:
            results[index] = function()
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=work, args=each) for each in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_process_0_speaks_for_all(worlds):
    told = in_threads(lambda: worlds[0].from_first([1, "ä"]), lambda: worlds[1].from_first())
    assert told == [[1, "ä"], [1, "ä"]]


def test_all_hear_all_in_order(worlds):
    told = in_threads(lambda: worlds[0].from_all("a"), lambda: worlds[1].from_all("b"))
    assert told == [["a", "b"], ["a", "b"]]


def test_whoever_waits_hears_why_another_ended(worlds):
    def fails():
        time.sleep(0.1)
        worlds[0].say_farewell(RecipeError("That cannot be."))

    _, lost = in_threads(fails, lambda: worlds[1].from_first())
    assert isinstance(lost, OthersLost)
    assert worlds[1].farewell() == (0, "That cannot be.", 2)
    assert worlds[0].farewell() is None  # its own


def test_the_lost_are_named_with_their_hosts(worlds, monkeypatch):
    monkeypatch.setattr(world_module, "_ANSWER_S", 0.3)
    worlds[0].store.set("host/1", "elsewhere")
    with (
        pytest.raises(
            OthersLost, match=r"waited 0 s for process 1 of 2 \(elsewhere\) while making"
        ),
        worlds[0].naming_the_lost("making step 3"),
    ):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:1] Connection closed by peer")


def test_other_errors_pass_through(worlds):
    with (
        pytest.raises(RuntimeError, match="out of memory"),
        worlds[0].naming_the_lost("making step 3"),
    ):
        raise RuntimeError("out of memory")


def test_a_store_that_does_not_answer_keeps_nobody(worlds, monkeypatch):
    monkeypatch.setattr(world_module, "_ANSWER_S", 0.2)
    monkeypatch.setattr(worlds[0], "store", _DeadStore())
    started = time.monotonic()
    with (
        pytest.raises(OthersLost, match="for the others while"),
        worlds[0].naming_the_lost("making step 3"),
    ):
        raise RuntimeError("gloo: timed out")
    assert worlds[0].farewell() is None
    assert time.monotonic() - started < 5


class _DeadStore:
    """As where the link is down: calls come back when TCP gives up."""

    def __getattr__(self, name):
        return lambda *_: time.sleep(60)


def test_alone_nobody_is_asked():
    assert world().alone
    assert world().from_first(7) == 7
    assert world().from_all(7) == [7]
    with together() as group:
        assert group.alone


def test_a_process_can_work_without_the_others(worlds, monkeypatch):
    monkeypatch.setattr(world_module, "_world", worlds[1])
    with alone():
        assert world().alone
    assert world() is worlds[1]


def launcher(monkeypatch, **changes):
    """The environment of a process that torch's launcher started."""
    values = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    for name, value in {**values, **changes}.items():
        monkeypatch.setenv(name, value)


def test_whoever_does_not_come_is_named(monkeypatch, unused_port):
    launcher(monkeypatch, MASTER_PORT=str(unused_port), WORLD_SIZE="3")
    monkeypatch.setenv("ALEXNET_PROCESS_TIMEOUT", "1.5")
    with pytest.raises(RunError, match=r"for 2 other processes \(1 and 2\) and ends"), together():
        pass
    assert world().alone


def test_a_store_that_is_not_there_is_said(monkeypatch, unused_port):
    launcher(monkeypatch, RANK="1", MASTER_PORT=str(unused_port))
    monkeypatch.setenv("ALEXNET_PROCESS_TIMEOUT", "1")
    with (
        pytest.raises(RunError, match="could not reach the store of process 0 at 127.0.0.1"),
        together(),
    ):
        pass


@pytest.mark.parametrize("text", ["soon", "0", "-3", "nan"])
def test_a_timeout_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("ALEXNET_PROCESS_TIMEOUT", text)
    with pytest.raises(RunError, match="seconds above 0"):
        joining.timeout_s()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (0, 2)),
        ({"WORLD_SIZE": "1"}, (0, 1)),
        ({"WORLD_SIZE": "x"}, (0, 1)),
        ({"RANK": ""}, (0, 1)),
    ],
)
def test_a_launcher_is_told_by_its_environment(monkeypatch, changes, expected):
    launcher(monkeypatch, **changes)
    assert joining.launched() == expected


def test_an_error_is_told_to_the_others_and_ends_with_their_code(monkeypatch, worlds):
    monkeypatch.setattr(joining, "join_world", lambda: worlds[1])
    worlds[0].say_farewell(RecipeError("No such model."))
    with (
        pytest.raises(EndedByAnother, match=r"Process 0 ended: No such model\.") as caught,
        together(),
    ):
        raise OthersLost("gone")
    assert caught.value.exit_code == 2


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
