"""Which times a pack keeps: the cameras', else the files' where they tell something."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import ExifTags, Image

from alexnet.data import list_archive, open_pack, open_source, write_pack
from alexnet.data.packs.file_times import are_plausible, choose_times
from alexnet.data.packs.index import read_index, write_index
from alexnet.data.packs.journal import FinishedShard
from alexnet.data.packs.plan import PackingPlan
from alexnet.data.packs.unreadable import UnreadablePolicy
from alexnet.data.packs.writer import pack_in_memory

NOON = 1_700_000_000_000  # ms since 1970
PLAN = PackingPlan(12, "crop", UnreadablePolicy("skip", None))


def photograph(seconds):
    exif = Image.Exif()
    exif[306] = "2001:01:01 00:00:00"  # Pillow writes no directory of the camera alone
    exif.get_ifd(ExifTags.IFD.Exif)[36867] = f"2024:05:06 07:08:{seconds:02}"
    file = io.BytesIO()
    pixels = np.random.default_rng(seconds).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG", exif=exif)
    return file.getvalue()


def test_packs_keep_the_cameras_times_and_give_them_back(tiny_source, tmp_path):
    source = tiny_source(8)
    source.files[:6] = [photograph(i) for i in range(6)]
    source.sizes[:6] = [len(each) for each in source.files[:6]]
    pack = write_pack(source, tmp_path / "pack", image_px=12)
    for each in (pack, open_pack(tmp_path / "pack"), pack_in_memory(source, PLAN)):
        assert each.times is not None
        assert np.diff(each.times[:6]).tolist() == [1000] * 5
        assert each.times[6:].tolist() == [0, 0]
    rest = pack.without(np.arange(8) < 2)
    assert rest.times is not None
    np.testing.assert_array_equal(rest.times, pack.times[2:])


def test_times_change_no_fingerprint(tiny_source):
    source = tiny_source(8)
    plain = pack_in_memory(source, PLAN)
    source.times = NOON + np.arange(8, dtype=np.int64) * 3_600_000
    dated = pack_in_memory(source, PLAN)
    assert dated.times.tolist() == source.times.tolist()
    assert dated.fingerprint == plain.fingerprint


def test_an_index_without_times_is_read_as_before(tiny_source):
    index = pack_in_memory(tiny_source(6), PLAN).index
    old = read_index(io.BytesIO(write_index(replace(index, times=None))), 2)
    assert old.times is None
    with pytest.raises(ValueError, match="times has 5 rows, not 6"):
        read_index(io.BytesIO(write_index(replace(index, times=np.zeros(5, np.int64)))), 2)


def test_a_journal_of_an_older_version_goes_on():
    shard = FinishedShard(
        None, 0, np.zeros(0, np.int64), np.zeros((0, 16), np.uint8), np.zeros(0, np.uint32), []
    )
    assert FinishedShard.from_json(shard.to_json()).times is None
    dated = replace(shard, times=np.zeros(0, np.int64))
    assert FinishedShard.from_json(dated.to_json()).times is not None


@pytest.mark.parametrize(
    ("gaps", "plausible"),
    [
        ([0] * 40, False),  # one time for all, as archives without times have
        ([3] * 40, False),  # unpacked or copied
        ([1500] * 40, False),  # downloaded
        ([60_000] * 10, False),  # all within a quarter of an hour
        ([3_600_000] * 40, True),
        ([2_000, 900_000, 900_000] * 15, False),  # two of three are beside another
        ([2_000, 900_000, 900_000, 900_000] * 15, True),
    ],
)
def test_times_of_copying_are_told_from_times_of_taking(gaps, plausible):
    assert are_plausible(NOON + np.cumsum(gaps)) is plausible


def test_cameras_win_where_at_least_half_say_it(tiny_source):
    source = tiny_source(10)
    source.times = NOON + np.arange(10, dtype=np.int64) * 3_600_000
    half = np.where(np.arange(10) < 5, NOON, 0)
    assert choose_times(source, np.arange(10), [half[:4], half[4:]]).tolist() == half.tolist()
    few = np.where(np.arange(10) < 4, NOON, 0)
    assert choose_times(source, np.arange(10), [few]).tolist() == source.times.tolist()
    assert not choose_times(tiny_source(3), np.arange(3), [np.zeros(3, np.int64)]).any()


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz"])
def test_sources_know_when_their_files_were_written(write_files, tmp_path, make_png, kind):
    files = {f"{name}/{i}.png": make_png(i) for name in ("ant", "bee") for i in range(2)}
    source = open_source(write_files(tmp_path / "images", files, kind))
    assert source.times is not None
    assert source.times.shape == (4,)
    assert (source.times >= 0).all()
    kept = source.without(np.arange(4) < 1)
    assert kept.times.tolist() == source.times[1:].tolist()


def test_a_zips_dates_are_read_and_nonsense_is_unknown(tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("ant/0.png", (2024, 5, 6, 7, 8, 10)), b"x")
        archive.writestr(zipfile.ZipInfo("ant/1.png", (1980, 0, 0, 0, 0, 0)), b"x")
    listing = list_archive(path)
    assert listing is not None
    assert listing.times.tolist() == [1714979290000, 0]
