"""Starting processes on this machine: torch's own agent, which also starts them again.

What `torchrun --standalone --nproc-per-node N` does, and nothing beside it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import tempfile
import uuid
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from alexnet.errors import Interrupted, RunError

__all__ = ["REPORT", "forget_outcome", "launch", "write_outcome"]

REPORT = "ALEXNET_REPORT"
"""Environment variable of launched processes: where each leaves its exit code and record."""

_RESTARTS = 3  # after processes that died; an error that was said is not tried again
_ENVIRONMENT = {
    # With the launcher's store the processes of a group that was started again find the addresses
    # of dead ones, and fail or hang (torch 2.13).
    "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
}


def launch(words: Sequence[str], processes: int, *, cores: int) -> dict[str, Any]:
    """Run a command in several processes that train together; return process 0's record.

    Args:
        words: after `alexnet`.
        processes: how many, at least 2.
        cores: that they share.

    Raises:
        RunError: they ended without a result; each has said why.
        Interrupted: the launcher was told to end, and told them.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # That it stops and starts processes is told by these; it says as a warning how.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="alexnet-") as scratch:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=_RESTARTS,
            logs_specs=DefaultLogsSpecs(),
        )
        outcomes = Path(scratch)
        with _environment(outcomes, max(1, cores // processes)):
            try:
                elastic_launch(config, sys.executable)("-m", "alexnet", *words)
            except ChildFailedError as error:
                rank, failure = error.get_first_failure()
                raise RunError(
                    f"Process {rank} ended with {_exit_words(failure.exitcode)}, and starting all "
                    f"again did not help after {_RESTARTS} times. The same command continues the "
                    "run."
                ) from error
            except SignalException as error:  # the agent has passed the signal on, and waited
                if not any(outcomes.iterdir()):
                    raise Interrupted(
                        f"Stopped by {error.sigval.name}. The same command goes on."
                    ) from error
        return _record(outcomes)


def write_outcome(rank: int, code: int, record: Mapping[str, Any] | None = None) -> bool:
    """Leave a launched process's exit code and record to its launcher; False: it has none.

    An error that was said must not look to torch's agent as if the process had died: it would
    start all of them again, and hear the same.
    """
    folder = os.environ.get(REPORT)
    if folder is None:
        return False
    text = json.dumps({"code": code, "record": record}, allow_nan=False)
    (Path(folder) / f"{rank}.json").write_text(text)
    return True


def forget_outcome(rank: int) -> None:
    """Remove what a process left that had this rank before all were started again."""
    if REPORT in os.environ:
        (Path(os.environ[REPORT]) / f"{rank}.json").unlink(missing_ok=True)


def _record(outcomes: Path) -> dict[str, Any]:
    """Return process 0's record; end as a process did that has said why."""
    found = [json.loads(path.read_text()) for path in sorted(outcomes.glob("*.json"))]
    codes = [each["code"] for each in found if each["code"]]
    record = next((each["record"] for each in found if each["record"] is not None), None)
    if codes or record is None:
        raise SystemExit(codes[0] if codes else 1)
    return record


@contextlib.contextmanager
def _environment(outcomes: Path, threads: int) -> Generator[None]:
    """Set what launched processes need, and put the environment back."""
    own = {**_ENVIRONMENT, REPORT: str(outcomes)}
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        own[name] = os.environ.get(name, str(threads))
    before = dict(os.environ)
    os.environ.update(own)
    try:
        yield
    finally:
        for name in own:
            os.environ.pop(name)
        os.environ.update({name: before[name] for name in own if name in before})


def _exit_words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
