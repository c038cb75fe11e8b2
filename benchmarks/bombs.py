"""What an image just under the limit of pixels takes to decode: memory and seconds, by format.

    python benchmarks/bombs.py

Each is of one color and 13,000 x 13,000 pixels, a file of 40 bytes to some megabytes. Linux alone.
"""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from alexnet.images import decode

SIDE = 13_000
KINDS = {
    "PNG": ("RGB", "PNG", {"compress_level": 1}),
    "PNG with transparency": ("RGBA", "PNG", {"compress_level": 1}),
    "PNG of 16 bits": ("I;16", "PNG", {"compress_level": 1}),
    "GIF": ("P", "GIF", {}),
    "WebP": ("RGB", "WEBP", {"lossless": True, "quality": 0, "method": 0}),
    "TIFF": ("RGB", "TIFF", {"compression": "tiff_adobe_deflate"}),
    "TIFF of floating point": ("F", "TIFF", {"compression": "tiff_adobe_deflate"}),
    "JPEG": ("RGB", "JPEG", {}),
    "JPEG, progressive": ("RGB", "JPEG", {"progressive": True}),
    "JPEG, CMYK": ("CMYK", "JPEG", {}),
}


def made(name: str) -> bytes:
    """Return the file, made in a process of its own, whose memory is nobody's concern."""
    call = [sys.executable, __file__, "make", name]
    return subprocess.run(call, check=True, stdout=subprocess.PIPE).stdout


def make(name: str) -> None:
    mode, kind, options = KINDS[name]
    file = io.BytesIO()
    Image.new(mode, (SIDE, SIDE), 1).save(file, kind, **options)
    sys.stdout.buffer.write(file.getvalue())


def measure(name: str) -> None:
    """Print a row of the table; in a process of its own, in which nothing is left of others."""
    data = made(name)
    small = io.BytesIO()
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(small, KINDS[name][1])
    decode(small.getvalue(), "small")  # what is loaded once is loaded now
    before, start = peak_mb(), time.process_time()
    pixels = decode(data, name)
    took, seconds = peak_mb() - before, time.process_time() - start
    assert pixels.shape == (SIDE, SIDE, 3)
    print(f"| {name} | {len(data):,} | {took:,.0f} | {seconds:.1f} |", flush=True)


def peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(each.split()[1]) for each in lines if each.startswith("VmHWM:")) / 1024


def main() -> None:
    print("| format | bytes of the file | memory, MB | seconds of one processor |")
    print("| --- | --- | --- | --- |", flush=True)
    for name in KINDS:
        subprocess.run([sys.executable, __file__, "measure", name], check=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        Image.MAX_IMAGE_PIXELS = None if sys.argv[1] == "make" else Image.MAX_IMAGE_PIXELS
        {"make": make, "measure": measure}[sys.argv[1]](sys.argv[2])
    else:
        main()
