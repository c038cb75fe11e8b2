"""Real tasks of Ray on this machine: one cluster of two cores for all tests."""

import builtins
import os
import signal
import time
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from alexnet.cluster import Executor, ShardJob, open_cluster, run_shards
from alexnet.errors import AlexNetError, RunError, SourceError

ray = pytest.importorskip("ray")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of Ray's own modules
    pytest.mark.xdist_group("ray"),
]


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_TQDM_PATCH_PRINT"] = "0"  # as `ray_cluster` does where it starts Ray
    os.environ.setdefault("RAY_AUTH_TOKEN", "0" * 64)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    with open_cluster("auto") as connected:
        yield connected
    ray.shutdown()


def job(folder: Path, task: object, shards: int = 6) -> ShardJob:
    return ShardJob(
        title="computing",
        task=task,  # type: ignore[arg-type]
        shards=shards,
        images=lambda number: 1,
        total=shards,
        key="key",
        folder=folder / "shards",
    )


def make_task(folder: Path, kind: str) -> object:
    class Task:  # pickled by value: the tests are no package that a worker could import
        def run(self, number: int) -> bytes:
            tried = folder / f"tried {number}"
            first = not tried.exists()
            with tried.open("a") as file:
                file.write("x")
            if number == 2 and kind == "killed" and first:
                os.kill(os.getpid(), signal.SIGKILL)
            if number == 2 and kind == "error":
                raise SourceError("The image is of another kind.")
            time.sleep(0.02)
            return bytes([number])

    return Task()


def test_a_killed_workers_shard_is_computed_again(tmp_path: Path, executor: Executor) -> None:
    with run_shards(job(tmp_path, make_task(tmp_path, "killed")), executor) as parts:
        assert [*parts] == [bytes([i]) for i in range(6)]
    assert len((tmp_path / "tried 2").read_text()) == 2


def test_an_error_with_a_sentence_is_not_tried_again(tmp_path: Path, executor: Executor) -> None:
    with (
        pytest.raises(SourceError, match="of another kind"),
        run_shards(job(tmp_path, make_task(tmp_path, "error")), executor) as parts,
    ):
        list(parts)
    assert (tmp_path / "tried 2").read_text() == "x"


def test_an_address_where_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise ConnectionError("nobody is there")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with (
        pytest.raises(RunError, match=r"No Ray cluster answers at 10\.0\.0\.1:6379: nobody"),
        open_cluster("10.0.0.1:6379"),
    ):
        pass


def test_without_ray_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with (
        pytest.raises(AlexNetError, match=r'pip install "alexnet\[cluster\]"'),
        open_cluster("auto"),
    ):
        pass


def test_the_programs_own_print_stays(executor: Executor) -> None:
    """Ray would replace it when a task prints, and pickle finds Python's no more then."""
    del executor
    assert isinstance(builtins.print, types.BuiltinFunctionType)
