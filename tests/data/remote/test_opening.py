from __future__ import annotations

import json

import pytest

from alexnet.data import open_source
from alexnet.data.packs.pack import open_pack
from alexnet.data.remote.shard_cache import remote_folder
from alexnet.errors import RecipeError, SourceError


def test_a_pack_elsewhere_is_what_it_is_here(packs, web):
    remote = packs.open()
    assert remote.fingerprint == packs.local.fingerprint
    assert [*remote.paths] == [*packs.local.paths]
    assert (remote.labels == packs.local.labels).all()
    assert remote.classes == packs.local.classes
    assert remote.folder == packs.url
    assert not any("shard" in path for path, _, _ in web.asked)


def test_a_source_is_an_address_too(packs):
    opened = open_source(packs.url, cache_gb=1.0)
    assert opened.fingerprint == packs.local.fingerprint


def test_the_index_is_fetched_once_and_held_against_its_checksum(packs, web, caplog):
    spoiled = iter([bytes(10)])
    web.spoil = lambda path, _first, data: next(spoiled, data) if "index" in path else data
    packs.open()
    asked = web.count("index.npz")
    packs.open()
    assert web.count("index.npz") == asked
    assert "index.npz is not the file that was written with it. It is fetched once more" in (
        caplog.text
    )


def test_an_index_that_is_damaged_there_is_an_error(packs, web):
    web.spoil = lambda path, _first, data: bytes(len(data)) if "index" in path else data
    with pytest.raises(SourceError, match=r"is damaged: index.npz .*Copy the pack there again"):
        packs.open()


def test_an_index_that_is_damaged_in_the_cache_is_fetched_again(packs):
    packs.open()
    (index,) = remote_folder().rglob("index.npz")
    index.write_bytes(b"nothing")
    assert packs.open().fingerprint == packs.local.fingerprint


def test_where_no_pack_is_it_is_said_how_one_comes_there(web):
    (web.folder / "photos.zip").write_bytes(b"PK")
    for name in ("none", "photos.zip"):
        with pytest.raises(SourceError, match=r"There is no pack at http.*copied there, pack.json"):
            open_pack(f"{web.url}/{name}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<html>", "is not a whole JSON file"),
        (json.dumps({"format": 1}), "is a pack of format 1"),
        (json.dumps([]), "pack.json lacks or mistakes something"),
    ],
)
def test_another_pack_json_is_an_error_with_the_address(web, text, words):
    (web.folder / "pack.json").write_text(text)
    with pytest.raises(SourceError, match=words) as caught:
        open_pack(web.url)
    assert web.url in str(caught.value)


def test_a_limit_that_cannot_be_is_an_error_before_anything_is_asked(packs, web):
    with pytest.raises(RecipeError, match="cache_gb"):
        packs.open(cache_gb=-1)
    assert not web.asked
