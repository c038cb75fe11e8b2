from collections.abc import Iterator
from pathlib import Path

import pytest

from alexnet.cluster import LocalExecutor, ShardJob, ShardTask, TaskOutcome, run_shards
from alexnet.cluster.executor import compute_shard
from alexnet.errors import Interrupted, RunError, SourceError


class Squares:
    def __init__(self, *, broken: tuple[int, ...] = ()) -> None:
        self.computed: list[int] = []
        self.broken = broken

    def run(self, number: int) -> bytes:
        self.computed.append(number)
        if number in self.broken:
            raise SourceError(f"Shard {number} is broken.")
        return str(number**2).encode()


class Backwards(LocalExecutor):
    """Ends the shard last that was submitted first."""

    slots = 3

    def wait(self, timeout_s: float) -> TaskOutcome | None:
        self._waiting.sort(reverse=True)
        self.most = max(getattr(self, "most", 0), len(self._waiting))
        return super().wait(timeout_s)


def job(folder: Path, task: ShardTask, *, key: object = "a", shards: int = 9) -> ShardJob:
    return ShardJob(
        title="squaring",
        task=task,
        shards=shards,
        images=lambda number: 1,
        total=shards,
        key=key,
        folder=folder / "shards",
    )


SQUARES = [str(i**2).encode() for i in range(9)]


@pytest.mark.parametrize("executor", [LocalExecutor(), Backwards()])
def test_shards_come_in_order_once_each_and_leave_nothing(
    tmp_path: Path, executor: LocalExecutor
) -> None:
    task = Squares()
    with run_shards(job(tmp_path, task), executor) as parts:
        assert [*parts] == SQUARES
    assert sorted(task.computed) == [*range(9)]
    assert not (tmp_path / "shards").exists()


def test_no_more_shards_are_under_way_than_twice_the_slots(tmp_path: Path) -> None:
    executor = Backwards()
    with run_shards(job(tmp_path, Squares(), shards=30), executor) as parts:
        assert len([*parts]) == 30
    assert executor.most == 6


def stopped(parts: Iterator[bytes], after: int) -> None:
    for _ in range(after):
        next(parts)
    raise KeyboardInterrupt


def test_an_interrupted_job_goes_on_with_the_shards_that_are_done(tmp_path: Path) -> None:
    with (
        pytest.raises(Interrupted, match=r"4 of 9 shards are kept in .*The same command goes on"),
        run_shards(job(tmp_path, Squares()), LocalExecutor()) as parts,
    ):
        stopped(parts, 4)
    again = Squares()
    with run_shards(job(tmp_path, again), LocalExecutor()) as parts:
        assert [*parts] == SQUARES
    assert again.computed == [*range(4, 9)]


@pytest.mark.parametrize("change", ["key", "bytes", "length"])
def test_a_part_that_is_not_this_jobs_is_computed_again(tmp_path: Path, change: str) -> None:
    with (
        pytest.raises(Interrupted),
        run_shards(job(tmp_path, Squares()), LocalExecutor()) as parts,
    ):
        stopped(parts, 3)
    path = tmp_path / "shards" / "shard-00000001.part"
    if change == "bytes":
        path.write_bytes(path.read_bytes()[:-1] + b"7")
    if change == "length":
        path.write_bytes(path.read_bytes()[:-1])
    again = Squares()
    key = "b" if change == "key" else "a"
    with run_shards(job(tmp_path, again, key=key), LocalExecutor()) as parts:
        assert [*parts] == SQUARES
    assert again.computed == ([*range(9)] if change == "key" else [1, *range(3, 9)])


@pytest.mark.parametrize("executor", [LocalExecutor(), Backwards()])
def test_the_first_error_in_order_is_raised_and_the_rest_kept(
    tmp_path: Path, executor: LocalExecutor
) -> None:
    task = Squares(broken=(2, 4))
    with (
        pytest.raises(SourceError, match=r"Shard 2 is broken\. \d of 9 shards are kept"),
        run_shards(job(tmp_path, task), executor) as parts,
    ):
        list(parts)
    assert task.computed.count(2) == 1


def test_exit_in_a_task_is_an_error_with_a_sentence() -> None:
    class Exits:
        def run(self, number: int) -> bytes:
            raise SystemExit(3)

    with pytest.raises(RunError, match="ended its process by itself"):
        compute_shard(Exits(), 5).require_data()


def test_two_commands_do_not_share_a_folder(tmp_path: Path) -> None:
    with run_shards(job(tmp_path, Squares()), LocalExecutor()) as parts:
        with (
            pytest.raises(RunError, match="in use by process"),
            run_shards(job(tmp_path, Squares()), LocalExecutor()),
        ):
            pass
        assert [*parts] == SQUARES
