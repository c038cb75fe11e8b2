"""Keeping picture libraries off the screen: what matters is in our own sentences."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import logging
import re
import warnings

from PIL import Image

__all__ = ["silence_libraries"]

_REMARKS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def silence_libraries() -> None:
    """Keep what Pillow and its libtiff remark on odd files off the screen.

    Python has no filters by thread, so the filter holds for the whole process, for Pillow alone.
    """
    if _REMARKS not in warnings.filters:
        warnings.filterwarnings("ignore", category=Warning, module=_REMARKS[3].pattern)
    _silence_pillows_log()
    _silence_libtiff()


@functools.cache
def _silence_pillows_log() -> None:
    """Keep Python from writing to the screen what Pillow logs and nobody asked for."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())


@functools.cache
def _silence_libtiff() -> None:
    """Take libtiff its handler of errors, which writes to standard error past Python.

    Pillow does so for libtiff's warnings alone. Errors still come back as failures. A library that
    was put together otherwise and does not show the function keeps its voice.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(Image.core.__file__)  # with all that it is linked to
        set_handler = library.TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)
