"""Bad input: the page of errors is what the program prints, word for word."""

from __future__ import annotations

import csv
import errno
import json
import os
import pickle
import re
import resource
import shlex
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from alexnet.data import open_pack
from alexnet.data.packs import writer as packing

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
ROWS = re.findall(r"^\| (.+?) \| `(alexnet .+?)` \| (.+) \|$", PAGE.read_text("utf-8"), re.M)

CLASSES = ("ant", "bee")
UNREADABLE = ("notes.jpg", "torn.jpg", "dot.png", "huge.png", "nothing.png")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """Return the header of a PNG without pixels: 57 bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")


def write_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write_photos(folder: Path, count: int, classes=CLASSES, seed: int = 0) -> None:
    for k, name in enumerate(classes):
        for i in range(count):
            write_image(folder / name / f"{i}.png", seed + 100 * k + i)


@pytest.fixture(scope="module")
def world(tmp_path_factory, trained) -> Path:
    """A folder with every file that the page names; not to be changed."""
    home = tmp_path_factory.mktemp("world")
    write_photos(home / "photos", 8)
    write_photos(home / "one_class", 8, ("ant",))
    write_photos(home / "one_each", 1)
    write_photos(home / "one_text", 8)
    write_photos(home / "wasps", 1, ("wasp",))
    write_photos(home / "strange_val" / "train", 4)
    write_photos(home / "strange_val" / "val", 1, (*CLASSES, "crab"), seed=50)
    write_photos(home / "short_val" / "train", 4)
    write_photos(home / "short_val" / "val", 2, ("ant",), seed=50)
    write_photos(home / "mixed", 2, ("train/ant", "train/bee", "bee"))
    (home / "empty").mkdir()
    write_image(home / "new.png", 1)
    _write_unreadable(home)
    shutil.copy(home / "notes.jpg", home / "one_text" / "ant")
    for name in CLASSES:
        (home / "all_text" / name).mkdir(parents=True)
        for i in range(2):
            shutil.copy(home / "notes.jpg", home / "all_text" / name / f"{i}.jpg")
    _write_tables(home)
    _write_weights(home, trained.run / "weights.safetensors")
    with zipfile.ZipFile(home / "half.zip", "w") as archive:
        archive.write(home / "new.png", "ant/0.png")
    whole = (home / "half.zip").read_bytes()
    (home / "half.zip").write_bytes(whole[: len(whole) // 2])
    return home


def _write_unreadable(home: Path) -> None:
    (home / "notes.jpg").write_text("Monday: fed the ants.")
    (home / "nothing.png").write_bytes(b"")
    Image.new("RGB", (1, 1)).save(home / "dot.png")
    (home / "huge.png").write_bytes(png_header(30_000, 30_000))
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(home / "torn.jpg")
    whole = (home / "torn.jpg").read_bytes()
    (home / "torn.jpg").write_bytes(whole[: len(whole) // 2])


def _write_tables(home: Path) -> None:
    tables = {
        "no_label": "path,size\nphotos/ant/0.png,40\n",
        "no_path": "size,label\n40,ant\n",
        "no_rows": "path,label\n",
        "lost": "path,label\ngone/0.png,ant\ngone/1.png,bee\n",
        "no_cell": "path,label\nphotos/ant/0.png,ant\nphotos/bee/0.png,\n",
        "twice": "path,label\nphotos/ant/0.png,ant\nphotos/ant/0.png,bee\n",
        "split": "path,label,split\nphotos/ant/0.png,ant,tran\n",
    }
    for name, text in tables.items():
        (home / f"{name}.csv").write_text(text)


def _write_weights(home: Path, trained: Path) -> None:
    whole = trained.read_bytes()
    (home / "weights.safetensors").write_bytes(whole)
    (home / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    (home / "flipped.safetensors").write_bytes(whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
    (home / "pickled.pth").write_bytes(pickle.dumps({"fc1.weight": [1.0]}))
    torch.save({"fc1.weight": torch.ones(2)}, home / "saved.pth")
    save_file({"fc1.weight": torch.ones(2)}, home / "foreign.safetensors")


@pytest.fixture
def here(world, monkeypatch, tmp_path_factory) -> Path:
    monkeypatch.chdir(world)
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path_factory.getbasetemp() / "bad input cache"))
    return world


def everything_in(folder: Path) -> dict[str, int]:
    return {str(each.relative_to(folder)): each.lstat().st_mtime_ns for each in folder.rglob("*")}


def pattern(sentence: str) -> str:
    return ".*".join(re.escape(part) for part in sentence.split("…"))


def test_the_page_has_rows():
    assert len(ROWS) > 40
    assert len({command for _, command, _ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("command", "sentence"), [row[1:] for row in ROWS])
def test_the_page_quotes_the_program(alexnet, here, command, sentence):
    before = everything_in(here)
    said = alexnet(*shlex.split(command)[1:], "--quiet")
    assert (said.code, said.out) == (2, "")
    assert re.fullmatch(f"error: {pattern(sentence)}\n", said.err), said.err
    assert everything_in(here) == before, "something was written all the same"


def test_a_process_prints_the_same_and_nothing_else(here):
    command = "alexnet evaluate pickled.pth photos"
    (sentence,) = [row[2] for row in ROWS if row[1] == command]
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)], capture_output=True, text=True, timeout=900
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {sentence}\n"


@pytest.mark.parametrize(
    "command",
    [
        "evaluate pickled.pth photos",
        "features pickled.pth photos --out features.npz",
        "predict photos --weights pickled.pth",
        "train nowhere",
        "train nowhere --from scratch",
        "tune nowhere",
        "search nowhere",
        "finetune nowhere",
    ],
)
def test_files_that_cannot_be_read_are_told_before_the_machine_is_measured(
    alexnet, here, monkeypatch, command
):
    def measure(cached, kind):
        pytest.fail("measured, which takes seconds the first time on a machine")

    monkeypatch.setattr("alexnet.devices.machine.remembered_speeds", measure)
    assert alexnet(*shlex.split(command), "--quiet").code == 2


def test_pickles_are_never_loaded(alexnet, here, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    for name, protocol in (("old", 0), ("two", 2), ("new", pickle.HIGHEST_PROTOCOL)):
        (tmp_path / f"{name}.pth").write_bytes(pickle.dumps(Trap(), protocol=protocol))
        torch.save(Trap(), tmp_path / f"{name}.pt")
        for suffix in ("pth", "pt"):
            assert alexnet("predict", tmp_path / f"{name}.{suffix}", "new.png").code == 2
    assert not (tmp_path / "sprung").exists()


def test_huge_images_are_an_error_before_they_are_decoded(alexnet, here, monkeypatch):
    def load(self):
        raise AssertionError("its pixels were asked for")

    assert (here / "huge.png").stat().st_size < 100
    with monkeypatch.context() as patched:
        patched.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
        said = alexnet("predict", "weights.safetensors", "huge.png")
    assert "huge.png cannot be read: it has 900,000,000 pixels" in said.err
    for side, refused in ((13_377, True), (13_378, True), (100_000, True)):
        (here.parent / "wide.png").write_bytes(png_header(side, 13_378))
        said = alexnet("predict", "weights.safetensors", here.parent / "wide.png")
        assert ("and the limit is 178,956,970" in said.err) == refused


def test_unreadable_images_are_left_out_and_listed(alexnet, here, tmp_path):
    write_photos(tmp_path / "photos", 60)
    for name in UNREADABLE:
        shutil.copy(here / name, tmp_path / "photos" / "ant")
    words = "--cache none --precision fp32 --threads 1 --model mlp --image-px 16 --epochs 1"
    run = tmp_path / "run"
    said = alexnet("train", tmp_path / "photos", "--run-dir", run, *words.split(), "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["skipped"] == len(UNREADABLE)
    with (run / "skipped.csv").open(newline="") as file:
        reasons = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert {path: reason.split(" (")[0] for path, reason in reasons.items()} == {
        "ant/dot.png": "it has 1 x 1 pixels, and the least is 2 x 2",
        "ant/huge.png": "it has 900,000,000 pixels, and the limit is 178,956,970",
        "ant/notes.jpg": "it is a text and no image",
        "ant/nothing.png": "it is empty",
        "ant/torn.jpg": "it is cut off",
    }
    rows = alexnet("predict", run, *(here / name for name in UNREADABLE), "new.png", "--json")
    assert rows.code == 0
    found = json.loads(rows.out)["predictions"]
    assert [each["error"] for each in found] == [*(reasons[f"ant/{n}"] for n in UNREADABLE), None]


def test_a_class_without_val_images_is_a_warning(alexnet, here, tmp_path):
    words = "--cache none --precision fp32 --threads 1 --model mlp --image-px 16 --epochs 1"
    said = alexnet("train", "short_val", "--run-dir", tmp_path / "run", *words.split(), "--quiet")
    assert said.code == 0
    warning = 'warning: short_val: val has no images of "bee".'
    assert said.err.startswith(f"{warning}\n")
    assert 'Nothing is held out (val) of 1 class, "bee"' in said.err
    assert warning in PAGE.read_text("utf-8")


SIDE = 16


def test_a_full_disk_at_any_point_loses_nothing(alexnet, tmp_path, monkeypatch):
    """The system says so when it is asked to flush: at each of these calls in turn."""
    monkeypatch.setattr(packing, "SHARD_BYTES", 6 * 3 * SIDE**2)
    write_photos(tmp_path / "photos", 8)
    flush, calls, fails_at = os.fsync, [], [0]

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == fails_at[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    words = ("pack", tmp_path / "photos")
    assert alexnet(*words, tmp_path / "whole", "--image-px", SIDE).code == 0
    whole = open_pack(tmp_path / "whole")
    assert len(whole.header.shards) == 3
    for failing in range(1, len(calls) + 1):
        folder = tmp_path / f"pack {failing}"
        calls.clear()
        fails_at[0] = failing
        said = alexnet(*words, folder, "--image-px", SIDE, "--quiet")
        assert (said.code, said.out) == (2, "")
        assert re.match(rf"error: Could not write {folder}/\S+: the disk is full\. Free ", said.err)
        assert said.err.count("\n") == 1
        hidden = {each.name for each in folder.iterdir() if each.name.startswith(".")}
        assert hidden <= {".packing.lock"}, "something half-written lies there"
        fails_at[0] = 0
        assert alexnet(*words, folder, "--image-px", SIDE).code == 0
        assert open_pack(folder).fingerprint == whole.fingerprint


PAGE_BYTES = resource.getpagesize()
NOT_MOUNTED = 77
SMALL_DISK = """
mount -t tmpfs -o size={bytes} tmpfs "$1" || exit {not_mounted}
"$2" -m alexnet pack "$3" "$1/pack" --image-px {side} --quiet
code=$?
ls -A "$1/pack" > "$4"
exit $code
"""


@pytest.mark.parametrize(
    ("pages", "sentence", "left"),
    [
        (
            4,
            r"Packing \d+ images of 16 pixels takes .*, and .* are free in .*/pack\. Free",
            False,
        ),
        (6, r"Could not write .*/index\.npz: the disk is full\. .* 1 of 1 shard is finished", True),
    ],
    ids=["too small from the start", "full before the end"],
)
def test_a_small_disk(tmp_path, pages, sentence, left):
    """A disk of some pages, of a process's own: one for the lock, two for the journal, the rest."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare, which mounts a small disk for one process")
    write_photos(tmp_path / "photos", 3 * PAGE_BYTES // (3 * SIDE**2) // 2)
    disk = tmp_path / "disk"
    disk.mkdir()
    script = SMALL_DISK.format(bytes=pages * PAGE_BYTES, side=SIDE, not_mounted=NOT_MOUNTED)
    places = [disk, sys.executable, tmp_path / "photos", tmp_path / "left"]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *places],
        capture_output=True,
        text=True,
        timeout=900,
    )
    if done.returncode == NOT_MOUNTED or done.stderr.startswith("unshare:"):
        pytest.skip(f"this process may not mount a small disk: {done.stderr.strip()}")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(f"error: {sentence}", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    names = (tmp_path / "left").read_text().split()
    assert ("shard-00000.u8" in names) == left
    assert set(names) <= {".packing.lock", "packing.journal", "shard-00000.u8"}
