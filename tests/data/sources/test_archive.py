from __future__ import annotations

import gzip
import logging
import os
import stat
import struct
import tracemalloc
import unicodedata
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from alexnet.data.sources.archive import list_archive, list_zip
from alexnet.errors import SourceError
from alexnet.images import UnreadableImage

KINDS = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]
FILES = {"p/a/1.png": b"one" * 500, "p/b/Ähre 2.png": b"", "p/b/3.png": bytes(2000)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["images", "images.jpg", "images.zip"])
def test_archives_are_known_by_content_and_read(tmp_path, write_files, monkeypatch, kind, name):
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    where = write_files(tmp_path / name, {**FILES, "p/.x": b"", "__MACOSX/p/a/._1.png": b""}, kind)
    found = list_archive(where)
    assert list(found.paths) == sorted(FILES)
    assert [found.read(i) for i in range(3)] == [FILES[path] for path in sorted(FILES)]
    assert found.sizes.tolist() == [len(FILES[path]) for path in sorted(FILES)]
    assert found.folders == ("", "p", "p/a", "p/b")


@pytest.mark.parametrize("data", [b"", b"text", b"PKzip", bytes(511), b"a" * 600, b"MZ" * 300])
def test_other_files_are_no_archives(tmp_path, data):
    (tmp_path / "file").write_bytes(data)
    assert list_archive(tmp_path / "file") is None


def test_what_is_no_file_is_no_archive(tmp_path):
    assert list_archive(tmp_path) is None
    assert list_archive(tmp_path / "nothing") is None


@pytest.mark.skipif(os.name == "nt", reason="needs a pipe")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert list_archive(tmp_path / "pipe") is None


def test_an_archive_behind_a_program_is_read(tmp_path, write_files):
    where = write_files(tmp_path / "a.zip", FILES, "zip")
    where.write_bytes(b"MZ program" + where.read_bytes())
    found = list_archive(where)
    assert found.read(0) == FILES["p/a/1.png"]


def test_one_compressed_file_is_refused(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"a,b\n" * 1000))
    with pytest.raises(SourceError, match=r"a\.gz is one compressed file and no archive: pack"):
        list_archive(tmp_path / "a.gz")


def test_a_compressed_file_that_is_cut_off_at_once_is_damaged(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(os.urandom(1000))[:300])
    with pytest.raises(SourceError, match=r"The archive .*a\.gz is damaged: Compressed file ended"):
        list_archive(tmp_path / "a.gz")


def test_an_archive_of_nothing_is_an_archive(tmp_path, write_files):
    (tmp_path / "a.tar").write_bytes(bytes(10240))
    assert len(list_archive(tmp_path / "a.tar")) == 0
    assert len(list_archive(write_files(tmp_path / "a.zip", {}, "zip"))) == 0


def noise(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, n, dtype=np.uint8).tobytes()


