"""Safe writing: a reader finds the old file or the new one, never a part."""

from __future__ import annotations

import errno
import json
import os
import stat

import pytest

from alexnet.errors import RunError, SourceError, WeightsError
from alexnet.files import (
    cache_folder,
    disk_errors,
    read_json,
    refuse_long,
    replace_file,
    write_json,
)


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "deep" / "file"
    replace_file(path, lambda file: file.write(b"one"))
    assert path.read_bytes() == b"one"
    replace_file(path, lambda file: file.write(b"two"))
    assert path.read_bytes() == b"two"
    assert [each.name for each in path.parent.iterdir()] == ["file"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_failed_write_leaves_the_old_file_and_nothing_beside(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RunError, match=r"Could not write .*file: the disk is full\. Free some"):
        replace_file(path, full)
    with pytest.raises(KeyboardInterrupt):
        replace_file(path, lambda file: (_ for _ in ()).throw(KeyboardInterrupt))
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(RunError, match=rf"{name} is no file that could be replaced\. Name ano"):
            replace_file(tmp_path / name, lambda file: file.write(b"new"))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "pipe"]


def test_names_that_are_no_text_come_back_from_json(tmp_path):
    write_json(tmp_path / "file", {"path": "ant/\udcff.png", "ü": 1})
    assert read_json(tmp_path / "file") == {"path": "ant/\udcff.png", "ü": 1}
    (tmp_path / "file").read_text("utf-8")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "permission is denied"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_each_refusal_has_its_reason(tmp_path, number, words):
    with pytest.raises(SourceError, match=words), disk_errors(tmp_path, SourceError):
        raise OSError(number, os.strerror(number))


def test_json_goes_and_comes_back(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, {"a": [1, 2.5, float("nan"), None], "b": ("ä", {"c": float("inf")})})
    assert read_json(path) == {"a": [1, 2.5, None, None], "b": ["ä", {"c": None}]}
    assert json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", ["", "{", "nope", "[" * 100_000])
def test_a_damaged_json_file_is_named(tmp_path, text):
    path = tmp_path / "value.json"
    path.write_text(text)
    with pytest.raises(RunError, match=r"value\.json is not a whole JSON file"):
        read_json(path)
    with pytest.raises(SourceError, match=r"Could not read .*other\.json: No such file"):
        read_json(tmp_path / "other.json", SourceError)


def test_the_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("ALEXNET_CACHE")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert cache_folder() == tmp_path / "user" / "alexnet"


@pytest.mark.parametrize("name", ["n" * 300, "n" * 4000, "d/" * 2500 + "x"])
def test_names_that_a_system_does_not_have_are_a_sentence(tmp_path, name):
    words = r"Could not write .{,200}: it is too long for this system\. Choose a shorter name\."
    with pytest.raises(RunError, match=words):
        write_json(tmp_path / name, {})
    with pytest.raises(WeightsError, match="The path .* cannot be: it is too long"):
        refuse_long(tmp_path / name, WeightsError)


def test_a_zero_in_a_name_is_a_sentence(tmp_path):
    with pytest.raises(
        RunError, match=r"The path '.*x\\x00y' cannot be: embedded null byte\. Name"
    ):
        refuse_long(tmp_path / "x\0y")


def test_usual_names_may_be_missing(tmp_path):
    refuse_long(tmp_path / "gone")
    refuse_long(tmp_path)
