from __future__ import annotations

import logging
import os
import threading

import numpy as np
import pytest

from alexnet.data.checks.exclusions import exclude_listed
from alexnet.data.packs import cache, writer
from alexnet.data.packs import cache as cache_entries
from alexnet.data.packs.cache import cached_packs, clear_cache, empty_entry, load_pack, locks_folder
from alexnet.data.sources.source import open_source
from alexnet.errors import RecipeError, RunError, SourceError
from alexnet.locks import locked

SIDE = 8


@pytest.fixture(autouse=True)
def cache_root(tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def spoken(caplog):
    caplog.set_level(logging.INFO, logger="alexnet")
    return caplog


def pack(source, **options):
    return load_pack(source, image_px=SIDE, workers=1, **options)


def test_a_source_is_packed_once_and_it_is_said(tiny_source, cache_root, spoken):
    source = tiny_source(30)
    first = pack(source)
    assert first.folder is not None
    assert first.folder.parent == cache_root / "packs"
    assert f"Packed 30 images into {first.folder} (5.76 kB); the next run uses it." in spoken.text
    source.reads = 0
    second = pack(source)
    assert source.reads == 0
    assert second.fingerprint == first.fingerprint
    assert f"Using the pack in {first.folder} (5.76 kB)." in spoken.text


def test_another_size_or_fit_is_another_pack(tiny_source):
    source = tiny_source(3)
    folders = {
        load_pack(source, image_px=side, resize_mode=fit, workers=1).folder
        for side, fit in ((8, "crop"), (8, "pad"), (9, "crop"))
    }
    assert len(folders) == 3


def test_without_the_cache_nothing_is_written(tiny_source, cache_root):
    held = pack(tiny_source(30), cache="none")
    assert held.folder is None
    assert not cache_root.exists()
    assert held.fingerprint == pack(tiny_source(30)).fingerprint


def test_touched_files_of_the_same_content_are_not_packed_again(tiny_source, spoken):
    source = tiny_source(30).spoil(4)
    first = pack(source)
    source.time = 1
    source.reads = 0
    again = pack(source)
    assert source.reads == 30  # read, and found unchanged
    assert again.fingerprint == first.fingerprint
    assert again.header.stat_signature == source.stat_signature
    assert "changed since" not in spoken.text
    source.reads = 0
    pack(source)
    assert source.reads == 0  # the new times are remembered


def test_a_copy_elsewhere_uses_the_same_pack(tiny_source):
    folder = pack(tiny_source(5)).folder
    copy = tiny_source(5, where="copy")
    copy.time = 7
    found = pack(copy)
    assert found.folder == folder
    assert found.where == copy.where


def test_changed_contents_of_the_same_size_are_packed_again_and_named(tiny_source, spoken):
    source = tiny_source(30)
    first = pack(source)
    source.files[6], source.files[9] = source.files[9], source.files[6]  # sizes stay as told
    source.time = 1
    second = pack(source)
    assert second.folder == first.folder
    assert (
        "images has changed since it was packed: 2 images of another content (ant/0006.png, "
        "bee/0009.png). Packing again." in spoken.text
    )
    swapped = np.array([9, 6])
    assert np.array_equal(second.digests[[6, 9]], first.digests[swapped])


def test_a_mended_image_is_packed(tiny_source, spoken):
    source = tiny_source(30)
    good = source.files[4]
    source.spoil(4)
    assert len(pack(source)) == 29
    source.files[4], source.time = good, 1
    assert len(pack(source)) == 30
    assert "since it was packed: 1 image of another content (ant/0004.png)." in spoken.text


def test_new_and_missing_files_are_said(tiny_source, spoken):
    source = tiny_source(30)
    old = pack(source)
    other = tiny_source(33)
    del other.files[0], other.paths[0]
    for column in ("labels", "splits", "sizes"):
        setattr(other, column, getattr(other, column)[1:])
    assert len(pack(other)) == 32
    assert (
        "images has changed since it was packed: 3 new (ant/0030.png, bee/0031.png, "
        "ant/0032.png), 1 gone (ant/0000.png). Packing it again; the old pack (" in spoken.text
    )
    assert f"alexnet cache --clear {old.folder.name}" in spoken.text


def test_what_is_left_out_makes_another_pack_and_no_change(make_folder, make_png, spoken, tmp_path):
    names = [f"{k}/{i}.png" for k in ("ant", "bee") for i in range(4)]
    source = open_source(make_folder({name: make_png(i) for i, name in enumerate(names)}))
    (tmp_path / "list").write_text("ant/2.png\nbee/0.png\n")
    whole = pack(source)
    left = pack(exclude_listed(source, tmp_path / "list"))
    assert (len(whole), len(left)) == (8, 6)
    assert whole.folder != left.folder
    assert whole.fingerprint != left.fingerprint
    cache_entries.clear_cache(whole.folder.name)
    pack(source)  # the cache holds the smaller one alone
    assert "has changed" not in spoken.text
    assert pack(exclude_listed(source, tmp_path / "list")).folder == left.folder


def test_a_damaged_pack_is_made_again(tiny_source, spoken):
    source = tiny_source(5)
    shard = pack(source).folder / "shard-00000.u8"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert len(pack(source)) == 5
    assert "shard-00000.u8: it has 959 bytes instead of 960" in spoken.text
    assert len(pack(source)) == 5


def test_an_interrupted_packing_goes_on(tiny_source, monkeypatch):
    monkeypatch.setattr(writer, "SHARD_BYTES", 7 * 3 * SIDE**2)
    source = tiny_source(20)
    read = source.read

    def failing(index):
        if index == 9:
            raise RunError("stop")
        return read(index)

    source.read = failing
    with pytest.raises(RunError, match="stop 1 of 3 shards is finished"):
        pack(source)
    assert [each.complete for each in cached_packs()] == [False]
    source.read, source.reads = read, 0
    assert len(pack(source)) == 20
    assert source.reads == 13

    changed = tiny_source(40)
    read, changed.read = changed.read, failing
    with pytest.raises(RunError):
        pack(changed)
    changed.read, changed.reads, changed.time = read, 0, 1
    assert len(pack(changed)) == 40
    assert changed.reads == 40  # a beginning of other files is dropped


def test_unreadable_images_are_treated_as_asked_on_a_hit_too(tiny_source, tmp_path):
    source = tiny_source(30).spoil(4)
    pack(source)
    with pytest.raises(SourceError, match=r"ant/0004\.png cannot be read"):
        pack(source, unreadable="fail")
    pack(source, quarantine=tmp_path / "aside")
    assert (tmp_path / "aside" / "ant" / "0004.png").exists()
    rotten = tiny_source(30).spoil(4, 5, 6)
    rotten.paths = [f"x/{each}" for each in rotten.paths]
    pack(rotten, quarantine=tmp_path / "aside")
    with pytest.raises(SourceError, match="3 of 30 images cannot be read"):
        pack(rotten)


def test_a_second_process_waits_for_the_first(tiny_source, monkeypatch, spoken):
    monkeypatch.setattr(cache, "_WAIT_S", 0.01)
    source = tiny_source(5)
    name = pack(source).folder.name
    cache_entries.clear_cache("all")
    waiting = threading.Event()
    monkeypatch.setattr(
        cache.time, "sleep", lambda _: waiting.set() or threading.Event().wait(0.01)
    )
    found = []
    second = threading.Thread(target=lambda: found.append(pack(source)))
    with locked(locks_folder(), name=f"{name}.lock"):
        second.start()
        assert waiting.wait(5)
        assert found == []
    second.join(5)
    assert len(found[0]) == 5
    assert spoken.text.count("Waiting for a pack that another process is making") == 1


def test_a_hit_needs_no_lock(tiny_source):
    source = tiny_source(5)
    name = pack(source).folder.name
    with locked(locks_folder(), name=f"{name}.lock"):
        assert len(pack(source)) == 5


def test_a_cache_that_cannot_be_written_is_said_with_the_way_out(
    tiny_source, monkeypatch, tmp_path
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "file"))
    with pytest.raises(SourceError, match="Or keep the pack in memory: --cache none"):
        pack(tiny_source(5))


