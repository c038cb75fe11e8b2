from __future__ import annotations

import shutil
import threading

import numpy as np
import pytest

from alexnet.data.remote import reading_ahead, shard_files
from alexnet.data.remote.shard_cache import remote_folder
from alexnet.errors import SourceError
from fixtures.reading import batches, read_all


def shards_held() -> int:
    return sum("shard" in path.name for path in remote_folder().rglob("*"))


def sizes(packs) -> list[int]:
    return packs.open().pixels._files.places.shard_bytes


@pytest.mark.parametrize("shards", [0, 2, 7])
@pytest.mark.parametrize("seed", [None, 0])
def test_any_order_and_any_cache_give_the_local_packs_images(packs, shards, seed, monkeypatch):
    monkeypatch.setattr(reading_ahead, "AHEAD_BYTES", 3000)
    limit = sum(sizes(packs)[:shards]) + 30_000 if shards else 0  # room for the index
    remote = packs.open(cache_gb=limit / 1e9)
    for epoch in range(2):
        parts = batches(len(remote), 8, None if seed is None else seed + epoch)
        assert (read_all(remote, parts) == read_all(packs.local, parts)).all()
    assert not remote.pixels._announced


def test_with_room_each_shard_is_fetched_once_by_who_reads_in_order(packs, web):
    remote = packs.open()
    for _ in range(2):
        read_all(remote, batches(len(remote), 8, None))
    asked = [path for path, _, _ in web.asked if "shard" in path]
    assert len(asked) == len({*asked}) == 7


def test_without_room_each_image_is_fetched_once_an_epoch(packs, web, caplog, monkeypatch):
    monkeypatch.setattr(shard_files, "_GAP_BYTES", 0)
    remote = packs.open(cache_gb=0)
    for epoch in range(2):
        read_all(remote, batches(len(remote), 8, epoch))
    bytes_asked = sum(last - first + 1 for path, first, last in web.asked if "shard" in path)
    assert bytes_asked == 2 * int(remote.pixels._files.places.lengths.sum())
    assert caplog.text.count("The cache has no room") == 1
    assert "--cache-gb" in caplog.text
    assert shards_held() == 0


def test_neighbors_come_in_one_part(packs, web):
    remote = packs.open(cache_gb=0)
    remote.read(np.arange(10))
    remote.read(np.arange(10))
    assert web.count("shard-00000.u8") + web.count("shard-00000.tar") == 2


def test_shards_of_images_that_nobody_reads_stay_where_they_are(packs, web):
    remote = packs.open()
    read_all(remote, batches(20, 5, None))
    assert {path for path, _, _ in web.asked if "shard" in path} <= {
        f"/pack/{shard.name}" for shard in remote.header.shards[:3]
    }


def test_a_second_process_reads_what_the_first_one_fetched(packs, web):
    parts = batches(64, 8, None)
    read_all(packs.open(), parts)
    web.asked.clear()
    assert (read_all(packs.open(), parts) == read_all(packs.local, parts)).all()
    assert [path for path, _, _ in web.asked] == ["/pack/pack.json"]


def test_images_twice_in_a_batch_and_a_part_of_a_pack(packs):
    remote = packs.open(cache_gb=0)
    twice = np.array([3, 60, 3, 17, 60])
    assert (remote.read(twice) == packs.local.read(twice)).all()
    out = np.arange(64) % 3 == 0
    part, local = remote.without(out), packs.local.without(out)
    parts = batches(len(part), 8, 1)
    assert (read_all(part, parts) == read_all(local, parts)).all()
    assert part.fingerprint == local.fingerprint


