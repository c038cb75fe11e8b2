"""Untrusted files and names on the command line: errors are sentences and nothing is harmed."""

from __future__ import annotations

import csv
import io
import json
import os
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.data import open_source, write_pack

posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX file system")


def png(seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def bomb_png() -> bytes:
    """A PNG of 400 million pixels in 100 bytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in parts)


def bomb_jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (30, 30)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rfind(b"\xff\xda")
    return data[:-2] + data[last:-2] * 5000 + data[-2:]


def bomb_tiff() -> bytes:
    rows = [struct.pack("<HHII", i, 7, 90_000, 0) for i in range(6000)]
    return (b"II*\0" + struct.pack("<IH", 8, len(rows)) + b"".join(rows)).ljust(100_000, b"\0")


def bomb_bmp() -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, 13_000, 13_000, 1, 8, 1, 4, 0, 0, 0, 0)
    return b"BM" + bytes(8) + struct.pack("<I", 54) + header + b"\0\0\0\1"


BOMBS = {
    "png": (bomb_png, "it has 400,000,000 pixels, and the limit is"),
    "jpeg": (bomb_jpeg, "scans, and the limit is 100"),
    "tiff": (bomb_tiff, "its entries claim more bytes than it has"),
    "bmp": (bomb_bmp, "it claims more pixels than its bytes can say"),
}


@pytest.fixture
def photos(tmp_path) -> Path:
    """Twelve images of two classes in folders."""
    for k, name in enumerate(("ant", "bee")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(6):
            (tmp_path / "photos" / name / f"{i}.png").write_bytes(png(10 * k + i))
    return tmp_path / "photos"


@pytest.mark.parametrize("kind", BOMBS)
def test_decompression_bombs_are_unreadable_images(
    kind, photos, alexnet, trained, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    make, words = BOMBS[kind]
    (photos / "ant" / "bomb.png").write_bytes(make())
    checked = json.loads(alexnet("check", photos, "--json").out)
    assert [each["path"] for each in checked["issues"]["unreadable"]] == ["ant/bomb.png"]
    assert words in checked["issues"]["unreadable"][0]["detail"]
    said = alexnet("predict", trained.run, photos / "ant", "--json")
    rows = json.loads(said.out)["predictions"]
    assert [words in (each["error"] or "") for each in rows] == [False] * 6 + [True]
    packed = alexnet("pack", photos, tmp_path / "pack", "--image-px", 8, "--quarantine", "aside")
    assert packed.code == 0
    assert (tmp_path / "aside" / "ant" / "bomb.png").is_file()


OUTSIDE = ("../out.png", "../../out.png", "/tmp/out.png", "ant/../../out.png", "C:/out.png")


def tarred(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name in (*OUTSIDE, *(f"{k}/{i}.png" for k in ("ant", "bee") for i in range(3))):
            member = tarfile.TarInfo(name)
            member.size = len(png())
            archive.addfile(member, io.BytesIO(png()))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            member = tarfile.TarInfo(f"ant/link{kind.decode()}.png")
            member.type, member.linkname = kind, "../../../etc/passwd"
            archive.addfile(member)


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in (*OUTSIDE, *(f"{k}/{i}.png" for k in ("ant", "bee") for i in range(3))):
            archive.writestr(name, png())
        link = zipfile.ZipInfo("ant/link.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "../../../etc/passwd")


@pytest.mark.parametrize(("name", "write"), [("a.tar", tarred), ("a.zip", zipped)])
def test_archive_members_outside_of_the_target_are_not_written(
    name, write, alexnet, trained, tmp_path, monkeypatch
):
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    write(Path(name))
    for words in (
        ("check", name),
        ("predict", trained.run, name, "--csv", "predictions.csv"),
        ("evaluate", trained.run, name, "--split", "all"),
        ("pack", name, "pack", "--image-px", 8, "--quarantine", "aside"),
    ):
        said = alexnet(*words)
        assert said.code == 0, said.err
        assert "passed over: links" in said.err
    assert {each.name for each in tmp_path.rglob("*")} & {"out.png", "passwd"} == set()
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["inside"]
    assert len(json.loads(alexnet("check", name, "--json").out)["classes"]) == 2


@posix
def test_cycles_of_links_end(photos, alexnet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (photos / "ant" / "ring").symlink_to(photos)
    (photos / "ant" / "self.png").symlink_to("self.png")
    (photos / "bee" / "gone.png").symlink_to("/nowhere/at/all")
    (photos / "bee" / "device.png").symlink_to("/dev/zero")
    os.mkfifo(photos / "bee" / "pipe.png")
    said = alexnet("check", photos, "--json")
    assert said.code == 0, said.err
    unreadable = {each["path"] for each in json.loads(said.out)["issues"]["unreadable"]}
    assert unreadable == {"ant/self.png", "bee/gone.png"}


@posix
def test_a_source_that_links_to_itself_is_an_error(alexnet, tmp_path):
    (tmp_path / "ring").symlink_to("ring")
    said = alexnet("check", tmp_path / "ring")
    assert said.code == 2
    assert said.err.startswith("error: There is no file or folder")


DEEP = "[" * 100_000 + "]" * 100_000


def header_of(file: Path) -> dict[str, object]:
    data = file.read_bytes()
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def with_header(file: Path, header: str, length: int | None = None) -> None:
    data = file.read_bytes()
    rest = data[8 + int.from_bytes(data[:8], "little") :]
    size = len(header.encode()) if length is None else length
    file.write_bytes(struct.pack("<Q", size) + header.encode() + rest)


@pytest.fixture
def weights(trained, tmp_path) -> Path:
    """A copy of the weights, to be damaged."""
    path = tmp_path / "w.safetensors"
    path.write_bytes((trained.run / "weights.safetensors").read_bytes())
    return path


@pytest.mark.parametrize("length", [0, 1, 7, 2**20, 2**31, 2**40, 2**63, 2**64 - 1])
def test_wrong_header_lengths_are_an_error(length, weights, photos, alexnet):
    with_header(weights, json.dumps(header_of(weights)), length)
    for words in (("evaluate", weights, photos), ("describe", weights)):
        said = alexnet(*words)
        assert (said.code, said.out) == (2, "")
        assert "is not a whole safetensors file" in said.err.replace("\n", " ")


def test_wrong_tensor_offsets_are_an_error(weights, photos, alexnet):
    for change in ({"data_offsets": [0, 2**62]}, {"shape": [2**40, 2**40]}, {"dtype": "PICKLE"}):
        header = header_of(weights)
        name = next(each for each in header if each != "__metadata__")
        with_header(weights, json.dumps({**header, name: {**header[name], **change}}))
        said = alexnet("predict", weights, photos)
        assert (said.code, said.out) == (2, "")
        assert "is not a whole safetensors file" in said.err.replace("\n", " ")


def test_deeply_nested_json_is_an_error(weights, photos, alexnet, tmp_path):
    header = header_of(weights)
    metadata = json.loads(header["__metadata__"]["alexnet"])
    text = json.dumps(metadata)[:-1] + f', "x": {DEEP}}}'
    with_header(weights, json.dumps({**header, "__metadata__": {"alexnet": text}}))
    assert "is not whole JSON" in alexnet("describe", weights).err.replace("\n", " ")
    with_header(weights, json.dumps(header)[:-1] + f', "x": {DEEP}}}')
    assert "is not a whole safetensors file" in alexnet("describe", weights).err.replace("\n", " ")
    write_pack(open_source(photos), tmp_path / "pack", image_px=8)
    values = (tmp_path / "pack" / "pack.json").read_text()
    (tmp_path / "pack" / "pack.json").write_text(values.rstrip()[:-1] + f', "x": {DEEP}}}')
    said = alexnet("train", tmp_path / "pack", "--run-dir", tmp_path / "run")
    assert said.code == 2
    assert "pack.json is not a whole JSON file" in said.err.replace("\n", "")


LONG = "n" * 4000
VERBS = {
    "train": ("train", LONG),
    "train --run-dir": ("train", "photos", "--run-dir", LONG, "--model", "mlp", "--image-px", "16"),
    "train --exclude": ("train", "photos", "--exclude", LONG),
    "train --model": ("train", "photos", "--model", LONG),
    "train --recipe": ("train", "photos", "--recipe", LONG),
    "finetune": ("finetune", LONG, "photos"),
    "finetune source": ("finetune", "w.safetensors", LONG),
    "evaluate": ("evaluate", LONG, "photos"),
    "evaluate source": ("evaluate", "w.safetensors", LONG),
    "evaluate --also": ("evaluate", "w.safetensors", "photos", "--also", LONG),
    "predict": ("predict", LONG, "photos"),
    "predict images": ("predict", "w.safetensors", LONG),
    "predict --csv": ("predict", "w.safetensors", "photos", "--csv", LONG),
    "features --out": ("features", "w.safetensors", "photos", "--out", f"{LONG}.npz"),
    "features --layer": ("features", "w.safetensors", "photos", "--out", "o.npz", "--layer", LONG),
    "pack": ("pack", LONG, "pack"),
    "pack folder": ("pack", "photos", LONG, "--image-px", "8"),
    "check": ("check", LONG),
    "check --exclude-to": ("check", "photos", "--exclude-to", LONG),
    "check --report": ("check", "photos", "--report", LONG),
    "cache": ("cache", "--clear", LONG),
    "describe": ("describe", LONG),
    "describe layers": ("describe", f"{LONG}.cfg"),
    "import": ("import", f"{LONG}.prototxt", f"{LONG}.caffemodel", "--out", "o.safetensors"),
    "import --classes": ("import", "w.safetensors", "--classes", LONG, "--out", "o.safetensors"),
    "weights": ("weights", LONG),
    "demo": ("demo", "--folder", LONG),
    "no verb": (LONG,),
}


@pytest.mark.parametrize("words", VERBS.values(), ids=VERBS)
def test_names_of_4000_letters_are_an_error(words, photos, weights, alexnet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    said = alexnet(*words, "--quiet")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: ")
    assert "bug in alexnet" not in said.err


def test_class_names_of_4000_letters(weights, photos, alexnet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    header = header_of(weights)
    values = json.loads(header["__metadata__"]["alexnet"])
    values["classes"] = ["a" * 4000, "b" * 4000]
    with_header(weights, json.dumps({**header, "__metadata__": {"alexnet": json.dumps(values)}}))
    assert alexnet("predict", weights, photos, "--csv", "predictions.csv").code == 0
    assert alexnet("evaluate", weights, photos).code == 2  # it predicts other classes


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_are_no_formulas_in_any_csv_file(photos, alexnet, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    odd = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' C'!A0"]
    for seed, name in enumerate(odd, 100):
        (photos / name).mkdir()
        (photos / name / f"{name}.png").write_bytes(b"no image")
        (photos / name / "whole.png").write_bytes(png(seed))
    run = ("--run-dir", "run", "--quarantine", "aside", "--epochs", 1, "--image-px", 16)
    more = (
        "--batch-size",
        4,
        "--model",
        "mlp",
        "--precision",
        "fp32",
        "--cache",
        "none",
        "--threads",
        1,
    )
    for words in (
        ("check", photos, "--exclude-to", "out.csv"),
        ("predict", trained.run, *(f"photos/{name}" for name in odd), "--csv", "predictions.csv"),
        ("train", photos, *run, *more),
    ):
        said = alexnet(*words)
        assert said.code == 0, said.err
    tables = [*tmp_path.glob("*.csv"), *(tmp_path / "run").rglob("*.csv")]
    assert len(tables) >= 4
    for path in tables:
        with path.open(newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row if not _is_number(cell)]
        assert not [each for each in cells if each.startswith(("=", "+", "-", "@", "\t", "\r"))]
    said = alexnet("pack", photos, "pack", "--exclude", "out.csv", "--image-px", 8, "--json")
    assert json.loads(said.out)["images"] == 12 + len(odd)  # the names are read back


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
