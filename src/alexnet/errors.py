"""The four errors a user can meet, and what is out of memory whoever says so.

    AlexNetError
    ├── SourceError    images, tables, archives, packs
    ├── RecipeError    settings, names, geometry
    ├── WeightsError   weights files, imports, exports
    └── RunError       run folders, checkpoints, disk, processes
        ├── Diverged      a loss that is not finite or does not leave its start
        └── Interrupted   stopped on request; the same command continues

Each message is a sentence that says what was found, where, and what to do.
The command line prints it without a traceback and exits with `exit_code`.
"""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable

__all__ = [
    "AlexNetError",
    "Diverged",
    "Interrupted",
    "RecipeError",
    "RunError",
    "SourceError",
    "WeightsError",
    "did_you_mean",
    "is_out_of_memory",
]


_LONG_WORD = re.compile(r"\S{2000,}")  # no path of a file that is there: names have 255 bytes
_WORD_ENDS = 60
_LONGEST = 16_000


class AlexNetError(Exception):
    """Root of everything this package raises on purpose.

    A sentence that quotes what a caller gave, such as a file's bytes for a path, stays readable.
    """

    exit_code = 2

    def __str__(self) -> str:
        """Return the sentence; of a word or a sentence that is far too long, both ends."""
        text = _LONG_WORD.sub(lambda word: _both_ends(word[0], _WORD_ENDS), super().__str__())
        return text if len(text) <= _LONGEST else _both_ends(text, _LONGEST // 2)


def _both_ends(text: str, letters: int) -> str:
    return f"{text[:letters]}...{text[-letters:]}"


class SourceError(AlexNetError):
    """An image, table, archive, folder or pack cannot be used as it is."""


class RecipeError(AlexNetError):
    """A setting, a name or a geometry that cannot work."""


class WeightsError(AlexNetError):
    """A weights file cannot be read, written or used here."""


class RunError(AlexNetError):
    """A run folder, a checkpoint, the disk or a process stands in the way."""


class Diverged(RunError):
    """The loss is not finite, or has not left the value that knows nothing."""


class Interrupted(RunError):
    """The run was asked to stop, saved itself, and can go on."""

    exit_code = 3


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `' Did you mean "x"?'` with the nearest known names, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    if not near:
        return ""
    quoted = [f'"{each}"' for each in near]
    return f" Did you mean {' or '.join(quoted)}?"


_MEMORY_WORDS = (
    "out of memory",  # CUDA's
    "can't allocate memory",  # torch's allocator on a processor
    "cannot allocate memory",
    "not enough memory",  # torch's on Windows
    "failed to allocate memory",  # ONNX Runtime's
    "bad_alloc",
    "bad allocation",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that there is not enough memory, whoever raised it.

    torch, ONNX Runtime and OpenVINO raise RuntimeError for that, with words of their own; the
    system raises OSError where it can map or fork no more.
    """
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    words = str(error).casefold()
    return isinstance(error, RuntimeError) and any(each in words for each in _MEMORY_WORDS)
