from __future__ import annotations

import pytest

from alexnet.data.packs.changes import (
    describe_changes,
    describe_listing_changes,
    find_changed_files,
)
from alexnet.data.packs.plan import PackingPlan
from alexnet.data.packs.unreadable import UnreadablePolicy
from alexnet.data.packs.writer import pack_in_memory


def packed(source):
    return pack_in_memory(source, PackingPlan(8, "crop", UnreadablePolicy(), 1))


def test_unchanged_files_have_not_changed(tiny_source):
    source = tiny_source(30).spoil(3)
    assert find_changed_files(source, packed(source)) == []


def test_changed_vanished_and_mended_files_are_named(tiny_source):
    source = tiny_source(40).spoil(3)
    pack = packed(source)
    source.files[5] = source.files[6]
    source.files[9] = None
    source.files[3] = source.files[1]
    assert find_changed_files(source, pack) == ["bee/0005.png", "bee/0009.png", "bee/0003.png"]


def test_other_images_than_were_packed_are_all_changed(tiny_source):
    assert find_changed_files(tiny_source(6), packed(tiny_source(5))) == tiny_source(6).paths


def test_changes_are_told_by_sizes_then_by_contents(tiny_source):
    source = tiny_source(40).spoil(3)
    pack = packed(source)
    assert describe_changes(source, pack) == ""
    source.files[5] = source.files[6]
    assert describe_changes(source, pack) == "1 image of another content (bee/0005.png)"
    source.sizes[5] += 1
    assert describe_changes(source, pack) == "1 of another size (bee/0005.png)"


def test_what_is_left_out_neither_came_nor_went(tiny_source):
    whole, rest = tiny_source(20), tiny_source(19)
    rest.excluded = (whole.paths[19],)
    assert describe_listing_changes(rest, packed(whole)) == ""
    assert describe_listing_changes(whole, packed(rest)) == ""
    assert describe_changes(rest, packed(whole)) == "other images are left out of it"
    rest.paths[0] = "ant/new.png"
    assert (
        describe_listing_changes(rest, packed(whole))
        == "1 new (ant/new.png), 1 gone (ant/0000.png)"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.paths.__setitem__(0, "ant/new.png"), "1 new (ant/new.png), 1 gone (ant/0000"),
        (lambda s: s.sizes.__setitem__(1, 7), "1 of another size (bee/0001.png)"),
        (lambda s: s.splits.__setitem__(1, 3), "its classes or splits are others"),
        (lambda s: s.paths.__setitem__(slice(0, 5), list("vwxyz")), "5 new (v, w, x, ...), 5 gone"),
    ],
)
def test_differences_are_said(tiny_source, change, words):
    old = packed(tiny_source(20))
    source = tiny_source(20)
    change(source)
    assert describe_listing_changes(source, old).startswith(words)
