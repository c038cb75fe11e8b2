from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.data.sources import parallel_decoding
from alexnet.data.sources.parallel_decoding import decode_files
from alexnet.errors import RunError, SourceError
from alexnet.images import UnreadableImage


class Files:
    """Files whose bytes are their number; some of them cannot be read."""

    def __init__(self, count, bad=()):
        self.paths = [f"a/{i}.png" for i in range(count)]
        self.bad = set(bad)
        self.lock = threading.Lock()
        self.reads = []
        self.now = self.most = 0

    def read(self, index):
        with self.lock:
            self.reads.append(index)
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            if index in self.bad:
                raise UnreadableImage(self.paths[index], "it is gone")
            return index.to_bytes(4, "little")
        finally:
            with self.lock:
                self.now -= 1


def four(data, name):
    """The number of a file in four bytes, as (4,) uint8; the name tells the same."""
    assert name == f"a/{int.from_bytes(data, 'little')}.png"
    return np.frombuffer(data, dtype=np.uint8)


def numbers(rows):
    return rows.reshape(-1, 4).copy().view("<u4")[:, 0].tolist()


@given(
    order=st.permutations(range(40)).map(lambda each: each[:33]),
    bad=st.sets(st.integers(0, 39)),
    batch_size=st.integers(1, 40),
    workers=st.sampled_from([None, 1, 3]),
)
def test_everything_comes_in_order_and_failures_are_told_apart(order, bad, batch_size, workers):
    files = Files(40, bad)
    found, failed, sizes = [], [], []
    stream = decode_files(files, np.array(order), four, batch_size=batch_size, workers=workers)
    for indices, rows, failures in stream:
        assert (indices.dtype, rows.dtype) == (np.int64, np.uint8)
        assert len(rows) == len(indices)
        assert numbers(rows) == indices.tolist()
        found += indices.tolist()
        failed += failures
        sizes.append(len(indices) + len(failures))
    assert found == [i for i in order if i not in bad]
    assert failed == [(i, "it is gone") for i in order if i in bad]
    assert sizes == [len(order[s : s + batch_size]) for s in range(0, len(order), batch_size)]
    assert sorted(files.reads) == sorted(order)


def test_nothing_gives_nothing():
    assert list(decode_files(Files(0), np.arange(0), four, batch_size=4)) == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UnreadableImage("a/1.png", "it is cut off"), "it is cut off"),
        (SourceError("a/1.png is gone."), "is gone"),
        (SourceError("The disk is broken."), "The disk is broken"),
    ],
)
def test_a_reason_does_not_repeat_the_path(error, reason):
    def failing(data, name):
        if name == "a/1.png":
            raise error
        return four(data, name)

    ((indices, rows, failures),) = decode_files(Files(3), np.arange(3), failing, batch_size=3)
    assert indices.tolist() == [0, 2]
    assert numbers(rows) == [0, 2]
    assert failures == [(1, reason)]


@pytest.mark.parametrize("error", [RunError("the disk is full"), ZeroDivisionError("a bug")])
def test_what_is_no_images_fault_is_raised_and_ends_the_threads(error):
    before = threading.active_count()

    def failing(data, name):
        if name == "a/7.png":
            raise error
        return four(data, name)

    found = []
    with pytest.raises(type(error), match=str(error)):
        for indices, _, _ in decode_files(
            Files(40), np.arange(40), failing, batch_size=4, workers=2
        ):
            found += indices.tolist()
    assert found == [0, 1, 2, 3]
    assert threading.active_count() == before


@pytest.mark.parametrize("workers", [1, 4])
def test_closing_early_leaves_no_thread_and_reads_no_more(workers):
    before = threading.active_count()
    files = Files(10_000)
    stream = decode_files(files, np.arange(10_000), four, batch_size=100, workers=workers)
    next(stream)
    stream.close()
    assert threading.active_count() == before
    assert len(files.reads) <= 200
    read = len(files.reads)
    time.sleep(0.02)
    assert len(files.reads) == read


def test_no_thread_starts_before_the_first_batch_is_asked_for():
    before = threading.active_count()
    files = Files(5)
    decode_files(files, np.arange(5), four, batch_size=2)
    assert (threading.active_count(), files.reads) == (before, [])


def test_no_more_than_two_batches_are_under_way():
    files = Files(100)
    for done, _ in enumerate(
        decode_files(files, np.arange(100), four, batch_size=10, workers=3), start=1
    ):
        time.sleep(0.002)
        assert len(files.reads) <= 10 * (done + 1)


def test_workers_work_at_once_each_on_one_file():
    together = threading.Barrier(3, timeout=60)
    files = Files(12)

    def meeting(data, name):
        together.wait()
        return four(data, name)

    list(decode_files(files, np.arange(12), meeting, batch_size=12, workers=3))
    assert files.most <= 3


def test_small_files_are_taken_many_at_a_time(monkeypatch):
    """A task for each of them would cost more than reading it."""
    tasks = []
    submit = ThreadPoolExecutor.submit
    monkeypatch.setattr(
        ThreadPoolExecutor,
        "submit",
        lambda self, *arguments: tasks.append(1) or submit(self, *arguments),
    )
    files = Files(20_000)
    files.read = lambda index: index.to_bytes(4, "little")
    batches = decode_files(files, np.arange(20_000), four, batch_size=128, workers=2)
    assert sum(len(indices) for indices, _, _ in batches) == 20_000
    assert len(tasks) <= 20_000 / 30


def doubled(files):
    """Twice the number of each file, in four bytes."""
    twice = [2 * int.from_bytes(data, "little") for data in files]
    return np.array(twice, dtype="<u4").reshape(-1, 1).view(np.uint8)


@given(
    bad=st.sets(st.integers(0, 32)),
    batch_size=st.integers(1, 40),
    workers=st.sampled_from([1, 3]),
)
def test_a_summary_lies_before_the_row_of_its_file(bad, batch_size, workers):
    unread, undecoded = {i for i in bad if i % 2}, {i for i in bad if not i % 2}

    def decode(data, name):
        if int.from_bytes(data, "little") in undecoded:
            raise UnreadableImage(name, "it is cut off")
        return four(data, name)

    stream = decode_files(
        Files(33, unread),
        np.arange(33),
        decode,
        batch_size=batch_size,
        workers=workers,
        summarize=doubled,
    )
    found, failed = [], []
    for indices, rows, failures in stream:
        words = rows.reshape(len(indices), 8).copy().view("<u4")
        assert words.tolist() == [[2 * i, i] for i in indices.tolist()]
        found += indices.tolist()
        failed += failures
    assert found == [i for i in range(33) if i not in bad]
    assert [i for i, _ in failed] == sorted(bad)


def test_files_are_summarized_in_groups_that_end_with_their_bytes(monkeypatch):
    groups = []

    def count(files):
        groups.append(len(files))
        return doubled(files)

    settings = {"batch_size": 64, "workers": 1, "summarize": count}
    list(decode_files(Files(40), np.arange(40), four, **settings))
    assert groups == [8, 8, 4, 8, 8, 4]  # two tasks of twenty files
    groups.clear()
    monkeypatch.setattr(parallel_decoding, "_GROUP_BYTES", 9)  # files have 4 bytes
    list(decode_files(Files(6), np.arange(6), four, **settings))
    assert groups == [3, 3]
