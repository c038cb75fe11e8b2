"""Shards as tasks of Ray, with Ray's own retries."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray as _ray
from ray import exceptions

import alexnet
from alexnet.cluster.executor import ShardTask, TaskOutcome, compute_shard
from alexnet.errors import RunError

__all__ = ["RayExecutor", "ray_cluster"]

_RETRIES = 3  # Ray's default, for tasks whose process or machine died
ray: Any = _ray  # its types say little
_tasks: dict[str, ShardTask] = {}  # of a worker process: the one job that it works for


def _compute(job: str, version: str, folder: str, task: list[Any], number: int) -> TaskOutcome:
    """Compute a shard in a worker's process, which takes the job's task once."""
    if version != alexnet.__version__:
        sentence = (
            f"A worker has alexnet {alexnet.__version__}, and this command is of {version}. "
            "Install the same version on every machine of the cluster."
        )
        return TaskOutcome(number, error=("RunError", sentence))
    if job not in _tasks:
        _tasks.clear()
        with contextlib.suppress(OSError):  # relative paths are those of the command
            os.chdir(folder)
        _tasks[job] = ray.get(task[0])
    return compute_shard(_tasks[job], number)


@contextmanager
def ray_cluster(address: str) -> Generator[RayExecutor]:
    """Connect to a cluster for the time of the block; one that is connected already is taken.

    Args:
        address: of the head; "auto": what RAY_ADDRESS names, else a new one of this machine alone.

    Raises:
        RunError: nothing answers at the address.
    """
    if ray.is_initialized():
        yield RayExecutor()
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would send them over the network
    os.environ.setdefault("RAY_TQDM_PATCH_PRINT", "0")  # it would replace Python's `print`
    _connect(address)
    try:
        yield RayExecutor()
    finally:
        ray.shutdown()


def _connect(address: str) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    named = os.environ.get("RAY_ADDRESS") if address == "auto" else address
    if named:
        try:
            ray.init(address=named, **options)
        except (ConnectionError, RuntimeError, ValueError, OSError, exceptions.RayError) as cause:
            raise _unreachable(named, cause) from cause
        return
    # Never Ray's own "auto": it takes the last cluster that was started on this machine, also one
    # of another command, which ends with that command. A token of this cluster's own, for Ray
    # would else write one into the home folder.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        ray.init(address="local", include_dashboard=False, **options)
    except (ConnectionError, RuntimeError, ValueError, OSError, exceptions.RayError) as cause:
        raise RunError(
            f"Ray did not start on this machine: {_first_line(cause)}. Leave --cluster out, or "
            "start Ray with: ray start --head"
        ) from cause


def _unreachable(address: str, cause: BaseException) -> RunError:
    return RunError(
        f"No Ray cluster answers at {address}: {_first_line(cause)}. Look at the address (ray "
        "status names it on the head), or write --cluster auto."
    )


def _first_line(cause: BaseException) -> str:
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0].rstrip(".")


class RayExecutor:
    """Tasks of the cluster that this process is connected to."""

    def __init__(self) -> None:
        self._remote: Any = ray.remote(_compute)
        self._running: dict[Any, int] = {}
        self._arguments: tuple[str, str, str, list[Any]] = ("", "", "", [])
        self._cpus, self._gpus = 1, 0

    @property
    def slots(self) -> int:
        """How many shards the machines that are there now compute at once."""
        resources = ray.cluster_resources()
        by_cores = int(resources.get("CPU", 1)) // self._cpus
        by_gpus = int(resources.get("GPU", 0)) // self._gpus if self._gpus else by_cores
        return max(1, min(by_cores, by_gpus))

    @property
    def accelerated(self) -> bool:
        """Whether a machine of the cluster has a GPU."""
        return ray.cluster_resources().get("GPU", 0) >= 1

    def begin(self, task: ShardTask, *, cpus: int, gpus: int = 0) -> None:
        """Put the task where every machine fetches it once."""
        largest = max((int(node["Resources"].get("CPU", 0)) for node in _nodes()), default=1)
        self._cpus, self._gpus = max(1, min(cpus, largest)), gpus
        job, version, folder = secrets.token_hex(16), alexnet.__version__, str(Path.cwd())
        self._arguments = job, version, folder, [ray.put(task)]
        self._remote = ray.remote(_compute).options(
            num_cpus=self._cpus, num_gpus=gpus, max_retries=_RETRIES
        )

    def submit(self, number: int) -> None:
        """Hand a shard to Ray."""
        self._running[self._remote.remote(*self._arguments, number)] = number

    def wait(self, timeout_s: float) -> TaskOutcome | None:
        """Return a shard that has ended; its bytes are no longer kept in the cluster."""
        if not self._running:
            return None
        ready, _ = ray.wait([*self._running], num_returns=1, timeout=timeout_s)
        if not ready:
            return None
        number = self._running.pop(ready[0])
        try:
            return ray.get(ready[0])
        except exceptions.RayTaskError as error:
            if isinstance(error.cause, ModuleNotFoundError | ImportError):
                raise RunError(
                    f"A worker cannot import what it needs: {error.cause}. Install the same "
                    "version of alexnet on every machine of the cluster."
                ) from error
            raise  # a bug, with the traceback of the worker
        except (exceptions.RayError, ConnectionError) as error:
            raise RunError(
                f"Shard {number} failed {_RETRIES + 1} times: {_first_line(error)}. Look at the "
                "memory of the machines, and repeat the command: it goes on with the other shards."
            ) from error

    def cancel(self) -> None:
        """Stop all tasks, also those that compute."""
        for reference in self._running:
            with contextlib.suppress(exceptions.RayError, ConnectionError, ValueError, TypeError):
                ray.cancel(reference, force=True)
        self._running.clear()


def _nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]
