"""The search for near copies: how few pairs are looked at, and whether one is missed.

    python benchmarks/near_copies.py
    python benchmarks/near_copies.py cifar10.zip tiny-imagenet-1.zip

Without a source: 100,000 random hashes, of which 1,000 are others with up to 8 bits changed. With
sources: the hashes of their pictures. "All pairs" holds every hash against every other.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data import Pack, open_source
from alexnet.data.checks import hashing as close_words
from alexnet.data.checks.duplicates import RADIUS
from alexnet.data.checks.hashing import close_pairs, differing_bits, hashes
from alexnet.data.checks.scan import look_at

COUNT, PLANTED = 100_000, 1000
ROWS = 200  # held against all others at once


def random_words() -> NDArray[np.uint64]:
    """Return words of which some are near others."""
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**64, COUNT, dtype=np.uint64)
    copied = words[:PLANTED].copy()
    for place in range(PLANTED):
        for bit in rng.choice(64, int(rng.integers(1, RADIUS + 1)), replace=False).tolist():
            copied[place] ^= np.uint64(1 << bit)
    words[-PLANTED:] = copied
    return words


def words_of(places: Sequence[str]) -> NDArray[np.uint64]:
    """Return the hashes of all pictures of some sources."""
    found: list[NDArray[np.uint64]] = []
    for place in places:
        source = open_source(Path(place), as_found=True)
        assert not isinstance(source, Pack), "a pack has no files"
        found.append(hashes(look_at(source, len(source)).waves))
    return np.concatenate(found)


def by_bands(words: NDArray[np.uint64]) -> tuple[set[int], int]:
    """Return the close pairs as the package finds them, and how many pairs were looked at."""
    looked = 0
    plain = differing_bits

    def counting(some: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.int64]:
        nonlocal looked
        looked += len(some)
        return plain(some, others)

    close_words.differing_bits = counting
    found: set[int] = set()
    for some, others in close_pairs(words, RADIUS):
        codes = np.minimum(some, others) * len(words) + np.maximum(some, others)
        found |= set(codes.tolist())
    close_words.differing_bits = plain
    return found, looked


def by_all_pairs(words: NDArray[np.uint64]) -> tuple[set[int], int]:
    """Return the close pairs by holding every word against every other."""
    found: set[int] = set()
    for start in range(0, len(words), ROWS):
        some = words[start : start + ROWS, None]
        near = np.bitwise_count(some ^ words[None, start:]) <= RADIUS
        one, other = np.nonzero(np.triu(near, 1))
        found |= set(((one + start) * len(words) + other + start).tolist())
    return found, len(words) * (len(words) - 1) // 2


def main(places: Sequence[str]) -> None:
    """Print a row for each way, and whether they found the same."""
    words = np.unique(words_of(places) if places else random_words())
    what = " and ".join(Path(each).name for each in places) or "random"
    print(f"{len(words):,} hashes ({what}), at most {RADIUS} bits of 64 apart")
    print("| way | pairs looked at | seconds of one processor | close pairs |")
    print("| --- | --- | --- | --- |")
    ways: dict[str, Callable[[NDArray[np.uint64]], tuple[set[int], int]]] = {
        "bands": by_bands,
        "all pairs": by_all_pairs,
    }
    found: list[set[int]] = []
    for name, way in ways.items():
        start = time.process_time()
        pairs, looked = way(words)
        seconds = time.process_time() - start
        found.append(pairs)
        print(f"| {name} | {looked:,} | {seconds:.1f} | {len(pairs):,} |", flush=True)
    missed = len(found[1] - found[0])
    print(f"{missed} missed, {len(found[0] - found[1])} too many")


if __name__ == "__main__":
    main(sys.argv[1:])
