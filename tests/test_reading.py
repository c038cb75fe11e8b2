"""Reading within limits: files, pipes without writers, devices without end."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from alexnet import reading
from alexnet.data.checks.exclusions import MAX_LIST_BYTES, read_exclusion_list
from alexnet.errors import RecipeError, SourceError
from alexnet.reading import MAX_SETTINGS_BYTES, LimitExceeded, read_limited
from alexnet.recipe import Recipe
from alexnet.recipes import choose_recipe
from alexnet.studies.space_syntax import read_space

posix = pytest.mark.skipif(os.name == "nt", reason="needs pipes among files")


def test_a_file_is_read_whole_up_to_the_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    assert read_limited(path, 3_000_000) == b"x" * 3_000_000
    with pytest.raises(LimitExceeded, match=r"^it has 3 MB, and the limit is 3 MB$"):
        read_limited(path, 2_999_999)
    path.write_bytes(b"")
    assert read_limited(path, 0) == b""


def test_a_large_file_is_not_read_at_all(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    started = time.monotonic()
    with pytest.raises(LimitExceeded, match=r"^it has 1.1 TB, and the limit is 1.07 GB$"):
        read_limited(path, 1 << 30)
    assert time.monotonic() - started < 1


@posix
def test_a_device_without_end_is_read_up_to_the_limit():
    with pytest.raises(LimitExceeded, match="^it goes on beyond 5 MB, which is the limit$"):
        read_limited(Path("/dev/zero"), 5_000_000)
    assert read_limited(Path("/dev/null"), 10) == b""


@posix
def test_a_pipe_without_a_writer_ends(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LimitExceeded, match=r"^it is a pipe or a device, and nothing came for 0.1"):
        read_limited(tmp_path / "pipe", 10, silence_s=0.1)


def written(path: Path, parts: list[bytes], pause_s: float) -> threading.Thread:
    def write() -> None:
        with path.open("wb", buffering=0) as file:
            for part in parts:
                time.sleep(pause_s)
                try:
                    file.write(part)
                except BrokenPipeError:
                    return

    thread = threading.Thread(target=write)
    thread.start()
    return thread


@posix
def test_a_pipe_is_read_to_its_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    thread = written(tmp_path / "pipe", [b"a" * 100_000, b"b"], 0.05)
    assert read_limited(tmp_path / "pipe", 1 << 20) == b"a" * 100_000 + b"b"
    thread.join()


@posix
@pytest.mark.parametrize("parts", [[b"x"] * 3, [b"x"] * 100])
def test_a_pipe_that_drips_ends(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "TOTAL_S", 0.5)
    os.mkfifo(tmp_path / "pipe")
    thread = written(tmp_path / "pipe", parts, 0.02)
    if len(parts) == 3:
        assert read_limited(tmp_path / "pipe", 10) == b"xxx"
    else:
        with pytest.raises(LimitExceeded, match="^it gave no end within 0 s$|beyond"):
            read_limited(tmp_path / "pipe", 1000)
    thread.join()


def test_what_is_not_there_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_limited(tmp_path / "nothing", 10)


def test_lists_recipes_and_spaces_have_limits(tmp_path):
    sizes = {"list.txt": MAX_LIST_BYTES, "r.json": MAX_SETTINGS_BYTES, "s.toml": MAX_SETTINGS_BYTES}
    for name, size in sizes.items():
        with (tmp_path / name).open("wb") as file:
            file.truncate(size + 1)
    with pytest.raises(SourceError, match="The list .* is not read: it has 268 MB, and the limit"):
        read_exclusion_list(tmp_path / "list.txt")
    with pytest.raises(RecipeError, match="r.json is not read: it has 67.1 MB, and the limit"):
        choose_recipe(str(tmp_path / "r.json"), {})
    with pytest.raises(RecipeError, match="s.toml is not read: it has 67.1 MB, and the limit"):
        read_space(tmp_path / "s.toml", Recipe())
