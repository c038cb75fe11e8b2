"""BLAKE2b of several files at once, one in each lane of a vector: the digests of `hashlib`.

One file is a chain of blocks, each waiting for the one before, and uses a
quarter of a vector at best. Four files side by side (RFC 7693, section 3) are so many chains.

Importing this module fails where numba (extra: fast) is not installed or cannot compile for AVX2.

Legend: n files, L lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from alexnet.kernels import byte_vectors as vectors
from alexnet.kernels.byte_vectors import cgutils, intrinsic
from alexnet.kernels.numba import cached_njit

__all__ = ["DIGEST_BYTES", "LANES", "digests"]

DIGEST_BYTES = 16
LANES = 4

_BLOCK = 128  # bytes
_START = np.array(
    (
        *(0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1),
        *(0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179),
    ),
    dtype=np.uint64,
)
_FIRST = _START ^ np.array([0x01010000 | DIGEST_BYTES, *[0] * 7], dtype=np.uint64)
"""The state before the first block: no key, no tree (RFC 7693, 2.8)."""

_ORDERS = np.array(
    (
        (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
        (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
        (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
        (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
        (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
        (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
        (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
        (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
        (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
        (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    ),
    dtype=np.int64,
)
"""Of the words of a block in each of the twelve rounds (RFC 7693, 2.7)."""

_MIXED = (
    *((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)),
    *((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)),
)
"""Columns, then diagonals, of the 16 words that a round mixes."""


@intrinsic
def _compress(
    typing: Any,
    state: Any,
    places: Any,
    counters: Any,
    ends: Any,
    message: Any,
    orders: Any,
    rounds: Any,
) -> Any:
    """Take one block into each lane's state.

    All are addresses of words: (8, L) state; (L,) where the blocks lie; (L,) counters; (L,) marks
    of the last blocks; (16, L) that are written; (12, 16) of `_ORDERS`.
    """
    signature = types.void(*[types.intp] * 7)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        state, places, counters, ends, message, orders, rounds = arguments

        def row(table: Any, number: Any) -> Any:
            return vectors.load_row(builder, table, number, vectors.LONG, LANES)

        def put(value: Any, table: Any, number: int) -> None:
            vectors.store(builder, value, builder.add(table, vectors.index(8 * LANES * number)))

        for number, words in enumerate(_message(builder, places)):
            put(words, message, number)
        before = [row(state, vectors.index(word)) for word in range(8)]
        mixed = before + [_constant(int(word)) for word in _START]
        mixed[12] = builder.xor(mixed[12], row(counters, vectors.index(0)))
        mixed[14] = builder.xor(mixed[14], row(ends, vectors.index(0)))

        def one_round(mixed: Any, number: Any) -> Any:
            words = [
                row(message, vectors.load_index(builder, orders, number, 16, place))
                for place in range(16)
            ]
            later = list(mixed)
            for step, chosen in enumerate(_MIXED):
                _mix(builder, later, chosen, words[2 * step], words[2 * step + 1])
            return tuple(later)

        after = vectors.loop(builder, rounds, tuple(mixed), one_round)
        for word in range(8):
            put(builder.xor(before[word], builder.xor(after[word], after[word + 8])), state, word)
        return context.get_dummy_value()

    return signature, generate


def _constant(word: int) -> Any:
    return ir.Constant(vectors.kind(vectors.LONG, LANES), [word] * LANES)


def _mix(
    builder: Any, mixed: list[Any], words: tuple[int, int, int, int], one: Any, other: Any
) -> None:
    """Mix two words of each lane's message into four words (RFC 7693, 3.1)."""
    a, b, c, d = (mixed[word] for word in words)
    for word, (first, second) in ((one, (32, 24)), (other, (16, 63))):
        a = builder.add(builder.add(a, b), word)
        d = vectors.rotate_right(builder, builder.xor(d, a), first)
        c = builder.add(c, d)
        b = vectors.rotate_right(builder, builder.xor(b, c), second)
    for word, value in zip(words, (a, b, c, d), strict=True):
        mixed[word] = value


