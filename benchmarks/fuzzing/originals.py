"""Whole files of every kind, before anything is done to them: made here, and real ones beside.

What is made is the same on every call, so that a case is known by its number. Real images and
models are taken from a folder where there is one; they make other cases of the same numbers.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from alexnet.data import open_source, write_pack
from alexnet.images import Preprocessing
from alexnet.importers import ImportRequest
from alexnet.importers.caffe import import_caffe
from alexnet.models import build_model
from alexnet.models.headed_network import with_head
from alexnet.runs import open_run
from alexnet.training import Checkpoint
from alexnet.weights import Weights, save_weights

__all__ = ["ASKED", "IMAGE_KINDS", "Original", "Originals"]

IMAGE_KINDS = ("jpeg", "png", "webp", "gif", "tiff", "bmp")

ASKED = {"fingerprint": "f", "classes": ["ant", "bee"], "start": None, "recipe": {"lr": 0.1}}
"""What the run of the checkpoints was asked for."""

_REAL_OF_A_KIND = 6
_LARGEST_REAL = 60_000  # bytes: a case is to take milliseconds


@dataclass(frozen=True)
class Original:
    """Files that belong together, and which of them may be damaged."""

    files: Mapping[str, bytes]
    targets: tuple[str, ...]  # names in `files`

    @classmethod
    def single(cls, name: str, data: bytes) -> Original:
        return cls({name: data}, (name,))


class Originals:
    """Every original of every kind.

    Args:
        real: folder of real images and models; None: what is made here alone.
    """

    def __init__(self, real: Path | None) -> None:
        self._real = real

    def of(self, kind: str) -> list[Original]:
        return self._made[kind] if kind in IMAGE_KINDS else getattr(self, f"_{kind}")

    @cached_property
    def _made(self) -> dict[str, list[Original]]:
        """Images by kind."""
        images = {
            "jpeg": [*_jpegs()],
            "png": [*_pngs()],
            "webp": [*_webps()],
            "gif": [*_gifs()],
            "tiff": [*_tiffs()],
            "bmp": [*_bmps()],
        }
        found = {
            kind: [Original.single("image", data) for data in files]
            for kind, files in images.items()
        }
        if self._real is not None:
            for kind, data in _real_images(self._real):
                found[kind].append(Original.single("image", data))
        return found

    @cached_property
    def _small(self) -> dict[str, bytes]:
        """Twelve images of two classes and two splits, by path, with what lies beside them."""
        names = [
            f"{s}/{k}/{i}" for s in ("train", "val") for k in ("ant", "bee") for i in (1, 2, 3)
        ]
        found = {f"{name}.png": _saved(_scene(i, 9, 8), "PNG") for i, name in enumerate(names)}
        found["classes.tsv"] = b"ant\ta small worker\nbee\ta busy one\n"
        return found

    @cached_property
    def _tar(self) -> list[Original]:
        links = {"train/ant/link.png": "../bee/1.png", "../out.png": ""}
        forms = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
        plain = [_tarred(self._small, form, "", links) for form in forms]
        long = {f"train/{'x' * 120}/{i}/{'y' * 90}.png": b"no image" for i in range(3)}
        more = [_tarred({**self._small, **long}, form, "") for form in forms[1:]]
        packed = [_tarred(self._small, forms[1], how) for how in ("gz", "bz2", "xz")]
        return [Original.single("source", each) for each in [*plain, *more, *packed]]

    @cached_property
    def _zip(self) -> list[Original]:
        outside = {**self._small, "../out.png": b"out", "/abs.png": b"out", "a\\b.png": b"windows"}
        found = [_zipped(self._small, zipfile.ZIP_STORED), _zipped(outside, zipfile.ZIP_DEFLATED)]
        found.append(_zipped(self._small, zipfile.ZIP_DEFLATED, comment=b"said" * 9))
        return [Original.single("source", each) for each in found]

    @cached_property
    def _csv(self) -> list[Original]:
        rows = [[path, path.split("/")[1], path.split("/")[0]] for path in self._images]
        texts = [
            _table(rows, ","),
            _table(rows, ";").replace("\n", "\r\n"),
            "sep=\t\n"
            + _table([*rows, ["=1+1", "@ant", "train"], ["x" * 4000, "y" * 4000, "train"]], "\t"),
        ]
        data = [text.encode() for text in texts] + [texts[0].encode("utf-16")]
        return [self._beside_images("table.csv", each) for each in data]

    @cached_property
    def _parquet(self) -> list[Original]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        paths = list(self._images)
        columns = {"path": paths, "label": [i % 3 for i in range(len(paths))], "more": paths}
        texts = {
            **columns,
            "label": [p.split("/")[1] for p in paths],
            "split": ["train"] * len(paths),
        }
        found: list[Original] = []
        for table, how in ((columns, "none"), (texts, "snappy"), (texts, "gzip"), (texts, "zstd")):
            file = io.BytesIO()
            pq.write_table(pa.table(table), file, compression=how, use_dictionary=how != "gzip")
            found.append(self._beside_images("table.parquet", file.getvalue()))
        return found

    @cached_property
    def _list(self) -> list[Original]:
        lines = "".join(f"{path}\n" for path in [*self._images][:4])
        table = "path,reason\n" + "".join(f"{path},blank\n" for path in [*self._images][:4])
        return [self._beside_images("list.csv", each.encode()) for each in (lines, table)]

    @cached_property
    def _pack(self) -> list[Original]:
        with tempfile.TemporaryDirectory() as place:
            source = _written(Path(place) / "source", self._small)
            write_pack(open_source(source), Path(place) / "pack", image_px=8)
            files = {each.name: each.read_bytes() for each in (Path(place) / "pack").iterdir()}
        files.pop("pack.lock", None)
        return [Original(files, (name,)) for name in sorted(files)]

    @cached_property
    def _weights(self) -> list[Original]:
        plain = _small_weights()
        kept = [(plain, "float32"), (plain, "bfloat16")]
        kept += [(self._imported(each), "float16") for each in self._caffe[:2]]
        kept += [(_headed(plain, kind, **sizes), "float32") for kind, sizes in _HEADS.items()]
        found: list[Original] = []
        with tempfile.TemporaryDirectory() as place:
            for weights, dtype in kept:
                path = Path(place) / "weights.safetensors"
                save_weights(path, weights, dtype=dtype)
                found.append(Original.single(path.name, path.read_bytes()))
        return found

    @staticmethod
    def _imported(original: Original) -> Weights:
        with tempfile.TemporaryDirectory() as place:
            files = tuple(_written(Path(place), original.files) / name for name in original.files)
            return import_caffe(ImportRequest(files=files)).weights

    @cached_property
    def _checkpoint(self) -> list[Original]:
        """A run folder with two checkpoints and the weights that were best at each."""
        rng = np.random.default_rng(7)
        with tempfile.TemporaryDirectory() as place:
            run_folder = Path(place) / "run"
            with open_run(run_folder, ASKED) as run:
                for step in (10, 20):
                    run.write("epoch", {"epoch": step // 10, "val_loss": 1 / step})
                    numbers = rng.normal(size=(6, 5)).astype(np.float32)
                    weights = _small_weights()
                    tensors = {f"network.{name}": each for name, each in weights.state.items()}
                    tensors["velocity.fc.weight"] = torch.from_numpy(numbers)
                    state = {"step": step, "epoch": 1, "seed": 2**63, "times": [1.5, None]}
                    run.save(step, Checkpoint(tensors, state), weights)
                    run.saver.wait()
            files = {
                path.relative_to(run_folder).as_posix(): path.read_bytes()
                for path in sorted(run_folder.rglob("*"))
                if path.is_file() and path.name != "lock"
            }
        newest = max(name for name in files if name.endswith(".checkpoint"))
        return [Original(files, (newest,)), Original(files, tuple(files))]

    @cached_property
    def _caffe(self) -> list[Original]:
        found = [
            Original(files, tuple(files)) for files in (_caffe_files("new"), _caffe_files("V1"))
        ]
        models = None if self._real is None else self._real / "caffe"
        if models is not None and (models / "cifar10_full.prototxt").is_file():
            names = ("cifar10_full.prototxt", "cifar10_mean.binaryproto")
            files = {name: (models / name).read_bytes() for name in names}
            trained = "cifar10_full_iter_70000.caffemodel"
            found.append(
                Original({**files, trained: (models / trained).read_bytes()}, (*names, trained))
            )
        return found

    @cached_property
    def _pth(self) -> list[Original]:
        state = {"features.0.weight": torch.ones(2, 3, 4, 4), "features.0.bias": torch.arange(2.0)}
        found: list[Original] = []
        for new in (True, False):
            file = io.BytesIO()
            torch.save({"state_dict": state}, file, _use_new_zipfile_serialization=new)
            found.append(Original.single("model.pth", file.getvalue()))
        return found

    @property
    def _images(self) -> dict[str, bytes]:
        return {path: data for path, data in self._small.items() if path.endswith(".png")}

    def _beside_images(self, name: str, data: bytes) -> Original:
        return Original({**self._images, name: data}, (name,))


def _small_weights() -> Weights:
    sides = {"image_px": 8, "crop_px": 6}
    arguments = {"classes": 2, "activation": "relu", **sides}
    mean = np.linspace(0, 255, 8 * 8 * 3, dtype=np.float32).reshape(8, 8, 3)
    return Weights(
        model="mlp",
        arguments=arguments,
        state=build_model("mlp", **arguments).state_dict(),
        classes=("ant", "bee"),
        class_words={"ant": "a small worker"},
        preprocessing=Preprocessing(**sides, mean=mean),
        recipe={"model": "mlp", "epochs": 1},
        results={"top1": 0.5},
    )


_HEADS: dict[str, dict[str, int]] = {
    "logistic": {},
    "knn": {"rows": 4, "neighbors": 2, "by_distance": 2},
    "tree": {"nodes": 3, "depth": 1},
}


def _headed(weights: Weights, kind: str, **sizes: int) -> Weights:
    """The same network with a head on it, which knows nothing."""
    body = weights.network()
    layer = body.features_layer
    count = int(body.stage(torch.zeros(1, 3, 6, 6), layer).numel())
    settings = {"kind": kind, "layer": layer, "features": count, "classes": 2, **sizes}
    network = with_head(body, settings)
    state = {
        name: torch.zeros_like(each, device="cpu") if each.is_meta else each
        for name, each in network.state_dict().items()
    }
    state["classifier.scale"] += 1
    if kind == "tree":
        state["classifier.split_feature"] = torch.tensor([0, -1, -1])
        state["classifier.left_child"] = torch.tensor([1, 0, 0])
        state["classifier.right_child"] = torch.tensor([2, 0, 0])
        state["classifier.value"] += 0.5
    return dataclasses.replace(weights, arguments=network.arguments, state=state)


def _scene(seed: int, width: int = 40, height: int = 31) -> Image.Image:
    """A gradient with a few shapes: something of every frequency."""
    rng = np.random.default_rng(seed)
    down, right = np.mgrid[0:height, 0:width]
    colors = rng.integers(60, 200, 3)
    pixels = np.stack([(c + 3 * right + (c % 5) * down) % 256 for c in colors], axis=2).astype(
        np.uint8
    )
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for _ in range(3):
        x, y = rng.integers(0, (width // 2, height // 2)).tolist()
        color = tuple(rng.integers(0, 256, 3).tolist())
        draw.ellipse((x, y, x + width // 3, y + height // 3), fill=color)
    return image


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "an image"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0remark"
    return exif


def _jpegs() -> Iterator[bytes]:
    scene = _scene(1)
    yield _saved(scene, "JPEG")
    yield _saved(scene, "JPEG", progressive=True, quality=60)
    yield _saved(scene, "JPEG", restart_marker_blocks=2, subsampling=0, comment=b"said")
    yield _saved(scene.convert("L"), "JPEG")
    yield _saved(scene.convert("CMYK"), "JPEG")
    yield _saved(scene, "JPEG", exif=_exif(), icc_profile=b"icc" * 99, dpi=(72, 72))
    yield _saved(scene.resize((400, 300)), "JPEG", keep_rgb=True)


def _pngs() -> Iterator[bytes]:
    from PIL.PngImagePlugin import PngInfo

    scene = _scene(2)
    about = PngInfo()
    about.add_text("said", "something", zip=True)
    about.add_itxt("said", "etwas", "de", zip=True)
    yield _saved(scene, "PNG", pnginfo=about, exif=_exif(), icc_profile=b"icc" * 99)
    yield _saved(scene.quantize(16), "PNG", transparency=3, bits=4)
    yield _saved(scene.convert("LA"), "PNG")
    yield _saved(Image.fromarray(np.arange(900, dtype=np.uint16).reshape(30, 30) * 70), "PNG")
    yield _saved(scene.convert("1"), "PNG")
    frames = [_scene(i, 20, 20) for i in (3, 4)]
    yield _saved(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=40)
    yield _interlaced()


def _interlaced() -> bytes:
    """A PNG of one color in Adam7, which Pillow does not write."""
    import zlib

    passes = ((8, 8, 0, 0), (8, 8, 0, 4), (8, 4, 4, 0), (4, 4, 0, 2), (4, 2, 2, 0), (2, 2, 0, 1))
    rows = b""
    for dx, dy, y, x in ((w, h, y, x) for h, w, y, x in (*passes, (2, 1, 1, 0))):
        columns = len(range(x, 17, dx))
        rows += b"".join(b"\0" + bytes([99]) * columns for _ in range(y, 13, dy) if columns)
    header = struct.pack(">IIBBBBB", 17, 13, 8, 0, 0, 0, 1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def _webps() -> Iterator[bytes]:
    scene = _scene(5)
    clear = scene.copy()
    clear.putalpha(scene.convert("L"))
    yield _saved(scene, "WEBP")
    yield _saved(scene, "WEBP", lossless=True, exif=_exif())
    yield _saved(clear, "WEBP", quality=40)
    frames = [_scene(i, 24, 20) for i in (6, 7, 8)]
    yield _saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=40)


def _gifs() -> Iterator[bytes]:
    scene = _scene(9)
    yield _saved(scene.quantize(32), "GIF")
    yield _saved(scene.quantize(8), "GIF", transparency=2, interlace=1, comment=b"said")
    frames = [_scene(i, 24, 20).quantize(16) for i in (10, 11, 12)]
    yield _saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=40, loop=0)


def _tiffs() -> Iterator[bytes]:
    scene = _scene(13)
    for how in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield _saved(scene, "TIFF", compression=how)
    for how in ("group3", "group4"):
        yield _saved(scene.convert("1"), "TIFF", compression=how)
    yield _saved(scene.convert("CMYK"), "TIFF", exif=_exif())
    yield _saved(Image.fromarray(np.linspace(0, 2, 600, dtype=np.float32).reshape(20, 30)), "TIFF")
    yield _saved(Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30)), "TIFF")
    frames = [_scene(i, 24, 20) for i in (14, 15)]
    yield _saved(frames[0], "TIFF", save_all=True, append_images=frames[1:], compression="tiff_lzw")


def _bmps() -> Iterator[bytes]:
    scene = _scene(16)
    for image in (scene, scene.quantize(16), scene.convert("1"), scene.convert("L")):
        yield _saved(image, "BMP")
    clear = scene.copy()
    clear.putalpha(99)
    yield _saved(clear, "BMP")
    yield _run_lengths()


def _run_lengths() -> bytes:
    """A BMP of 8 x 4 pixels in run lengths, which Pillow does not write."""
    rows = b"".join(bytes([5, k, 0, 3, 1, 2, 3, 0, 0, 0]) for k in range(4)) + b"\0\1"
    palette = b"".join(bytes([k, 2 * k, 255 - k, 0]) for k in range(16))
    start = 14 + 40 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, 8, 4, 1, 8, 1, len(rows), 2835, 2835, 16, 0)
    return struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start) + header + palette + rows


def _tarred(
    files: Mapping[str, bytes], form: int, how: str, links: Mapping[str, str] | None = None
) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{how}", format=form) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mtime = 1_000_000_000.5 if form == tarfile.PAX_FORMAT else 1_000_000_000
            archive.addfile(member, io.BytesIO(data))
        for name, to in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type = tarfile.SYMTYPE if to else tarfile.REGTYPE
            member.linkname = to
            archive.addfile(member)
    return file.getvalue()


def _zipped(files: Mapping[str, bytes], method: int, comment: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.comment = comment
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


def _table(rows: list[list[str]], mark: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=mark, lineterminator="\n").writerows(
        [["path", "label", "split"], *rows]
    )
    return text.getvalue()


def _written(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def _caffe_files(generation: str) -> dict[str, bytes]:
    """A net of two layers as Caffe writes it, with its mean."""
    layer, kinds = ("layer", ('"Convolution"', '"InnerProduct"', '"Softmax"'))
    if generation == "V1":
        layer, kinds = ("layers", ("CONVOLUTION", "INNER_PRODUCT", "SOFTMAX"))
    text = (
        'name: "net"\ninput: "data"\n'
        + "".join(f"input_dim: {n}\n" for n in (1, 3, 8, 8))
        + f'{layer} {{ name: "conv" type: {kinds[0]} bottom: "data" top: "conv"\n'
        + "  convolution_param { num_output: 4 kernel_size: 3 stride: 1 } }\n"
        + f'{layer} {{ name: "fc" type: {kinds[1]} bottom: "conv" top: "fc"\n'
        + "  inner_product_param { num_output: 2 } }\n"
        + f'{layer} {{ name: "prob" type: {kinds[2]} bottom: "fc" top: "prob" }}\n'
    )
    rng = np.random.default_rng(3)
    shapes = {"conv": ((4, 3, 3, 3), (4,)), "fc": ((2, 144), (2,))}
    arrays = {name: [rng.normal(size=each) for each in both] for name, both in shapes.items()}
    mean = _blob(rng.uniform(90, 130, (3, 8, 8)), generation)
    return {
        "net.prototxt": text.encode(),
        "net.caffemodel": _caffemodel(arrays, generation),
        "mean.binaryproto": mean,
    }


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _blob(array: np.ndarray, generation: str) -> bytes:
    data = _field(5, array.astype("<f4").tobytes())
    if generation == "new":
        return data + _field(7, _field(1, b"".join(map(_varint, array.shape))))
    shape = (1,) * (4 - array.ndim) + array.shape
    return data + b"".join(_field(number, size) for number, size in enumerate(shape, 1))


def _caffemodel(arrays: Mapping[str, list[np.ndarray]], generation: str) -> bytes:
    outer, name_field, blob_field = (100, 1, 7) if generation == "new" else (2, 4, 6)
    found = _field(1, b"net")
    for name, blobs in arrays.items():
        inner = _field(name_field, name.encode())
        inner += b"".join(_field(blob_field, _blob(each, generation)) for each in blobs)
        found += _field(outer, inner)
    return found


def _real_images(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield some real images from the archives of a folder, with their kinds."""
    readers: tuple[tuple[str, Callable[[Path], Iterator[bytes]]], ...] = (
        ("hymenoptera.tar", _of_tar),
        ("cifar10.zip", _of_zip),
        ("tiny-imagenet-1.zip", _of_zip),
    )
    for name, read in readers:
        if (folder / name).is_file():
            for data in read(folder / name):
                yield ("gif" if data.startswith(b"GIF") else "jpeg"), data


def _of_tar(path: Path) -> Iterator[bytes]:
    with tarfile.open(path) as archive:
        members = [each for each in archive if each.isfile() and each.size < _LARGEST_REAL]
        odd = [each for each in members if each.name.endswith((".gif", ".jpeg"))]
        for member in [*odd, *members[:: len(members) // _REAL_OF_A_KIND]]:
            file = archive.extractfile(member)
            if file is not None:
                yield file.read()


def _of_zip(path: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(path) as archive:
        names = [each for each in archive.namelist() if each.lower().endswith((".jpg", ".jpeg"))]
        for name in names[:: len(names) // _REAL_OF_A_KIND]:
            yield archive.read(name)
