from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from alexnet.data.remote import shard_cache
from alexnet.data.remote.shard_cache import BusyError, ShardCache, cache_limit, remote_folder
from alexnet.errors import RecipeError, SourceError
from alexnet.locks import locked


def filled(data: bytes):
    def write(file: BinaryIO) -> None:
        file.write(data)

    return write


def add(cache: ShardCache, name: str, size: int) -> Path | None:
    return cache.add(name, size, filled(b"x" * size), wait=True)


def held() -> int:
    return sum(path.stat().st_size for path in remote_folder().rglob("*") if path.is_file())


def test_a_file_is_written_once_and_found():
    cache = ShardCache("pack", 1000)
    path = add(cache, "a", 100)
    assert path is not None
    assert path.read_bytes() == b"x" * 100
    assert cache.add("a", 100, filled(b"y" * 100), wait=True) == path
    assert path.read_bytes() == b"x" * 100
    assert cache.find("a", 100) == path
    assert cache.find("a", 99) is None
    assert [each.name for each in cache.folder.iterdir()] == ["a"]


def test_the_limit_holds_and_what_is_open_stays():
    cache = ShardCache("pack", 250)
    assert add(cache, "a", 100)
    assert add(cache, "b", 100)
    assert add(cache, "c", 100) is None
    assert cache.find("a")
    assert held() == 200


def test_packs_that_nobody_has_open_make_room_by_least_recent_use():
    old = ShardCache("old", 1000)
    for number, name in enumerate("abc"):
        path = add(old, name, 100)
        assert path is not None
        os.utime(path, (number, number))
    old.find("a")  # used now
    old.close()
    cache = ShardCache("new", 300)
    assert add(cache, "d", 150)
    assert old.find("a")
    assert old.find("b") is None
    assert old.find("c") is None
    assert held() <= 300


def test_nothing_is_removed_where_that_would_not_be_enough():
    old = ShardCache("old", 1000)
    add(old, "a", 100)
    old.close()
    assert add(ShardCache("new", 300), "d", 400) is None
    assert old.find("a")


def test_what_a_killed_process_was_writing_makes_room():
    left = remote_folder() / "pack" / ".a.unfinished"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x" * 300)
    assert add(ShardCache("pack", 300), "b", 100)
    assert not left.exists()


def test_a_killed_process_has_nothing_open(tmp_path):
    old = ShardCache("old", 1000)
    add(old, "a", 200)
    note = old._user
    old.close()
    note.write_bytes(b"")  # left without its lock
    assert add(ShardCache("new", 300), "b", 200)
    assert not note.exists()


def test_who_does_not_wait_is_told_that_another_writes():
    cache = ShardCache("pack", 1000)
    with locked(shard_cache._locks(), name="pack.a.lock"), pytest.raises(BusyError):
        cache.add("a", 1, filled(b"x"), wait=False)
    assert cache.add("a", 1, filled(b"x"), wait=False)


def test_two_who_want_a_file_write_it_once():
    written = []
    cache = ShardCache("pack", 1000)

    def write(file: BinaryIO) -> None:
        written.append(1)
        file.write(b"x")

    threads = [
        threading.Thread(target=lambda: cache.add("a", 1, write, wait=True)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written == [1]


def test_what_fails_leaves_nothing():
    cache = ShardCache("pack", 1000)

    def fail(_file: BinaryIO) -> None:
        raise SourceError("the store is away")

    with pytest.raises(SourceError, match="the store is away"):
        cache.add("a", 1, fail, wait=True)
    assert not any(cache.folder.iterdir())


def test_a_full_disk_is_said_and_no_error(caplog):
    cache = ShardCache("pack", 1000)

    def fail(_file: BinaryIO) -> None:
        raise OSError(28, "No space left on device")

    assert cache.add("a", 1, fail, wait=True) is None
    assert "No space left on device" in caplog.text


def test_the_limit_is_half_of_what_is_free_or_what_is_asked_for(monkeypatch):
    usage = shard_cache.shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shard_cache.shutil, "disk_usage", lambda _path: usage)
    assert cache_limit(None) == 500
    assert cache_limit(0) == 0
    assert cache_limit(1.5) == 1_500_000_000
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(RecipeError, match="cache_gb must be 0 or more GB"):
            cache_limit(wrong)
