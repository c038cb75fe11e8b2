from __future__ import annotations

import errno
import hashlib
import logging
import shutil

import numpy as np
import pytest

from alexnet.data.packs import shard_writer, writer
from alexnet.data.packs.pack import open_pack
from alexnet.data.packs.plan import PackingPlan
from alexnet.data.packs.unreadable import UnreadablePolicy
from alexnet.data.packs.writer import LOCK, pack_in_memory, write_pack
from alexnet.data.sources.source import open_source
from alexnet.errors import RecipeError, RunError, SourceError
from alexnet.images import read_image
from alexnet.locks import locked
from alexnet.progress import show_on

SIDE = 8


@pytest.fixture
def small_shards(monkeypatch):
    """Seven images to a shard."""
    monkeypatch.setattr(writer, "SHARD_BYTES", 7 * 3 * SIDE**2)


def everything(pack):
    return pack.read(np.arange(len(pack)))


def write(source, folder, **options):
    return write_pack(source, folder, image_px=SIDE, workers=1, **options)


def test_a_pack_holds_what_the_decoder_gives_in_the_sources_order(
    tiny_source, tmp_path, small_shards
):
    source = tiny_source(17)
    pack = write(source, tmp_path / "pack")
    assert len(pack) == 17
    assert list(pack.paths) == source.paths
    assert np.array_equal(pack.labels, source.labels)
    assert np.array_equal(pack.splits, source.splits)
    assert np.array_equal(pack.sizes, source.sizes)
    assert (pack.classes, pack.class_words) == (source.classes, source.class_words)
    assert (pack.image_px, pack.resize_mode, pack.where) == (SIDE, "crop", source.where)
    pixels = everything(pack)
    for i, data in enumerate(source.files):
        expected = read_image(data, name="", image_px=SIDE, resize_mode="crop")
        assert np.array_equal(pixels[i], expected)
        assert pack.digests[i].tobytes() == hashlib.blake2b(data, digest_size=16).digest()
    assert [s.images for s in pack.header.shards] == [7, 7, 3]


def test_a_pack_is_its_files_and_no_more(tiny_source, tmp_path, small_shards):
    write(tiny_source(17), tmp_path / "pack")
    names = {path.name for path in (tmp_path / "pack").iterdir()}
    shards = {f"shard-{i:05}.u8" for i in range(3)}
    assert names == {"pack.json", "index.npz", LOCK, *shards}


def test_a_pack_in_memory_is_the_same(tiny_source, tmp_path, small_shards):
    source = tiny_source(40).spoil(5)
    written = write(source, tmp_path / "pack")
    plan = PackingPlan(SIDE, "crop", UnreadablePolicy(), 1)
    held = pack_in_memory(source, plan)
    assert held.folder is None
    assert held.fingerprint == written.fingerprint
    assert held.skipped == written.skipped
    assert np.array_equal(everything(held), everything(written))


def test_fingerprint_tells_fit_and_size_apart(tiny_source):
    source = tiny_source(4)
    plans = [
        PackingPlan(side, fit, UnreadablePolicy(), 1)
        for side, fit in ((8, "crop"), (8, "pad"), (9, "crop"))
    ]
    prints = [pack_in_memory(source, plan).fingerprint for plan in plans]
    assert len(set(prints)) == 3
    assert pack_in_memory(tiny_source(4, where="elsewhere"), plans[0]).fingerprint == prints[0]


def test_unreadable_and_vanished_images_are_left_out_and_named(tiny_source, tmp_path, small_shards):
    source = tiny_source(60).spoil(8)
    source.files[30] = None
    pack = write(source, tmp_path / "pack")
    assert len(pack) == 58
    assert [path for path, _ in pack.skipped] == ["ant/0008.png", "ant/0030.png"]
    assert "is gone" in pack.skipped[1][1]
    kept = np.setdiff1d(np.arange(60), [8, 30])
    assert np.array_equal(pack.labels, source.labels[kept])
    again = open_pack(tmp_path / "pack", verify=True)
    assert again.skipped == pack.skipped
    assert again.fingerprint == pack.fingerprint


