"""Safe writing: a reader finds the old file or the new one, never a part."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alexnet.errors import RunError, SourceError, WeightsError
from alexnet.files import (
    cache_folder,
    disk_errors,
    escape_formula,
    read_json,
    replace_file,
    require_usable_path,
    unescape_formula,
    write_csv,
    write_json,
    write_rows,
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
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert cache_folder() == tmp_path / "user" / "alexnet"


@pytest.mark.parametrize("name", ["n" * 300, "n" * 4000, "d/" * 2500 + "x"])
def test_names_too_long_for_the_system_are_errors(tmp_path, name):
    words = r"Could not write .{,200}: it is too long for this system\. Choose a shorter name\."
    with pytest.raises(RunError, match=words):
        write_json(tmp_path / name, {})
    with pytest.raises(WeightsError, match="The path .* cannot be: it is too long"):
        require_usable_path(tmp_path / name, WeightsError)


def test_a_null_byte_in_a_name_is_an_error(tmp_path):
    with pytest.raises(
        RunError, match=r"The path '.*x\\x00y' cannot be: embedded null byte\. Name"
    ):
        require_usable_path(tmp_path / "x\0y")


def test_usual_names_may_be_missing(tmp_path):
    require_usable_path(tmp_path / "gone")
    require_usable_path(tmp_path)


FORMULAS = "=+-@\t\r\n"
"""First letters that OWASP's page on CSV injection names."""


@given(st.text() | st.sampled_from(FORMULAS + "'").flatmap(lambda first: st.just(first + "1+1")))
@example("'=1")
@example("")
def test_an_escaped_text_is_no_formula_and_comes_back(text):
    cell = escape_formula(text)
    assert cell[:1] not in set(FORMULAS)
    assert unescape_formula(cell) == text
    assert cell in (text, f"'{text}")


@pytest.mark.parametrize("text", ["cat", "1-1", "a=b", "été", "5"])
def test_other_texts_are_left_as_they_are(text):
    assert escape_formula(text) == text


ROWS = [["path", "share"], ["=1+1", 0.1], ["-cmd|x", -1.5], ["", None], ['say "a",b', 7]]


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2),
        min_size=1,
    )
)
def test_rows_come_back_through_any_reader_of_csv(rows):
    file = io.BytesIO()
    write_rows(file, rows)
    text = file.getvalue().decode("utf-8")
    cells = csv.reader(io.StringIO(text, newline=""))
    found = [[unescape_formula(cell) for cell in row] for row in cells]
    assert found == rows


def test_numbers_are_not_escaped_and_read_back_equal(tmp_path):
    write_csv(tmp_path / "t.csv", [["n"], [-0.1], [1 / 3], [-math.pi], [10**20]])
    with (tmp_path / "t.csv").open(newline="") as file:
        found = [float(row[0]) for row in list(csv.reader(file))[1:]]
    assert found == [-0.1, 1 / 3, -math.pi, 10**20]


def test_a_file_has_the_rows_in_order_and_empty_cells_for_nothing(tmp_path):
    write_csv(tmp_path / "t.csv", iter(ROWS))
    lines = (tmp_path / "t.csv").read_bytes().split(b"\r\n")
    assert lines == [b"path,share", b"'=1+1,0.1", b"'-cmd|x,-1.5", b",", b'"say ""a"",b",7', b""]


def test_names_that_are_no_text_keep_their_bytes_or_get_backslashes(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    write_csv(tmp_path / "bytes.csv", [[name]])
    assert (tmp_path / "bytes.csv").read_bytes() == b"caf\xe9.png\r\n"
    write_csv(tmp_path / "plain.csv", [[name]], name_errors="backslashreplace")
    assert (tmp_path / "plain.csv").read_bytes() == b"caf\\udce9.png\r\n"


def test_rows_that_fail_leave_the_old_file(tmp_path):
    (tmp_path / "t.csv").write_text("old")

    def rows():
        yield ["path"]
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RunError, match=r"t\.csv: the disk is full"):
        write_csv(tmp_path / "t.csv", rows())
    assert (tmp_path / "t.csv").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]


def test_an_open_file_stays_open():
    file = io.BytesIO()
    write_rows(file, [["a"]])
    write_rows(file, [["b"]])
    assert file.getvalue() == b"a\r\nb\r\n"


KILLED = """
import os, signal, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from alexnet.files import replace_file
replace_file(Path(sys.argv[1]), lambda f: (f.write(b"half"), f.flush(), os.kill(os.getpid(), 9)))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("name", ["file.npz", "\u7d75" * 80], ids=["short", "long"])
def test_what_a_killed_process_left_is_gone_after_the_next_call(name, tmp_path):
    path = tmp_path / name
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert [each.name.endswith(".unfinished") for each in tmp_path.iterdir()] == [True]
    replace_file(path, lambda file: file.write(b"whole"))
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert path.read_bytes() == b"whole"


def test_what_another_thread_writes_is_no_leftover(tmp_path):
    path = tmp_path / "file"

    def write(file):
        replace_file(path, lambda inner: inner.write(b"inner"))
        file.write(b"outer")

    replace_file(path, write)
    assert path.read_bytes() == b"outer"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_threads_that_write_one_file_leave_one_whole_and_the_umask_alone(tmp_path):
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        with ThreadPoolExecutor(8) as pool:
            jobs = [
                pool.submit(replace_file, path, lambda file, i=i: file.write(b"%d" % i * 5000))
                for i in range(10)
            ]
        for job in jobs:
            job.result()
    finally:
        kept = os.umask(before)
    assert kept == 0o027
    assert path.read_bytes() in [b"%d" % i * 5000 for i in range(10)]
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    if os.name != "nt":
        assert path.stat().st_mode & 0o777 == 0o640
