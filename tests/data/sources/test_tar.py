from __future__ import annotations

import gzip
import io
import logging
import os
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from alexnet.data.sources import tar as tar_archive
from alexnet.data.sources.tar import COMPRESSIONS, list_tar
from alexnet.errors import RunError, SourceError
from alexnet.images import UnreadableImage

GZIP = COMPRESSIONS[b"\x1f\x8b"]


def noise(i):
    return np.random.default_rng(i).integers(0, 256, 100 * i, dtype=np.uint8).tobytes()


def write(path, members, mode="w", **options):
    """Write (name, data or type) as a tar."""
    with tarfile.open(path, mode, **options) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes) and len(content) != 1:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = content, "/etc/passwd"
                archive.addfile(member)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def where(tmp_path):
    return write(tmp_path / "a.tar", [(f"a/{i:02}.png", noise(i)) for i in range(30)])


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_of_every_format_are_read(tmp_path, kind):
    names = ["a/é 日本.png", "a/" + "deep/" * 15 + "1.png", "./b//2.png"]
    if kind != tarfile.USTAR_FORMAT:
        names += ["a/" + "long" * 60 + ".png", os.fsdecode(b"a/\xff.png")]
    path = write(
        tmp_path / "a.tar",
        [(name, name.encode("utf8", "replace")) for name in names],
        format=kind,
    )
    found = list_tar(path)
    expected = {name.replace("./b//", "b/"): name.encode("utf8", "replace") for name in names}
    assert {path: found.read(i) for i, path in enumerate(found.paths)} == expected


def test_many_threads_read_at_once(where):
    found = list_tar(where)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(found.read, range(30))) == [noise(i) for i in range(30)]


def test_links_devices_and_names_that_lead_out_are_passed_over(tmp_path, caplog):
    members = [
        ("a/1.png", b"one"),
        ("a/link.png", tarfile.SYMTYPE),
        ("a/hard.png", tarfile.LNKTYPE),
        ("a/device", tarfile.CHRTYPE),
        ("a/pipe", tarfile.FIFOTYPE),
        ("../x.png", b"bad"),
        ("/etc/x.png", b"bad"),
        ("a", tarfile.DIRTYPE),
        ("empty", tarfile.DIRTYPE),
    ]
    with caplog.at_level(logging.WARNING):
        found = list_tar(write(tmp_path / "a.tar", members))
    assert list(found.paths) == ["a/1.png"]
    assert found.folders == ("", "a", "empty")
    assert "6 members passed over: links, devices, or names that lead out" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def test_an_archive_cut_off_is_refused(where):
    data = where.read_bytes()
    where.write_bytes(data[: len(data) // 2])
    words = r"The archive .*a\.tar is damaged after \d+ files: unexpected end of data\. Fetch"
    with pytest.raises(SourceError, match=words):
        list_tar(where)


def test_an_archive_with_a_broken_header_is_refused(where):
    found = list_tar(where)
    data = bytearray(where.read_bytes())
    data[int(found.positions[20]) - 400] ^= 1
    where.write_bytes(data)
    words = "is damaged after 20 files: it goes on with something that is no header"
    with pytest.raises(SourceError, match=words):
        list_tar(where)


def test_an_archive_without_its_end_mark_is_said(where, caplog):
    found = list_tar(where)
    last = int(found.positions[29])
    where.write_bytes(where.read_bytes()[: last - 512])
    with caplog.at_level(logging.WARNING):
        assert len(list_tar(where)) == 29
    assert "a.tar has no end mark; it may have been cut off between two files." in caplog.text


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path):
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 7 << 30
    (tmp_path / "a.tar").write_bytes(member.tobuf() + bytes(1024))
    with pytest.raises(SourceError, match=r"is damaged: a header of 7\.52 GB"):
        list_tar(tmp_path / "a.tar")


def test_an_archive_that_shrinks_or_goes_is_a_image_that_cannot_be_read(where):
    found = list_tar(where)
    kept = list_tar(where)
    kept.read(0)
    where.write_bytes(where.read_bytes()[:-12000])
    with pytest.raises(UnreadableImage, match="its archive is shorter than it was"):
        kept.read(29)
    where.unlink()
    with pytest.raises(UnreadableImage, match="its archive cannot be read"):
        found.read(0)


def test_a_compressed_archive_is_unpacked_once_at_the_first_reading(where, cache, monkeypatch):
    packed = where.with_suffix(".tgz")
    packed.write_bytes(gzip.compress(where.read_bytes()))
    opened = []

    def counting(path):
        opened.append(path)
        return GZIP(path)

    found = list_tar(packed, counting)
    assert (len(opened), cache.exists()) == (1, False)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(found.read, range(30))) == [noise(i) for i in range(30)]
    assert len(opened) == 2
    assert list(cache.iterdir()) == []  # the file has no name