def test_a_shard_without_one_readable_image_is_no_file(tiny_source, tmp_path, small_shards):
    source = tiny_source(21).spoil(*range(7, 14))
    pack = write(source, tmp_path / "pack", quarantine=tmp_path / "aside")
    assert [s.name for s in pack.header.shards] == ["shard-00000.u8", "shard-00002.u8"]
    assert np.array_equal(pack.labels, source.labels[[*range(7), *range(14, 21)]])
    assert everything(pack).shape == (14, SIDE, SIDE, 3)
    assert len(list((tmp_path / "aside").rglob("*.png"))) == 7


def test_too_many_unreadable_images_are_an_error_that_lists_some(tiny_source, tmp_path):
    source = tiny_source(40).spoil(3, 5, 7)
    with pytest.raises(SourceError, match=r"3 of 40 images cannot be read.*bee/0003\.png"):
        write(source, tmp_path / "pack")


def test_too_many_are_noticed_at_the_end_of_a_shard(tiny_source, tmp_path, small_shards):
    source = tiny_source(70).spoil(*range(5))
    with pytest.raises(SourceError, match="1 of 10 shards is finished and kept in"):
        write(source, tmp_path / "pack")
    assert source.reads == 7


def test_an_unreadable_image_can_be_an_error(tiny_source, tmp_path):
    with pytest.raises(SourceError, match=r"bee/0003\.png cannot be read"):
        write(tiny_source(40).spoil(3), tmp_path / "pack", unreadable="fail")


def test_no_readable_image_is_an_error(tiny_source, tmp_path):
    source = tiny_source(3).spoil(0, 1, 2)
    with pytest.raises(
        SourceError, match=r"not one of its 3 images can be read\. The first, ant/00"
    ):
        write(source, tmp_path / "pack", quarantine=tmp_path / "aside")
    with pytest.raises(SourceError, match="not one of its 3 images can be read"):
        pack_in_memory(
            source, PackingPlan(SIDE, "crop", UnreadablePolicy(quarantine=tmp_path / "b"), 1)
        )


class Killed(BaseException):
    """Stands for a signal."""


@pytest.mark.parametrize("instant", [0, 6, 7, 15, 20])
def test_a_killed_packing_goes_on_behind_the_last_whole_shard(
    tiny_source, tmp_path, small_shards, instant
):
    source, folder = tiny_source(21).spoil(4), tmp_path / "pack"
    read = source.read

    def killed(index):
        if index == instant:
            raise Killed
        return read(index)

    source.read = killed
    with pytest.raises(Killed):
        write(source, folder)
    assert not (folder / "pack.json").exists()
    with pytest.raises(SourceError, match="the same command goes on"):
        open_pack(folder)

    source.read, source.reads = read, 0
    bars = []
    with show_on(lambda title, total: bars.append((title, total)) or Bar(bars)):
        pack = write(source, folder)
    assert source.reads == 21 - instant // 7 * 7
    assert bars[0] == ("packing images", 21)
    assert sum(bars[1:]) == 21  # finished shards count
    whole = write(tiny_source(21).spoil(4), tmp_path / "whole")
    assert pack.fingerprint == whole.fingerprint
    assert np.array_equal(everything(pack), everything(whole))
    assert not list(folder.glob(".shard*"))


class Bar:
    def __init__(self, bars):
        self.bars = bars

    def __enter__(self):
        return lambda count=1, note="": self.bars.append(count)

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize("instant", range(8))
def test_a_packing_killed_at_any_rename_goes_on(
    tiny_source, tmp_path, small_shards, monkeypatch, instant
):
    """Renames: 3 shards, index, header; and the journal's lines between them."""
    steps = iter(range(100))

    def dying(function):
        def call(*args, **kwargs):
            if next(steps) == instant:
                raise Killed
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(writer, "replace_file", dying(writer.replace_file))
        patched.setattr(shard_writer, "replace_file", dying(shard_writer.replace_file))
        patched.setattr(writer, "append_line", dying(writer.append_line))
        patched.setattr(writer, "write_json", dying(writer.write_json))
        with pytest.raises(Killed):
            write(tiny_source(21), tmp_path / "pack")
    pack = write(tiny_source(21), tmp_path / "pack")
    assert np.array_equal(pack.labels, np.arange(21) % 2)
    assert len(open_pack(tmp_path / "pack", verify=True)) == 21