def test_what_arrives_damaged_is_fetched_once_more(packs, web, caplog):
    spoiled = []

    def spoil(path: str, _first: int, data: bytes) -> bytes:
        if "shard-00002" in path and not spoiled:
            spoiled.append(path)
            return bytes(len(data))
        return data

    for options in ({}, {"cache_gb": 0}):
        shutil.rmtree(remote_folder(), ignore_errors=True)
        spoiled.clear()
        web.spoil = spoil
        parts = batches(64, 8, None)
        assert (read_all(packs.open(**options), parts) == read_all(packs.local, parts)).all()
        assert spoiled
    assert caplog.text.count("It is fetched once more") == 2


@pytest.mark.parametrize("options", [{}, {"cache_gb": 0}])
def test_what_is_damaged_there_is_an_error_with_the_shards_name(packs, web, options):
    def spoil(path: str, _first: int, data: bytes) -> bytes:
        return bytes(len(data)) if "shard-00002" in path else data

    web.spoil = spoil
    with pytest.raises(SourceError, match=r"is damaged: shard shard-00002.*Copy the pack there"):
        read_all(packs.open(**options), batches(64, 8, None))
    assert not any("shard-00002" in path.name for path in remote_folder().rglob("*"))


def test_a_shard_that_is_damaged_in_the_cache_is_fetched_again(packs, caplog):
    parts = batches(64, 8, None)
    read_all(packs.open(), parts)
    shard = next(path for path in remote_folder().rglob("shard-00001*"))
    shard.write_bytes(bytes(shard.stat().st_size))
    assert (read_all(packs.open(), parts) == read_all(packs.local, parts)).all()
    assert "is damaged; it is fetched again" in caplog.text
    assert shard.read_bytes() == (packs.local.folder / shard.name).read_bytes()


def test_a_shard_that_is_cut_in_the_cache_is_fetched_again(packs):
    parts = batches(64, 8, None)
    read_all(packs.open(), parts)
    shard = next(path for path in remote_folder().rglob("shard-00001*"))
    shard.write_bytes(shard.read_bytes()[:-1])
    assert (read_all(packs.open(), parts) == read_all(packs.local, parts)).all()


def test_a_pack_that_changed_meanwhile_is_noticed(packs, web, write_tiny):
    remote = packs.open(cache_gb=0)
    other = write_tiny(web.folder / "other", backward=True, store=remote.header.store)
    for file in (web.folder / "other").iterdir():
        file.replace(web.folder / "pack" / file.name)
    with pytest.raises(SourceError, match=rf"changed while it was read.*{other.fingerprint[:16]}"):
        read_all(remote, batches(64, 8, None))
    assert packs.open().fingerprint == other.fingerprint


def test_a_server_without_ranges_gives_the_same_images(packs, web):
    web.ranges = False
    for options in ({}, {"cache_gb": 0}):
        remote = packs.open(**options)
        parts = batches(64, 16, 2)
        assert (read_all(remote, parts) == read_all(packs.local, parts)).all()


def test_a_store_that_stops_in_the_middle_twice_changes_nothing(packs, web, monkeypatch):
    monkeypatch.setattr(reading_ahead, "AHEAD_BYTES", 3000)
    remote, parts = packs.open(cache_gb=0), batches(64, 4, 3)
    read = []
    for number, part in enumerate(remote.read_ahead(parts, lambda part: part)):
        if number in (4, 9):
            web.stop()
            threading.Timer(0.2, web.start).start()
        read.append(remote.read(part))
    assert (np.concatenate(read) == read_all(packs.local, parts)).all()


def test_a_shard_that_is_missing_is_named(packs, web):
    name = packs.local.header.shards[3].name
    remote = packs.open(cache_gb=0)
    (web.folder / "pack" / name).unlink()
    with pytest.raises(SourceError, match=rf"{name} is not there"):
        read_all(remote, batches(64, 8, None))


def test_a_reading_that_is_given_up_leaves_nothing(packs):
    remote = packs.open(cache_gb=0)
    ahead = remote.read_ahead(batches(64, 4, 0), lambda part: part)
    remote.read(next(iter(ahead)))
    ahead.close()
    assert not remote.pixels._announced