def _message(builder: Any, places: Any) -> list[Any]:
    """Return the 16 words of each lane's block, a vector for each word."""
    starts = [
        vectors.load_index(builder, places, vectors.index(lane), 1, 0) for lane in range(LANES)
    ]
    words: list[Any] = []
    for first in range(0, _BLOCK, 8 * LANES):
        offset = vectors.index(first)
        rows = [
            vectors.load(builder, builder.add(start, offset), vectors.LONG, LANES)
            for start in starts
        ]
        words += vectors.transpose(builder, rows)
    return words


@intrinsic
def _copy_block(typing: Any, source: Any, count: Any, target: Any) -> Any:
    """Copy up to 128 bytes to an address, and zeros behind them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, count, target = arguments
        pointers = [builder.inttoptr(each, vectors.BYTE.as_pointer()) for each in (source, target)]
        cgutils.memset(builder, pointers[1], vectors.index(_BLOCK), 0)
        cgutils.raw_memcpy(builder, pointers[1], pointers[0], count, 1)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@cached_njit()
def _digest_all(
    addresses: Any, lengths: Any, start: Any, orders: Any, lanes: Any, words: Any, digests: Any
) -> None:
    """Write the digests of n files; a lane that is done takes the next one.

    Args:
        addresses: (n,) int64.
        lengths: (n,) int64, bytes.
        start: (8,) uint64, the first state.
        orders: of `_ORDERS`.
        lanes: (4, L) int64, written: address of the block, counter, mark of the last one, file.
        words: (24 L + 16 L,) uint64, written: state, message, last blocks.
        digests: (n, 2) uint64, written.
    """
    state, last_blocks = words.ctypes.data, words.ctypes.data + 8 * 24 * LANES
    places = lanes.ctypes.data
    begun, under_way = 0, 0
    for lane in range(LANES):
        lanes[3, lane] = -1
    while True:
        for lane in range(LANES):
            if lanes[3, lane] < 0 and begun < len(lengths):
                for word in range(8):
                    words[LANES * word + lane] = start[word]
                lanes[1, lane], lanes[3, lane] = 0, begun
                begun, under_way = begun + 1, under_way + 1
            last_block = last_blocks + _BLOCK * lane
            lanes[0, lane], lanes[2, lane] = last_block, 0
            file, done = lanes[3, lane], lanes[1, lane]
            if file < 0:
                continue
            if done + _BLOCK < lengths[file]:
                lanes[0, lane], lanes[1, lane] = addresses[file] + done, done + _BLOCK
            else:
                _copy_block(addresses[file] + done, lengths[file] - done, last_block)
                lanes[1, lane], lanes[2, lane] = lengths[file], -1
        if under_way == 0:
            break
        row = 8 * LANES
        _compress(
            state,
            places,
            places + row,
            places + 2 * row,
            state + 8 * row,
            orders.ctypes.data,
            len(orders),  # known when it runs alone: written out, LLVM takes seconds to compile it
        )
        for lane in range(LANES):
            if lanes[2, lane] != 0:
                digests[lanes[3, lane], 0] = words[lane]
                digests[lanes[3, lane], 1] = words[LANES + lane]
                lanes[3, lane], under_way = -1, under_way - 1


def digests(files: Sequence[bytes]) -> NDArray[np.uint8]:
    """Return the BLAKE2b of 16 bytes of each file: (n, 16) uint8."""
    arrays = [np.frombuffer(data, dtype=np.uint8) for data in files]
    addresses = np.array([x.__array_interface__["data"][0] for x in arrays], dtype=np.int64)
    lengths = np.array([len(data) for data in files], dtype=np.int64)
    lanes = np.zeros((4, LANES), dtype=np.int64)
    words = np.zeros(40 * LANES, dtype=np.uint64)
    written = np.empty((len(files), DIGEST_BYTES // 8), dtype=np.uint64)
    _digest_all(addresses, lengths, _FIRST, _ORDERS, lanes, words, written)
    return written.view(np.uint8)
