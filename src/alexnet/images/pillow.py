"""What Pillow raises for damaged files, and how what it says of them is kept off the screen."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import logging
import re
import struct
import warnings

from PIL import Image

__all__ = ["PILLOW_ERRORS", "silence_pillow"]

PILLOW_ERRORS = (
    OSError,  # truncated, unknown, without a frame
    SyntaxError,  # raised by Pillow's PNG and GIF readers
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    NotImplementedError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
)
"""What Pillow (13.0) raises for files that are damaged in one way or another."""

_FILTER = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def silence_pillow() -> None:
    """Keep what Pillow and its libtiff say of odd files off the screen.

    Python has no warning filters by thread, so the filter holds for the whole process, for Pillow
    alone. It is looked for each time: pytest and others put the filters back to what they were.
    """
    if _FILTER not in warnings.filters:
        warnings.filterwarnings("ignore", category=Warning, module=_FILTER[3].pattern)
    _silence_log()
    _silence_libtiff()


@functools.cache
def _silence_log() -> None:
    """Keep Python's handler of last resort from writing what Pillow logs."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())


@functools.cache
def _silence_libtiff() -> None:
    """Remove libtiff's error handler, which writes to standard error past Python.

    Pillow (up to 13.0) removes the handler of libtiff's warnings alone. Errors still come back as
    failures. A build of Pillow that does not export the function stays as it is.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(Image.core.__file__)  # with all that it is linked to
        set_handler = library.TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)
