"""How fast image files become squares, beside the decoders that install from a wheel.

    python benchmarks/decode.py                              photographs of 500 x 375
    python benchmarks/decode.py --megapixels 12              photographs of 4,000 x 3,000
    python benchmarks/decode.py --source images.tar        JPEG files of one's own

Contenders, in turns, one core each: the bare decoder, which every other one is measured by; Pillow,
plainly and with `draft`; OpenCV; ours, and ours as it packs, with checksums and digests. At the end
the bare decoder and ours as it packs, both on every core.
"""

from __future__ import annotations

import argparse
import io
import itertools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from training import make_images
from turns import Contender, compete, keep, rates, ratio, serve, table

MOST_FILES = 128
PORTION = 8
EVERY_CORE = "every core"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, help="a folder or an archive of JPEG files")
    parser.add_argument("--megapixels", type=int, choices=(0, 12), default=0)
    parser.add_argument("--image-px", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn")
    parser.add_argument("--role", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.role:
        if not asked.role.endswith(EVERY_CORE):
            one_core()
        ROLES[asked.role](asked)
        return
    with tempfile.TemporaryDirectory() as scratch:
        if asked.source is None:
            count, size, octaves = (
                (6, (4000, 3000), 10) if asked.megapixels else (64, (500, 375), 8)
            )
            asked.source = make_images(Path(scratch), count, size, octaves)
        run(asked)


def run(asked: argparse.Namespace) -> None:
    """Let the contenders compete and say what came out."""
    own = ["--source", str(asked.source), "--image-px", str(asked.image_px)]
    contenders = [
        Contender(role, [sys.executable, __file__, "--role", role, *own]) for role in ROLES
    ]
    compete(contenders, rounds=asked.rounds, seconds=asked.seconds)
    bare = next(each for each in contenders if each.name == "simplejpeg, bare")
    plain = next(each for each in contenders if each.name == "Pillow, plain")
    print(table(contenders, bare))
    for each in contenders:
        print(f"{each.name}: {ratio(each, plain):.2f} times {plain.name}")
    print(
        f"on every core packing is {ratio(contenders[-1], contenders[-2]):.2f} of the bare decoder"
    )
    kind = f"{asked.megapixels} megapixels" if asked.megapixels else "photographs"
    print(keep(f"decoding, {kind}, {asked.image_px} px", rates(contenders)))


def one_core() -> None:
    """Keep this process on one core, threads of libraries too."""
    import os

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def files(asked: argparse.Namespace) -> list[bytes]:
    """Return the JPEG files of the source, the first of each class in turn."""
    from alexnet.data import open_source

    source = open_source(asked.source, fewest_classes=1)
    step = max(1, len(source) // MOST_FILES)
    found = [source.read(i) for i in range(0, len(source), step)]
    return [data for data in found if data[:3] == b"\xff\xd8\xff"][:MOST_FILES]


def one_by_one(way: Callable[[bytes, int], object], note: str) -> Callable[..., None]:
    """Return a role that does `way` with one file after another."""

    def role(asked: argparse.Namespace) -> None:
        stream = itertools.cycle(files(asked))

        def step() -> int:
            for _ in range(PORTION):
                way(next(stream), asked.image_px)
            return PORTION

        serve(step, note=note)

    return role


def bare(data: bytes, image_px: int) -> object:
    import simplejpeg

    return simplejpeg.decode_jpeg(data, "RGB")


def bare_everywhere(asked: argparse.Namespace) -> None:
    """Serve the bare decoder on as many threads as there are cores."""
    from concurrent.futures import ThreadPoolExecutor

    from alexnet.devices import cores

    stream, threads = itertools.cycle(files(asked)), cores()
    pool = ThreadPoolExecutor(threads)

    def some(portion: list[bytes]) -> int:
        return len([bare(data, asked.image_px) for data in portion])

    def step() -> int:
        return sum(pool.map(some, [[next(stream) for _ in range(PORTION)] for _ in range(threads)]))

    serve(step, note=f"decoded, not resized, {threads} threads")


def pillow(data: bytes, image_px: int, *, draft: bool = False) -> object:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        if draft:
            image.draft("RGB", (2 * image_px, 2 * image_px))
        whole = image.convert("RGB")
        edge = min(whole.size)
        left, top = (whole.width - edge) // 2, (whole.height - edge) // 2
        square = whole.crop((left, top, left + edge, top + edge))
        return np.asarray(square.resize((image_px, image_px), Image.Resampling.BILINEAR))


def opencv(data: bytes, image_px: int) -> object:
    import cv2

    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    edge = min(image.shape[:2])
    top, left = (image.shape[0] - edge) // 2, (image.shape[1] - edge) // 2
    square = image[top : top + edge, left : left + edge]
    small = cv2.resize(square, (image_px, image_px), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2RGB)


def ours(data: bytes, image_px: int) -> object:
    from alexnet.images import read_image
    from alexnet.kernels.late import load_at_once

    load_at_once()
    return read_image(data, name="image", image_px=image_px, resize_mode="crop")


def packing(asked: argparse.Namespace, workers: int | None = 1) -> None:
    """Serve portions as `pack` decodes them: with digests, checksums and threads."""
    from alexnet.data import UnreadablePolicy, open_source
    from alexnet.data.packs.plan import PackingPlan
    from alexnet.data.packs.portions import decode_portions
    from alexnet.kernels.late import load_at_once

    load_at_once()  # as from the two thousandth image on
    source = open_source(asked.source, fewest_classes=1)
    plan = PackingPlan(asked.image_px, "crop", UnreadablePolicy("skip"), workers)

    def endless():
        while True:
            yield from decode_portions(source, np.arange(len(source)), plan)

    stream = endless()
    serve(lambda: next(stream).count, note="reading files, digests and checksums too")


ROLES: dict[str, Callable[..., None]] = {
    "simplejpeg, bare": one_by_one(bare, "decoded, not resized"),
    "Pillow, plain": one_by_one(pillow, "convert, crop, resize"),
    "Pillow, draft": one_by_one(lambda data, px: pillow(data, px, draft=True), "at a part"),
    "OpenCV": one_by_one(opencv, "imdecode, INTER_AREA"),
    "ours": one_by_one(ours, "read_image"),
    "ours, packing": packing,
    f"simplejpeg, bare, {EVERY_CORE}": bare_everywhere,
    f"ours, packing, {EVERY_CORE}": lambda asked: packing(asked, None),
}

if __name__ == "__main__":
    main()
