from __future__ import annotations

import gzip
import os

import pytest

from alexnet.data.sources.archive import list_archive
from alexnet.errors import SourceError

KINDS = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]
FILES = {"p/a/1.png": b"one" * 500, "p/b/Ähre 2.png": b"", "p/b/3.png": bytes(2000)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["pictures", "pictures.jpg", "pictures.zip"])
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
