from __future__ import annotations

import os

import pytest

from alexnet.data.packs.cache import cached_packs, clear_cache, empty_entry, locks_folder, pack_of
from alexnet.errors import SourceError
from alexnet.locks import locked


@pytest.fixture(autouse=True)
def cache_root(tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def two_packs(tiny_source):
    """Folders of a pack used long ago and one used just now."""
    old, new = (pack_of(tiny_source(5), image_px=side, workers=1).folder for side in (8, 9))
    os.utime(old / "pack.json", (1000, 1000))
    return old, new


def test_an_empty_cache_holds_nothing():
    assert cached_packs() == []
    assert clear_cache("all") == []


def test_packs_are_listed_last_used_first(two_packs):
    old, new = two_packs
    found = cached_packs()
    assert [each.name for each in found] == [new.name, old.name]
    assert (found[1].source, found[1].pictures, found[1].whole) == ("pictures", 5, True)
    assert (found[1].image_px, found[1].fit, found[1].last_used) == (8, "crop", 1000)
    assert found[1].bytes == sum(path.stat().st_size for path in old.iterdir())


def test_a_used_pack_moves_to_the_front(two_packs, tiny_source):
    pack_of(tiny_source(5), image_px=8)
    assert cached_packs()[0].name == two_packs[0].name


def test_what_is_no_pack_is_listed_as_unfinished(cache_root):
    folder = cache_root / "packs" / "odd"
    folder.mkdir(parents=True)
    (folder / "pack.json").write_text("{")
    (found,) = cached_packs()
    assert (found.name, found.source, found.pictures, found.whole) == ("odd", None, 0, False)


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
    with pytest.raises(SourceError, match=f'no pack "{wrong}".* Did you mean "{wrong}2".*It holds'):
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
