"""The search for near duplicates: how few pairs are compared, and whether one is missed.

    python benchmarks/near_duplicates.py
    python benchmarks/near_duplicates.py cifar10.zip tiny-imagenet-1.zip

Without a source: 100,000 random hashes, of which 1,000 are others with up to 8 bits changed. With
sources: the hashes of their images. "All pairs" compares every hash with every other.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data import Pack, open_source
from alexnet.data.checks import hashing
from alexnet.data.checks.duplicates import RADIUS
from alexnet.data.checks.hashing import find_near_pairs, hamming_distances, perceptual_hashes
from alexnet.data.checks.scan import scan_images

COUNT, PLANTED = 100_000, 1000
ROWS = 200  # compared with all others at once


def random_hashes() -> NDArray[np.uint64]:
    """Return hashes of which some are near others."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, COUNT, dtype=np.uint64)
    copied = hashes[:PLANTED].copy()
    for place in range(PLANTED):
        for bit in rng.choice(64, int(rng.integers(1, RADIUS + 1)), replace=False).tolist():
            copied[place] ^= np.uint64(1 << bit)
    hashes[-PLANTED:] = copied
    return hashes


def hashes_of(places: Sequence[str]) -> NDArray[np.uint64]:
    """Return the hashes of all images of some sources."""
    found: list[NDArray[np.uint64]] = []
    for place in places:
        source = open_source(Path(place), as_found=True)
        assert not isinstance(source, Pack), "a pack has no files"
        found.append(perceptual_hashes(scan_images(source, len(source)).coefficients))
    return np.concatenate(found)


def by_bands(hashes: NDArray[np.uint64]) -> tuple[set[int], int]:
    """Return the near pairs as the package finds them, and how many pairs were compared at."""
    compared = 0
    plain = hamming_distances

    def counting(some: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.int64]:
        nonlocal compared
        compared += len(some)
        return plain(some, others)

    hashing.hamming_distances = counting
    found: set[int] = set()
    for some, others in find_near_pairs(hashes, RADIUS):
        codes = np.minimum(some, others) * len(hashes) + np.maximum(some, others)
        found |= set(codes.tolist())
    hashing.hamming_distances = plain
    return found, compared


def by_all_pairs(hashes: NDArray[np.uint64]) -> tuple[set[int], int]:
    """Return the near pairs by comparing every word with every other."""
    found: set[int] = set()
    for start in range(0, len(hashes), ROWS):
        some = hashes[start : start + ROWS, None]
        near = np.bitwise_count(some ^ hashes[None, start:]) <= RADIUS
        one, other = np.nonzero(np.triu(near, 1))
        found |= set(((one + start) * len(hashes) + other + start).tolist())
    return found, len(hashes) * (len(hashes) - 1) // 2


def main(places: Sequence[str]) -> None:
    """Print a row for each method, and whether they found the same."""
    hashes = np.unique(hashes_of(places) if places else random_hashes())
    what = " and ".join(Path(each).name for each in places) or "random"
    print(f"{len(hashes):,} hashes ({what}), at most {RADIUS} bits of 64 apart")
    print("| method | pairs compared | seconds of one processor | near pairs |")
    print("| --- | --- | --- | --- |")
    methods: dict[str, Callable[[NDArray[np.uint64]], tuple[set[int], int]]] = {
        "bands": by_bands,
        "all pairs": by_all_pairs,
    }
    found: list[set[int]] = []
    for name, method in methods.items():
        start = time.process_time()
        pairs, compared = method(hashes)
        seconds = time.process_time() - start
        found.append(pairs)
        print(f"| {name} | {compared:,} | {seconds:.1f} | {len(pairs):,} |", flush=True)
    missed = len(found[1] - found[0])
    print(f"{missed} missed, {len(found[0] - found[1])} too many")


if __name__ == "__main__":
    main(sys.argv[1:])