def test_half_a_shard_of_a_dead_process_is_cleared_away(tiny_source, tmp_path, small_shards):
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / ".shard-00000.u8.abc.unfinished").write_bytes(b"half")
    (folder / "packing.journal").write_bytes(b"0000")
    write(tiny_source(7), folder)
    assert not list(folder.glob(".shard*"))


def test_a_call_that_died_before_its_first_or_last_step_leaves_no_trace(
    tiny_source, tmp_path, small_shards
):
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / ".index.npz.abc.unfinished").write_bytes(b"half")
    write(tiny_source(7), folder)
    names = {path.name for path in folder.iterdir()}
    (folder / "packing.journal").write_bytes(b"0000")
    (folder / ".pack.json.abc.unfinished").write_bytes(b"half")
    write(tiny_source(7), folder)
    assert {path.name for path in folder.iterdir()} == names
    assert names == {"pack.json", "index.npz", "shard-00000.u8", LOCK}


def test_a_policy_also_holds_for_what_an_earlier_call_skipped(tiny_source, tmp_path, small_shards):
    source = tiny_source(40).spoil(3)
    source.files[20] = None
    folder = tmp_path / "pack"
    with pytest.raises(RunError, match="0020"):  # shards 0 and 1 are finished
        write(source_failing_at(source, 20), folder)
    with pytest.raises(SourceError, match=r"bee/0003\.png cannot be read"):
        write(source, folder, unreadable="fail")
    write(source, folder)
    with pytest.raises(SourceError, match=r"bee/0003\.png cannot be read"):
        write(source, folder, unreadable="fail")
    write(source, folder, quarantine=tmp_path / "aside")
    assert (tmp_path / "aside" / "bee" / "0003.png").read_bytes() == source.files[3]


def source_failing_at(source, index):
    """The same source, whose reading stops with an error that is no image's."""
    copy = type(source)(len(source.paths))
    copy.files = source.files

    def read(i):
        if i == index:
            raise RunError("0020")
        return source.files[i]

    copy.read = read
    return copy


def test_the_same_pack_again_is_opened(tiny_source, tmp_path, caplog):
    source = tiny_source(5)
    first = write(source, tmp_path / "pack")
    source.reads = 0
    with caplog.at_level(logging.INFO):
        assert write(source, tmp_path / "pack").fingerprint == first.fingerprint
    assert source.reads == 0
    assert "is packed in" in caplog.text


def test_a_folder_with_something_else_is_refused(tiny_source, tmp_path):
    source, folder = tiny_source(5), tmp_path / "pack"
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="is a file; a pack is a folder"):
        write(source, tmp_path / "file")
    folder.mkdir()
    (folder / "thesis.txt").touch()
    with pytest.raises(SourceError, match=r"holds other files \(thesis\.txt\) and is not a pack"):
        write(source, folder)
    assert (folder / "thesis.txt").exists()


def test_another_pack_is_not_overwritten(tiny_source, tmp_path):
    source, folder = tiny_source(5), tmp_path / "pack"
    write(source, folder)
    words = "pack holds another pack already: of images, 8 pixels, crop, stored as pixels"
    with pytest.raises(SourceError, match=rf"{words}; since .* 1 new \(bee/0005\.png\)\. Remove"):
        write(tiny_source(6), folder)
    with pytest.raises(SourceError, match=rf"{words}\. Remove it"):
        write_pack(source, folder, image_px=9)
    source.excluded = ("ant/0009.png",)  # never there
    assert write(source, folder).excluded == ()


def test_a_pack_of_files_that_changed_says_how(tiny_source, tmp_path):
    source, folder = tiny_source(8), tmp_path / "pack"
    packed = write(source, folder)
    source.time = 1
    assert write(source, folder).fingerprint == packed.fingerprint  # touched, and the same inside
    source.reads = 0
    write(source, folder)
    assert source.reads == 0  # the new times are known now
    source.files[6], source.time = source.files[4], 2
    words = r"since then images has changed: 1 image of another content \(ant/0006\.png\)\. Rem"
    with pytest.raises(SourceError, match=words):
        write(source, folder)
    source.sizes[6] += 1
    with pytest.raises(SourceError, match=r"has changed: 1 of another size \(ant/0006\.png\)"):
        write(source, folder)


