from __future__ import annotations

import io
import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from alexnet.errors import SourceError
from alexnet.evaluation.inputs import NamedImages

FILES = {
    "cat/10.png": b"ten",
    "cat/9.png": b"nine",
    "bird.jpg": b"bird",
    "cat/.hidden.png": b"hidden",
    "Thumbs.db": b"system",
    "notes.txt": b"words",
}
IN_ORDER = [("bird.jpg", b"bird"), ("cat/9.png", b"nine"), ("cat/10.png", b"ten")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with the files in `photos`."""
    monkeypatch.chdir(tmp_path)
    for name, data in FILES.items():
        place = tmp_path / "photos" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return tmp_path


def contents(images: NamedImages) -> list[tuple[str, bytes]]:
    return [(path, images.read(i)) for i, path in enumerate(images.paths)]


def test_files_are_taken_as_they_are_named(folder):
    names = ["photos/cat/10.png", "photos/notes.txt", "photos/cat/.hidden.png", "photos/bird.jpg"]
    found = NamedImages(names)
    assert found.paths == names
    assert [data for _, data in contents(found)] == [b"ten", b"words", b"hidden", b"bird"]
    assert found.indices.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["photos", "photos/", "./photos"])
def test_a_folder_is_scanned_in_natural_order(folder, name):
    above = name.rstrip("/")
    assert contents(NamedImages([name])) == [(f"{above}/{n}", data) for n, data in IN_ORDER]


def write_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def write_tar(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_is_known_by_its_content(folder, kind, monkeypatch):
    monkeypatch.setenv("ALEXNET_CACHE", str(folder / "cache"))
    if kind == "zip":
        write_zip("images", FILES)
    else:
        write_tar("images", FILES, "w:gz" if kind == "tar.gz" else "w")
    assert contents(NamedImages(["images"])) == [(f"images/{n}", d) for n, d in IN_ORDER]


def test_what_is_missing_is_a_row_and_the_rest_go_on(folder):
    (folder / "empty").mkdir()
    found = NamedImages(["photos/dog.png", "empty", "photos/bird.jpg"])
    assert found.paths == ["photos/dog.png", "empty", "photos/bird.jpg"]
    with pytest.raises(SourceError, match=r"photos/dog\.png cannot be read: there is no such file"):
        found.read(0)
    with pytest.raises(SourceError, match="empty cannot be read: it holds no images"):
        found.read(1)
    assert found.read(2) == b"bird"


def test_a_damaged_archive_is_a_row_too(folder):
    write_zip("images.zip", FILES)
    whole = (folder / "images.zip").read_bytes()
    (folder / "images.zip").write_bytes(whole[:-40])
    found = NamedImages(["images.zip", "photos/bird.jpg"])
    with pytest.raises(SourceError, match=r"The archive images\.zip is damaged"):
        found.read(0)
    assert found.read(1) == b"bird"


def test_standard_input_is_read_once(folder, monkeypatch):
    class Pipe(io.BytesIO):
        buffer = property(lambda self: self)

    monkeypatch.setattr(sys, "stdin", Pipe(b"an image"))
    found = NamedImages(["-", "photos/bird.jpg", "-"])
    assert contents(found) == [
        ("-", b"an image"),
        ("photos/bird.jpg", b"bird"),
        ("-", b"an image"),
    ]


def test_a_terminal_as_standard_input_is_an_error(monkeypatch):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with pytest.raises(SourceError, match="standard input is a keyboard; pipe an image in"):
        NamedImages(["-"]).read(0)


@pytest.mark.skipif(os.name == "nt", reason="names of files are Unicode there")
def test_names_that_are_no_text(folder):
    name = os.fsdecode(b"photos/caf\xe9.png")
    (folder / name).write_bytes(b"coffee")
    assert (name, b"coffee") in contents(NamedImages(["photos"]))


def test_files_are_images_by_the_same_rule_as_in_a_source(folder):
    for name, data in {
        "a": b"\x89PNG\r\n\x1a\n",
        "b.dat": b"\xff\xd8\xff\xe0",
        "c.pts": b"1 2",
        "d.mp4": b"",
    }.items():
        (folder / "photos" / name).write_bytes(data)
    found = [path.removeprefix("photos/") for path in NamedImages(["photos"]).paths]
    assert found == ["a", "b.dat", "bird.jpg", "cat/9.png", "cat/10.png"]


def test_an_archive_of_archives_is_gone_through(folder):
    write_tar("inner.tar", {"1.png": b"one"})
    write_tar("outer.tar", {"ant.tar": (folder / "inner.tar").read_bytes()})
    assert contents(NamedImages(["outer.tar"])) == [("outer.tar/ant/1.png", b"one")]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_what_has_no_end_is_an_unreadable_image(monkeypatch):
    monkeypatch.setattr("alexnet.evaluation.inputs.MAX_FILE_BYTES", 3_000_000)
    with pytest.raises(SourceError, match="/dev/zero cannot be read: it goes on beyond 3 MB"):
        NamedImages(["/dev/zero"]).read(0)
    with Path("/dev/zero").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(SourceError, match="- cannot be read: it goes on beyond 3 MB"):
            NamedImages(["-"]).read(0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes among files")
def test_a_named_pipe_that_nobody_writes_to_is_an_unreadable_image(tmp_path, monkeypatch):
    monkeypatch.setattr("alexnet.reading.SILENCE_S", 0.1)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(SourceError, match="it is a pipe or a device, and nothing came for 0.1 s"):
        NamedImages([tmp_path / "pipe.png"]).read(0)


def test_standard_input_that_is_closed_is_an_unreadable_image(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(SourceError, match="standard input is closed"):
        NamedImages(["-"]).read(0)