@pytest.fixture
def where(tmp_path):
    """Forty members of both methods."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(40):
            method = zipfile.ZIP_DEFLATED if i % 2 else zipfile.ZIP_STORED
            archive.writestr(f"a/{i:02}.png", noise(50 * i, i) + bytes(100), method)
    return tmp_path / "a.zip"


def test_many_threads_read_what_zipfile_reads(where):
    found = list_zip(where)
    with zipfile.ZipFile(where) as archive:
        expected = [archive.read(path) for path in found.paths]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(found.read, range(40))) == expected
    assert found.stamps.tolist() == [zlib.crc32(data) for data in expected]


def test_long_names_and_extra_fields_are_behind_the_first_look(tmp_path):
    name = "a/" + "long " * 200 + ".png"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        member = zipfile.ZipInfo(name)
        member.extra = struct.pack("<HH", 0xCAFE, 3000) + bytes(3000)
        archive.writestr(member, noise(777))
    found = list_zip(tmp_path / "a.zip")
    assert list(found.paths) == [name]
    assert found.read(0) == noise(777)


def write_raw_name(path, raw, *, system=0, flags=0, extra=b""):
    """A zip of one member whose name is these very bytes."""
    stand_in = "x" * len(raw)
    with zipfile.ZipFile(path, "w") as archive:
        member = zipfile.ZipInfo(stand_in)
        member.create_system = system
        member.extra = extra
        archive.writestr(member, b"data")
    data = path.read_bytes().replace(stand_in.encode(), raw)
    flag = struct.pack("<H", flags)
    data = data.replace(b"PK\x03\x04\x14\x00\x00\x00", b"PK\x03\x04\x14\x00" + flag)
    head = b"PK\x01\x02" + bytes([20, system, 20, 0])
    assert head + b"\0\0" in data
    path.write_bytes(data.replace(head + b"\0\0", head + flag))
    return path


NFD = unicodedata.normalize("NFD", "é")


@pytest.mark.parametrize(
    ("raw", "options", "name"),
    [
        ("ä/é.png".encode(), {"flags": 0x800}, "ä/é.png"),
        (f"a/{NFD}.png".encode(), {"flags": 0x800}, f"a/{NFD}.png"),
        ("日本/1.png".encode(), {"system": 3}, "日本/1.png"),  # macOS does not say so
        ("a/ü.png".encode("cp437"), {}, "a/ü.png"),
        (b"a\\b\\1.png", {}, "a/b/1.png"),
        (b"a\\1.png", {"system": 3}, "a\\1.png"),
    ],
)
def test_names_are_read_in_every_spelling(tmp_path, raw, options, name):
    found = list_zip(write_raw_name(tmp_path / "a.zip", raw, **options))
    assert list(found.paths) == [name]
    assert found.read(0) == b"data"


def test_the_unicode_field_wins_where_it_belongs_to_the_name(tmp_path):
    raw, name = b"a/?.png", "a/ж.png"
    for checksum, expected in ((zlib.crc32(raw), name), (0, "a/?.png")):
        body = struct.pack("<BI", 1, checksum) + name.encode()
        extra = struct.pack("<HH", 0x7075, len(body)) + body
        found = list_zip(write_raw_name(tmp_path / "a.zip", raw, extra=extra))
        assert list(found.paths) == [expected]


def test_names_that_lead_out_and_links_are_passed_over(tmp_path, caplog):
    link = zipfile.ZipInfo("a/link.png")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/1.png", b"one")
        archive.writestr(link, b"/etc/passwd")
        for name in ("../x.png", "/etc/x.png", "a/../../x.png", "C:/x.png"):
            archive.writestr(name, b"bad")
    with caplog.at_level(logging.WARNING):
        assert list(list_zip(tmp_path / "a.zip").paths) == ["a/1.png"]
    assert "5 members passed over: links, or names that lead out of the archive." in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_an_encrypted_archive_is_refused(tmp_path):
    path = write_raw_name(tmp_path / "a.zip", b"a/1.png", flags=1)
    with pytest.raises(SourceError, match=r"is encrypted: a/1\.png needs a password\. Unpack it"):
        list_zip(path)


def test_a_rare_method_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a/1.png", b"one")
    with pytest.raises(SourceError, match=r"packs a/1\.png by the method 12; only stored \(0\)"):
        list_zip(tmp_path / "a.zip")


def test_an_archive_cut_off_is_refused(where):
    where.write_bytes(where.read_bytes()[:3000])
    words = r"The archive .*a\.zip is damaged: the directory at its end is missing, so it was cut"
    with pytest.raises(SourceError, match=words):
        list_zip(where)


@pytest.mark.parametrize("damage", [0, 10, 40, 2000])
def test_a_member_that_is_damaged_is_that_image_alone(where, damage):
    found = list_zip(where)
    with zipfile.ZipFile(where) as archive:
        start = archive.getinfo("a/39.png").header_offset
    data = bytearray(where.read_bytes())
    data[start + damage] ^= 0xFF
    where.write_bytes(data)
    assert found.read(38)
    if damage == 10:  # a time, of which nothing depends
        assert found.read(39)
        return
    with pytest.raises(UnreadableImage, match=r"its archive is damaged here"):
        found.read(39)


def test_a_member_larger_than_it_says_is_refused(tmp_path):
    """What unpacks to more than the directory says is damaged, or made to fill the memory."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", bytes(10_000_000))
    data = (tmp_path / "a.zip").read_bytes()
    size, small = struct.pack("<I", 10_000_000), struct.pack("<I", 1000)
    (tmp_path / "a.zip").write_bytes(data.replace(size, small))
    found = list_zip(tmp_path / "a.zip")
    with pytest.raises(UnreadableImage, match="its checksum differs"):
        found.read(0)


@pytest.mark.parametrize("seed", range(8))
def test_noise_in_an_archive_is_never_another_error(where, seed):
    data = bytearray(where.read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, len(data), 60):
        data[place] = rng.integers(0, 256)
    where.write_bytes(data)
    try:
        found = list_zip(where)
    except SourceError:
        return
    for i in range(len(found)):
        try:
            found.read(i)
        except UnreadableImage as error:
            assert error.reason