def test_files_and_folders_that_vanish_while_packing_are_skipped(make_folder, make_png, tmp_path):
    """A real folder, from which somebody takes images away after it was looked through."""
    files = {f"{k}/{i:02}.png": make_png(i) for k in ("ant", "bee", "cat") for i in range(40)}
    where = make_folder({**files, "bee/deep/1.png": make_png(1), "bee/deep/2.png": make_png(2)})
    source = open_source(where)
    read = source.files.reader.read

    def vanishing(path, place, size):
        if path == "ant/20.png":  # others are being decoded meanwhile
            (where / "cat" / "39.png").unlink()
            shutil.rmtree(where / "bee" / "deep")
        return read(path, place, size)

    source.files.reader.read = vanishing
    pack = write(source, tmp_path / "pack")
    assert len(pack) == 119
    gone = {"bee/deep/1.png", "bee/deep/2.png", "cat/39.png"}
    assert dict(pack.skipped) == dict.fromkeys(gone, "it is gone")


def test_a_pack_is_not_packed_again(tiny_source, tmp_path):
    pack = write(tiny_source(4), tmp_path / "pack")
    words = r"pack is a pack already, of 8 pixels \(crop\)\. Train on it as it is, or .*, images"
    with pytest.raises(SourceError, match=words):
        write(pack, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_beginning_of_another_pack_is_not_continued(tiny_source, tmp_path, small_shards):
    source, folder = tiny_source(40), tmp_path / "pack"
    with pytest.raises(RunError):
        write(source_failing_at(source, 20), folder)
    with pytest.raises(SourceError, match="holds the beginning of another pack: of images, 8 pi"):
        write(source, folder, resize_mode="pad")


def test_a_second_process_is_refused(tiny_source, tmp_path):
    folder = tmp_path / "pack"
    with locked(folder, name=LOCK), pytest.raises(SourceError, match="is in use by process"):
        write(tiny_source(3), folder)
    assert len(write(tiny_source(3), folder)) == 3


def test_too_little_room_is_said_before_the_work(tiny_source, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    source = tiny_source(30)
    words = r"Packing 30 images of 8 pixels takes 5\.76 kB, and 1 kB are free in .*pack\. Free"
    with pytest.raises(SourceError, match=words):
        write(source, tmp_path / "pack", store="pixels")
    assert source.reads == 0


def test_a_disk_that_fills_up_keeps_the_finished_shards(
    tiny_source, tmp_path, small_shards, monkeypatch
):
    source, folder = tiny_source(21), tmp_path / "pack"
    replace_file = shard_writer.replace_file

    def full(path, write):
        if path.name == "shard-00002.u8":
            raise OSError(errno.ENOSPC, "No space left on device")
        replace_file(path, write)

    with monkeypatch.context() as patched:
        patched.setattr(shard_writer, "replace_file", full)
        words = (
            r"shard-00002\.u8: the disk is full\. Free .* 2 of 3 shards are finished and kept in "
            r".*pack: call again to go on behind them\."
        )
        with pytest.raises(SourceError, match=words):
            write(source, folder)
    source.reads = 0
    assert len(write(source, folder)) == 21
    assert source.reads == 7


def test_shards_grow_rather_than_become_many(tiny_source, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SHARD_BYTES", 1)
    monkeypatch.setattr(writer, "MAX_SHARDS", 4)
    pack = write(tiny_source(22), tmp_path / "pack")
    assert [s.images for s in pack.header.shards] == [6, 6, 6, 4]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image_px": 0}, "image_px must be between 1 and 4096 pixels; got 0"),
        ({"image_px": 5000}, "image_px must be between 1 and 4096 pixels; got 5000"),
        (
            {"resize_mode": "stretch"},
            'resize_mode must be "crop", "squash" or "pad"; got "stretch"',
        ),
        ({"workers": 0}, "workers must be at least 1; got 0"),
        ({"unreadable": "ignore"}, 'got "ignore"'),
    ],
)
def test_settings_out_of_range_are_refused_before_anything_is_made(
    tiny_source, tmp_path, options, words
):
    with pytest.raises(RecipeError, match=words):
        write_pack(tiny_source(2), tmp_path / "pack", **options)
    assert not (tmp_path / "pack").exists()
