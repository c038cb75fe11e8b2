from __future__ import annotations

import os
import sys

import pytest

from alexnet.data.sources.folder import list_folder
from alexnet.errors import SourceError
from alexnet.images import UnreadableImage

FILES = {"b/2.png": b"two", "a/1.png": b"one", "a/deep/er/3": b"", "4.txt": b"four"}

posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX file system")


def test_files_are_found_with_size_and_time_and_read(make_folder):
    where = make_folder(FILES)
    os.utime(where / "a" / "1.png", ns=(5, 7))
    found = list_folder(where)
    assert list(found.paths) == sorted(FILES)
    assert [found.read(i) for i in range(4)] == [FILES[path] for path in sorted(FILES)]
    assert found.sizes.tolist() == [len(FILES[path]) for path in sorted(FILES)]
    assert found.stamps[1] == 7
    assert found.where == where


def test_hidden_and_system_files_are_passed_over(make_folder):
    where = make_folder({"a/1.png": b"", "a/.hidden": b"", ".git/2.png": b"", "a/Thumbs.db": b""})
    assert list(list_folder(where).paths) == ["a/1.png"]


def test_a_hidden_folder_may_be_the_source_itself(make_folder, tmp_path):
    make_folder({"a/1.png": b""}).rename(tmp_path / ".data")
    assert list(list_folder(tmp_path / ".data").paths) == ["a/1.png"]


@posix
def test_links_are_followed_and_rings_are_left(make_folder, tmp_path):
    where = make_folder({"a/1.png": b"one"})
    other = make_folder({"2.png": b"two"})
    (where / "b").symlink_to(other)
    (where / "a" / "link.png").symlink_to(where / "a" / "1.png")
    (where / "a" / "ring").symlink_to(where)
    (where / "a" / "self").symlink_to("self")
    (other / "back").symlink_to(where / "a")
    found = list_folder(where)
    paths = list(found.paths)
    assert {"a/1.png", "a/link.png", "b/2.png", "b/back/1.png"} <= set(paths)
    assert len(paths) < 20
    assert found.read(paths.index("b/2.png")) == b"two"


@posix
def test_links_to_nowhere_are_images_that_are_gone(make_folder, tmp_path):
    where = make_folder({"a/1.png": b"one"})
    (where / "a" / "2.png").symlink_to(tmp_path / "nowhere")
    found = list_folder(where)
    assert list(found.paths) == ["a/1.png", "a/2.png"]
    with pytest.raises(UnreadableImage, match=r"a/2\.png cannot be read: it is gone"):
        found.read(1)


@posix
def test_pipes_are_passed_over(make_folder):
    where = make_folder({"a/1.png": b"one"})
    os.mkfifo(where / "a" / "pipe")
    (where / "a" / "link").symlink_to("pipe")
    assert list(list_folder(where).paths) == ["a/1.png"]


def test_a_file_that_becomes_a_folder_is_said(make_folder):
    where = make_folder({"a/1.png": b"one"})
    found = list_folder(where)
    (where / "a" / "1.png").unlink()
    (where / "a" / "1.png").mkdir()
    with pytest.raises(UnreadableImage, match="is a directory|permission denied"):
        found.read(0)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_unicode_keep_their_bytes(make_folder):
    where = make_folder({"a/1.png": b""})
    name = os.fsdecode(b"\xff.png")
    (where / "a" / name).write_bytes(b"odd")
    found = list_folder(where)
    assert found.read(list(found.paths).index(f"a/{name}")) == b"odd"


@posix
def test_a_folder_that_cannot_be_opened_is_an_error(make_folder, monkeypatch):
    where = make_folder({"a/1.png": b"", "b/1.png": b""})
    scandir = os.scandir

    def refusing(path):
        if path.endswith("b"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(SourceError, match=r"The folder .*b cannot be opened: permission denied\."):
        list_folder(where)


@posix
def test_links_that_make_ways_without_end_are_refused(make_folder):
    where = make_folder({f"{level:02}/1.png": b"" for level in range(12)})
    for level in range(11):
        for name in "ab":
            (where / f"{level:02}" / name).symlink_to(where / f"{level + 1:02}")
    words = "symbolic links lead to one folder, .*, on more than 1,000 ways"
    with pytest.raises(SourceError, match=words):
        list_folder(where)


@posix
def test_links_in_a_ring_end(make_folder):
    where = make_folder({"a/1.png": b"", "b/2.png": b""})
    (where / "a" / "b").symlink_to(where / "b")
    (where / "b" / "a").symlink_to(where / "a")
    assert sorted(list_folder(where).paths) == ["a/1.png", "a/b/2.png", "b/2.png", "b/a/1.png"]
