"""Meeting the other processes of a training, and parting from them.

They are started by torch's launcher (`torchrun`, or `alexnet train --processes N`), which also
starts them again when one dies. What is here reads the launcher's environment, meets the others at
its store, and makes a process group of torch's: gloo on processors, NCCL beside it on GPUs.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import socket
import threading
import time
from collections.abc import Generator
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from alexnet.distributed.world import EndedByAnother, OthersLost, World, become, world
from alexnet.errors import RunError
from alexnet.text import format_count, join_words

__all__ = ["TIMEOUT", "join_world", "launched", "leave_world", "together"]

TIMEOUT = "ALEXNET_PROCESS_TIMEOUT"
"""Environment variable: seconds that a process waits for the others within a step."""

_TIMEOUT_S = 300.0
_LEAVE_S = 30.0  # that process 0 waits at its end for the others
_HEAR_S = 2.0  # that it waits for them to hear of an error


def launched() -> tuple[int, int]:
    """Return rank and number of the processes that a launcher started; (0, 1): there is none."""
    size = os.environ.get("WORLD_SIZE", "1")
    rank = os.environ.get("RANK", "")
    known = "MASTER_ADDR" in os.environ and "MASTER_PORT" in os.environ
    if not known or not rank.isdecimal() or not size.isdecimal() or int(size) < 2:
        return 0, 1
    return int(rank), int(size)


def join_world() -> World:
    """Meet the processes that the launcher started with this one, where there are any.

    Raises:
        RunError: some did not come; says which, and how long they were waited for.
    """
    rank, size = launched()
    if size == 1 or not world().alone:
        return world()
    import torch

    dist = _distributed()
    seconds = timeout_s()
    began = time.monotonic()
    try:
        store = _store(rank, size, seconds)
    except (RuntimeError, ValueError) as error:
        raise RunError(
            f"Process {rank} of {size} ({platform.node()}) could not reach the store of process 0 "
            f"at {os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']} "
            f"within {seconds:.0f} s. Check that this name leads to that machine from here, and "
            "that no firewall stands between them."
        ) from error
    joined = World(rank, size, dist.PrefixStore("alexnet", store))
    _meet(joined, seconds - (time.monotonic() - began))
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    with joined.naming_the_lost("connecting with each other"):
        dist.init_process_group(
            backend,
            store=dist.PrefixStore("group", store),
            rank=rank,
            world_size=size,
            timeout=timedelta(seconds=seconds),
        )
    become(joined)
    return joined


def _store(rank: int, size: int, seconds: float) -> Any:
    """Return the store that the launcher's environment names, as torch's "env://" does.

    Only that process 0 waits here for nobody: torch's would, and could not say for whom.
    """
    dist = _distributed()
    by_launcher = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    store = dist.TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        size,
        is_master=rank == 0 and not by_launcher,
        timeout=timedelta(seconds=seconds),
        wait_for_workers=False,
        multi_tenant=True,
    )
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return dist.PrefixStore(f"attempt/{attempt}", store) if by_launcher else store


def _distributed() -> Any:
    """Return torch's module, some of whose stores are declared private."""
    import torch.distributed

    return torch.distributed


@contextlib.contextmanager
def together() -> Generator[World]:
    """Meet the others for a block of work; an error is told to them, so that they end, too.

    Raises:
        RunError: see `join_world`.
    """
    joined = join_world()
    try:
        with nullcontext() if joined.alone else _watching(joined):
            yield joined
    except OthersLost as error:
        said = joined.farewell()
        if said is None:
            raise
        rank, sentence, exit_code = said
        raise EndedByAnother(f"Process {rank} ended: {sentence}", exit_code) from error
    except Exception as error:
        joined.say_farewell(error)
        _close_group()  # others that wait for this process in a step wait no longer
        joined.wait_for_readers(_HEAR_S)
        raise
    else:
        joined.wait_for_readers(_LEAVE_S)
    finally:
        leave_world()


def leave_world() -> None:
    """Close the connections; this process is alone again."""
    _close_group()
    become(World())


def _close_group() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        # A group that still lives when Python ends aborts the process, whatever it returns.
        with contextlib.suppress(RuntimeError):
            dist.destroy_process_group()


@contextlib.contextmanager
def _watching(joined: World) -> Generator[None]:
    """Let a thread of this process see what the main thread cannot while it waits for the others.

    A launcher that dies is noticed by nobody else. And of a group that lost a process the launcher
    ends the rest by SIGTERM, which Python handles when the call that waits for the dead is over: so
    a process that has been told to end, and is stuck, ends at once.
    """
    reader, writer = socket.socketpair()
    reader.settimeout(1)
    writer.setblocking(False)
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False) if is_main else -1
    ended = threading.Event()
    arguments = (joined, os.getppid(), reader, ended)
    watcher = threading.Thread(target=_watch, args=arguments, name="watching", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        if is_main:
            signal.set_wakeup_fd(before)
        writer.close()
        watcher.join()
        reader.close()


def _watch(joined: World, launcher: int, signals: socket.socket, ended: threading.Event) -> None:
    told = False
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            told |= bool(set(signals.recv(64)) & {signal.SIGTERM, signal.SIGINT})
        if os.getppid() != launcher and not told:
            told = True
            os.kill(os.getpid(), signal.SIGTERM)
        if told and joined.is_stuck and not ended.is_set():
            os._exit(OthersLost.exit_code)


def timeout_s() -> float:
    """Return how long a process waits for the others within a step, in seconds.

    Raises:
        RunError: the environment says something that is no number above 0.
    """
    text = os.environ.get(TIMEOUT, "")
    if not text:
        return _TIMEOUT_S
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(text)) < 1e6:
            return seconds
    raise RunError(f"{TIMEOUT} is {text!r}; set it to seconds above 0, or unset it.")


def _meet(joined: World, seconds: float) -> None:
    """Wait until every process is there; say which are not."""
    joined.store.set(f"host/{joined.rank}", platform.node())
    keys = [f"host/{rank}" for rank in range(joined.size)]
    try:
        joined.store.wait(keys, timedelta(seconds=max(seconds, 1.0)))
    except RuntimeError as error:
        missing = [rank for rank, key in enumerate(keys) if not joined.store.check([key])]
        raise RunError(
            f"Process {joined.rank} of {joined.size} ({platform.node()}) waited {seconds:.0f} s "
            f"for {format_count(len(missing), 'other process', 'other processes')} "
            f"({join_words([str(rank) for rank in missing])}) and ends. Look there for what kept "
            f"them, or wait longer: {TIMEOUT}=900."
        ) from error