def test_an_unknown_cache_is_refused(tiny_source):
    with pytest.raises(RecipeError, match='cache must be "auto" or "none"; got "disk"'):
        pack(tiny_source(5), cache="disk")


@pytest.fixture
def two_packs(tiny_source):
    """Folders of a pack used long ago and one used just now."""
    old, new = (load_pack(tiny_source(5), image_px=side, workers=1).folder for side in (8, 9))
    os.utime(old / "pack.json", (1000, 1000))
    return old, new


def test_an_empty_cache_holds_nothing():
    assert cached_packs() == []
    assert clear_cache("all") == []


def test_packs_are_listed_last_used_first(two_packs):
    old, new = two_packs
    found = cached_packs()
    assert [each.name for each in found] == [new.name, old.name]
    assert (found[1].source, found[1].images, found[1].complete) == ("images", 5, True)
    assert (found[1].image_px, found[1].resize_mode, found[1].last_used) == (8, "crop", 1000)
    assert found[1].bytes == sum(path.stat().st_size for path in old.iterdir())


def test_a_used_pack_moves_to_the_front(two_packs, tiny_source):
    load_pack(tiny_source(5), image_px=8)
    assert cached_packs()[0].name == two_packs[0].name


def test_what_is_no_pack_is_listed_as_unfinished(cache_root):
    folder = cache_root / "packs" / "odd"
    folder.mkdir(parents=True)
    (folder / "pack.json").write_text("{")
    (found,) = cached_packs()
    assert (found.name, found.source, found.images, found.complete) == ("odd", None, 0, False)