@pytest.mark.parametrize("cut", [10, 4000])
def test_a_compressed_archive_cut_off_is_refused(where, cut):
    packed = where.with_suffix(".tgz")
    packed.write_bytes(gzip.compress(where.read_bytes())[:-cut])
    with pytest.raises(SourceError, match="is damaged after [0-9]+ files: "):
        list_tar(packed, GZIP)


def test_a_changed_bit_in_a_compressed_archive_is_found(where):
    packed = where.with_suffix(".tgz")
    data = bytearray(gzip.compress(where.read_bytes(), 0))
    data[int(list_tar(where).positions[29]) + 1000] ^= 1
    packed.write_bytes(data)
    with pytest.raises(SourceError, match=r"is damaged after 30 files: CRC check failed"):
        list_tar(packed, GZIP)


def test_too_little_room_to_unpack_is_no_images_fault(where, monkeypatch):
    packed = where.with_suffix(".tgz")
    packed.write_bytes(gzip.compress(where.read_bytes()))
    found = list_tar(packed, GZIP)
    usage = shutil.disk_usage(where)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(
        RunError, match=r"takes 71\.7 kB of room .* and 1 kB are free in .*cache\. F"
    ):
        found.read(0)


def test_listing_keeps_little_of_each_member(where, monkeypatch):
    """tarfile keeps all it met; a million members would be a gigabyte."""
    kept = []
    opened = tarfile.open

    def watching(*args, **options):
        kept.append(opened(*args, **options))
        return kept[-1]

    monkeypatch.setattr(tar_archive.tarfile, "open", watching)
    list_tar(where)
    assert len(kept[0].getmembers.__self__.members) <= 1


def header(name, kind=tarfile.REGTYPE, size=0):
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "data",
    [
        header("a/1.png", size=-1024),
        header("a/1.png") + header("a/2.png", size=-512),
        header("x", tarfile.XHDTYPE, -512),
        header("x", tarfile.GNUTYPE_LONGNAME, -512),
        header("a/1.png", size=2**63),
        header("a/1.png", size=2**80),
        header("x", tarfile.GNUTYPE_LONGNAME, 512) + bytes(200),
        header("x", tarfile.XHDTYPE, 512) + b"99999999999999999999 path=x\n".ljust(512, b"\0"),
        header("x", tarfile.XHDTYPE, 512) + b"20 size=-99999999\n".ljust(512, b"\0") + header("a"),
    ],
)
def test_headers_that_lie_end_in_a_sentence(tmp_path, data):
    (tmp_path / "a.tar").write_bytes(data + bytes(1024))
    try:
        found = list_tar(tmp_path / "a.tar")
    except SourceError as error:
        assert "is damaged" in str(error)
        return
    assert (found.sizes >= 0).all()


def test_headers_before_headers_before_headers_are_refused(tmp_path):
    chain = (header("x", tarfile.GNUTYPE_LONGNAME, 8) + b"a/1.png\0".ljust(512, b"\0")) * 3000
    (tmp_path / "a.tar").write_bytes(chain + header("a/1.png") + bytes(1024))
    with pytest.raises(SourceError, match="is damaged"):
        list_tar(tmp_path / "a.tar")


def test_a_sparse_file_whose_map_is_cut_is_refused(tmp_path):
    block = bytearray(header("a/1.png", tarfile.GNUTYPE_SPARSE, 0))
    block[482] = 1  # the map goes on in the next block, which is not there
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    (tmp_path / "a.tar").write_bytes(block)
    with pytest.raises(SourceError, match="is damaged"):
        list_tar(tmp_path / "a.tar")


def test_a_compressed_archive_is_not_walked_beyond_the_room_that_there_is(tmp_path, monkeypatch):
    """Some kilobytes of zeros unpack to megabytes, and a few of those to terabytes."""
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 0, 10**6))
    data = header("a/1.png", size=20_000_000) + bytes(20_000_256 + 1024)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(data))
    words = r"a\.tar\.gz takes more than 1 MB of room while it is used, and 1 MB are free"
    with pytest.raises(RunError, match=words):
        list_tar(tmp_path / "a.tar.gz", gzip.open)
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(header("a/1.png") + bytes(20_000_000)))
    with pytest.raises(RunError, match="takes more than 1 MB of room"):
        list_tar(tmp_path / "b.tar.gz", gzip.open)


