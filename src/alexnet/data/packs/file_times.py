"""When images were taken: what the cameras say, or when the files were written, where that tells.

Legend: N images of the source, n of them that were packed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.plan import PackableSource

__all__ = ["are_plausible", "choose_times"]

_BURST_GAP_MS = 10_000
_HOUR_MS = 3_600_000
_MAX_SHARE = 0.5  # of the files, written within 10 seconds of another: a copy or a download wrote


def choose_times(
    source: PackableSource, kept: NDArray[np.int64], camera_times: list[NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Return when each image was taken.

    Where the cameras say it of at least half of the images, theirs are taken. Else the times of the
    files, where they are plausible.

    Args:
        source: of N images.
        kept: (n,) those that were packed.
        camera_times: what `capture_time` read from them, in parts of n together.

    Returns:
        (n,) int64 milliseconds since 1970; 0: unknown.
    """
    times = np.concatenate(camera_times)
    if 2 * np.count_nonzero(times) >= len(times) or source.times is None:
        return times
    written = source.times[kept]
    return written if are_plausible(written) else times


def are_plausible(written: NDArray[np.int64]) -> bool:
    """Whether files were written when their images were taken, and not when they were copied.

    Copying, unpacking and downloading write one file after the other: nearly each of them within
    seconds of another, or all at once. So at least half of the files must be alone for 10 seconds,
    and all together must take more than an hour.

    Args:
        written: (n,) milliseconds since 1970; 0: unknown.
    """
    known = np.sort(written[written > 0])
    if 2 * len(known) < len(written) or len(known) < 2 or known[-1] - known[0] < _HOUR_MS:
        return False
    near = np.diff(known) <= _BURST_GAP_MS
    beside = np.concatenate([near, [False]]) | np.concatenate([[False], near])
    return float(beside.mean()) <= _MAX_SHARE