def test_one_pack_is_removed_and_the_other_stays(two_packs):
    old, new = two_packs
    assert [each.name for each in clear_cache(old.name)] == [old.name]
    assert not old.exists()
    assert new.exists()
    assert len(clear_cache("all")) == 1
    assert cached_packs() == []


@pytest.mark.parametrize("name", ["..", ".", "", "../locks", "/", "packs"])
def test_nothing_but_packs_is_removed(two_packs, cache_root, name):
    before = sorted(cache_root.rglob("*"))
    with pytest.raises(SourceError, match="has no pack"):
        clear_cache(name)
    assert sorted(cache_root.rglob("*")) == before


def test_an_unknown_name_is_told_its_nearest(two_packs):
    wrong = two_packs[0].name[:-1]
    with pytest.raises(SourceError, match=f'no pack "{wrong}".* Did you mean "{wrong}3".*It holds'):
        clear_cache(wrong)


def test_a_pack_that_is_being_made_is_not_removed(two_packs):
    name = two_packs[0].name
    with (
        locked(locks_folder(), name=f"{name}.lock"),
        pytest.raises(SourceError, match="in use by process"),
    ):
        clear_cache(name)
    assert two_packs[0].exists()


def test_emptying_what_is_not_there_is_nothing(tmp_path):
    empty_entry(tmp_path / "none")


def test_what_killed_calls_left_anywhere_in_the_cache_goes_at_the_next_call(
    tiny_source, cache_root
):
    whole = pack(tiny_source(3)).folder
    other = cache_root / "packs" / "0123456789abcdef-8-crop-v3"
    busy = cache_root / "packs" / "fedcba9876543210-8-crop-v3"
    left = [folder / ".shard-00000.u8.1.unfinished" for folder in (whole, other, busy)]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    (other / "packing.journal").write_bytes(b"")
    with locked(locks_folder(), name=f"{busy.name}.lock", error=SourceError):
        pack(tiny_source(3))
    assert [path.exists() for path in left] == [False, False, True]
    assert (other / "packing.journal").exists()