def linked(path, files, links, mode="w"):
    """Write files, and links as (name, type, target)."""
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, kind, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_links_to_files_of_the_archive_are_those_files(tmp_path, mode, caplog):
    files = {"all/1.png": b"one", "all/2.png": b"two", ".store/3.png": b"three"}
    links = [
        ("a/1.png", tarfile.LNKTYPE, "all/1.png"),
        ("a/2.png", tarfile.SYMTYPE, "../all/2.png"),
        ("a/3.png", tarfile.LNKTYPE, "./.store/3.png"),
        ("a/4.png", tarfile.SYMTYPE, "5.png"),  # by way of one that comes later
        ("a/5.png", tarfile.LNKTYPE, "a/1.png"),
    ]
    with caplog.at_level(logging.WARNING):
        found = list_tar(linked(tmp_path / "a", files, links, mode), GZIP if ":" in mode else None)
    assert {path: found.read(i) for i, path in enumerate(found.paths)} == {
        "all/1.png": b"one",
        "all/2.png": b"two",
        "a/1.png": b"one",
        "a/2.png": b"two",
        "a/3.png": b"three",
        "a/4.png": b"one",
        "a/5.png": b"one",
    }
    assert caplog.text == ""


def test_links_that_lead_out_in_rings_or_to_folders_are_passed_over(tmp_path, caplog):
    links = [
        ("a/out.png", tarfile.SYMTYPE, "../../secret.png"),
        ("a/absolute.png", tarfile.SYMTYPE, "/etc/hosts"),
        ("a/hard.png", tarfile.LNKTYPE, "../a/1.png"),
        ("a/ring.png", tarfile.SYMTYPE, "ring.png"),
        ("a/ring1.png", tarfile.SYMTYPE, "ring2.png"),
        ("a/ring2.png", tarfile.SYMTYPE, "ring1.png"),
        ("a/folder", tarfile.SYMTYPE, "../a"),
    ]
    with caplog.at_level(logging.WARNING):
        found = list_tar(linked(tmp_path / "a", {"a/1.png": b"one"}, links))
    assert list(found.paths) == ["a/1.png"]
    assert "7 members passed over: links" in caplog.text


def test_a_long_chain_of_links_ends_soon(tmp_path):
    links = [(f"a/{i}.png", tarfile.SYMTYPE, f"{i + 1}.png") for i in range(3000)]
    found = list_tar(linked(tmp_path / "a", {"a/3000.png": b"x"}, links))
    assert 1 <= len(found) <= 3001


@pytest.mark.parametrize(
    ("encoding", "names"),
    [("gbk", ["苹果", "香蕉"]), ("cp932", ["ネコ", "イヌ"]), ("cp1252", ["käse", "früh"])],
)
def test_names_that_are_no_utf_8_are_read_by_their_letters(tmp_path, encoding, names):
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT, encoding=encoding) as tar:
        for name in names:
            member = tarfile.TarInfo(f"{name}/1.png")
            member.size = 3
            tar.addfile(member, io.BytesIO(b"one"))
            folder = tarfile.TarInfo(f"{name}/empty")
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder)
    for options in ({}, {"name_encoding": encoding}):
        found = list_tar(tmp_path / "a.tar", **options)
        assert {*found.paths} == {f"{name}/1.png" for name in names}
        assert {f"{name}/empty" for name in names} <= {*found.folders}
        assert found.read(0) == b"one"


def test_files_whose_names_tell_nothing_are_looked_into_without_unpacking(tmp_path, monkeypatch):
    members = [("a/1", b"\x89PNG" + noise(9)), ("a/2.png", noise(3)), ("a/3.dat", b"text")]
    found = list_tar(write(tmp_path / "a.tar.gz", members, "w:gz"), GZIP)
    monkeypatch.setattr(found.reader, "_open_plain", lambda: 1 / 0)
    assert [found.read_start(i, 4) for i in (0, 2)] == [b"\x89PNG", b"text"]
    with pytest.raises(ZeroDivisionError):
        found.read(0)


def test_only_some_unpacked_tars_are_open_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("alexnet.data.sources.tar._RECENT._most", 2)
    paths = [write(tmp_path / f"{i}.tar.gz", [("a.png", noise(i + 1))], "w:gz") for i in range(5)]
    found = [list_tar(path, GZIP) for path in paths]
    for _ in range(2):
        assert [each.read(0) for each in found] == [noise(i + 1) for i in range(5)]
    assert sum(each.reader._file is not None for each in found) == 2
