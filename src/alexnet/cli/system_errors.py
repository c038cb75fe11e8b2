"""What the system refuses, as sentences: no memory, no room, no file. None of it is a bug here."""

from __future__ import annotations

import errno
import inspect
from collections.abc import Callable
from typing import Any, Unpack, get_type_hints

from alexnet.errors import is_out_of_memory
from alexnet.files import is_name_too_long
from alexnet.recipe import RecipeChanges
from alexnet.text import join_words, shorten

__all__ = ["describe_system_error"]

_REDUCE = {
    "batch_size": "--batch-size",
    "image_px": "--image-px",
    "crop_px": "--crop-px",
    "crops": "--crops",
    "workers": "--workers",
    "images": "the number of images",
    "also": "the number of weights in --also",
}
"""Parameters of verbs that memory grows with, and how they are given."""

_ADVICE = {
    errno.ENOSPC: "Free some space on the disk",
    errno.EDQUOT: "Free some of your quota",
    errno.EMFILE: "Raise the limit of open files: ulimit -n",
    errno.ENFILE: "Close other programs, which hold too many files",
    errno.EAGAIN: "Close other programs, or raise the limit of processes: ulimit -u",
    errno.EIO: "The disk or the connection to it fails: look after it",
}


def describe_system_error(error: Exception, verb: Callable[..., Any] | None) -> str | None:
    """Return the sentence for what the system refused; None: it is something else, a bug.

    Args:
        error: that a verb raised, none of the package's own.
        verb: the function that was called, whose parameters are named where memory is short.
    """
    if is_out_of_memory(error):
        return _describe_memory(error, verb)
    if not isinstance(error, OSError) or error.errno is None:
        return None
    if is_name_too_long(error):
        return f"The name {shorten(error.filename)} is too long for this system."
    where = "" if error.filename is None else f" at {shorten(error.filename)}"
    advice = _ADVICE.get(error.errno, "Look whether it is there, and whether you may use it")
    return f"The system refused{where}: {error.strerror or error}. {advice}."


def _describe_memory(error: BaseException, verb: Callable[..., Any] | None) -> str:
    lines = str(error).strip().splitlines()
    said = f" ({shorten(lines[0].rstrip('.'))})" if lines else ""
    reduce = (
        [] if verb is None else [_REDUCE[name] for name in _parameters(verb) if name in _REDUCE]
    )
    advice = f"Reduce {join_words(reduce)}, or close" if reduce else "Close"
    return (
        f"There is not enough memory{said}. {advice} other programs, or take a machine with more."
    )


def _parameters(verb: Callable[..., Any]) -> list[str]:
    """Return the names of all that a verb takes, the fields of a recipe among them."""
    names = list(inspect.signature(verb).parameters)
    if Unpack[RecipeChanges] in get_type_hints(inspect.unwrap(verb)).values():
        names += get_type_hints(RecipeChanges)
    return [name for name in _REDUCE if name in names]