def with_directory(where, **changes):
    """Change the first entry of an archive's directory, at the place of each of its numbers."""
    data = bytearray(where.read_bytes())
    start = data.find(b"PK\x01\x02")
    for place, value in ((20, changes.get("packed")), (24, changes.get("size"))):
        if value is not None:
            data[start + place : start + place + 4] = struct.pack("<I", value)
    if "offset" in changes:
        data[start + 42 : start + 46] = struct.pack("<I", changes["offset"])
    where.write_bytes(data)


@pytest.mark.parametrize(
    "changes",
    [{"packed": 0xFFFFFFF0}, {"packed": 10**9}, {"offset": 10**9}, {"size": 0xFFFFFFF0}],
)
def test_a_member_that_would_lie_outside_takes_no_memory(where, changes):
    with_directory(where, **changes)
    found = list_zip(where)
    tracemalloc.start()
    with pytest.raises(UnreadableImage):
        found.read(0)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert found.read(1)


def test_numbers_that_nothing_holds_are_that_image_alone(tmp_path):
    """The wide form of a zip has numbers of 64 bits."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/1.png", b"one")
        archive.writestr("a/2.png", b"two")
    data = (tmp_path / "a.zip").read_bytes()
    start = data.find(b"PK\x01\x02")
    entry = bytearray(data[start : start + 46])
    entry[20:28] = b"\xff" * 8
    entry[42:46] = b"\xff" * 4
    extra = struct.pack("<HHQQQ", 1, 24, 2**64 - 1, 2**64 - 1, 2**64 - 1)
    entry[30:32] = struct.pack("<H", len(extra))
    name = data[start + 46 : start + 53]
    end = data.find(b"PK\x05\x06")
    tail = bytearray(data[end:])
    tail[12:16] = struct.pack("<I", end - start + len(extra))
    changed = data[:start] + entry + name + extra + data[start + 53 : end] + tail
    (tmp_path / "a.zip").write_bytes(changed)
    found = list_zip(tmp_path / "a.zip")
    with pytest.raises(UnreadableImage):
        found.read(0)
    assert found.read(1) == b"two"


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("gbk", ["苹果树", "香蕉", "橙"]),
        ("cp932", ["ソース", "りんご"]),  # the second byte of the first letter is a backslash
        ("cp932", ["表"]),
        ("cp949", ["고양이", "강아지들"]),
        ("big5", ["功能", "許功蓋蓋"]),  # backslashes again
        ("cp866", ["кошка", "собака"]),
        ("cp1252", ["käse", "schön früh"]),
    ],
)
def test_zips_of_every_code_page_are_read(tmp_path, encoding, names):
    raw = {name.encode(encoding) for name in names}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number, name in enumerate(names):
            member = zipfile.ZipInfo(chr(ord("A") + number) * len(name.encode(encoding)) + "/1.png")
            member.create_system = 0
            archive.writestr(member, name.encode())
    data = (tmp_path / "a.zip").read_bytes()
    for number, name in enumerate(names):
        letters = name.encode(encoding)
        data = data.replace(bytes([ord("A") + number]) * len(letters) + b"/", letters + b"/")
    assert all(letters in data for letters in raw)
    (tmp_path / "a.zip").write_bytes(data)
    found = list_zip(tmp_path / "a.zip", name_encoding=encoding)
    assert {path: found.read(i).decode() for i, path in enumerate(found.paths)} == {
        f"{name}/1.png": name for name in names
    }
    if len(names) > 1:
        assert list(list_zip(tmp_path / "a.zip").paths) == list(found.paths)


def test_a_name_that_says_it_is_utf_8_is_not_asked_about(tmp_path, caplog):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("käse/1.png", b"x")
        archive.writestr("猫/1.png", b"x")
    with caplog.at_level(logging.INFO):
        assert set(list_zip(tmp_path / "a.zip").paths) == {"käse/1.png", "猫/1.png"}
    assert caplog.text == ""


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_beginning_of_a_member_is_read_alone(tmp_path, method):
    data = noise(5000) + bytes(100_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("a/1", data)
        archive.writestr("a/2", b"short")
    found = list_zip(tmp_path / "a.zip")
    assert found.read_start(0, 64) == data[:64]
    assert found.read_start(1, 64) == b"short"
    assert found.read(0) == data


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_is_a_file_of_its_own(tmp_path, monkeypatch, method):
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    data = noise(3_000_000)[:1_500_000] + bytes(1_500_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("before", b"x" * 1000)
        archive.writestr("inner", data)
    found = list_zip(tmp_path / "a.zip")
    inner = found.reader.open_member("inner", int(found.positions[1]), len(data))
    assert inner.length() == len(data)
    assert inner.read(1_499_990, 20) == data[1_499_990:1_500_010]
    assert inner.read(len(data) - 5, 50) == bytes(5)
