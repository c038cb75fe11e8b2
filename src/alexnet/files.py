"""Safe writing: beside, flushed, renamed. What a reader can open is whole or is not there."""

from __future__ import annotations

import csv
import errno
import io
import itertools
import json
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import platformdirs

try:
    import fcntl
except ImportError:  # Windows, where a file that somebody writes cannot be removed anyway
    fcntl = None

from alexnet.errors import AlexNetError, RunError
from alexnet.reading import LimitExceeded, read_limited
from alexnet.records import plain_values
from alexnet.text import shorten

__all__ = [
    "append_flushed",
    "as_path",
    "cache_folder",
    "clear_unfinished",
    "disk_errors",
    "escape_formula",
    "is_name_too_long",
    "is_unfinished",
    "link_file",
    "read_json",
    "replace_file",
    "require_usable_path",
    "unescape_formula",
    "write_csv",
    "write_json",
    "write_rows",
]

_TOO_LONG = "it is too long for this system. Choose a shorter name."
_UNFINISHED = ".unfinished"  # ends the names of files that are being written
_KEPT_LETTERS = 40  # of a file's name, so that the unfinished one's is never too long
_BINARY = getattr(os, "O_BINARY", 0)  # Windows

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_ESCAPE = "'"

_DISK_REASONS = {
    errno.ENOSPC: "the disk is full. Free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up. Free some space or choose another folder",
    errno.EACCES: "permission is denied. Choose a folder that you may write to",
    errno.EROFS: "the disk is read-only. Choose another folder",
}

NameErrors = Literal["surrogateescape", "backslashreplace"]
"""File names that are no UTF-8: with the bytes that they have on disk, or with backslashes."""


def cache_folder() -> Path:
    """Return the folder for packs and measurements: $ALEXNET_CACHE, else the user's cache.

    That is ~/.cache/alexnet on Linux (or below $XDG_CACHE_HOME), ~/Library/Caches/alexnet on macOS
    and alexnet below %LOCALAPPDATA% on Windows.
    """
    chosen = os.environ.get("ALEXNET_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    return platformdirs.user_cache_path("alexnet", appauthor=False, opinion=False)


@contextmanager
def disk_errors(where: Path, error: type[AlexNetError] = RunError) -> Generator[None]:
    """Turn the system's refusal to write at `where` into one sentence."""
    try:
        yield
    except RecursionError as cause:  # of `mkdir` with thousands of missing parents
        raise error(f"Could not write {shorten(where)}: {_TOO_LONG}") from cause
    except OSError as cause:
        if is_name_too_long(cause):
            raise error(f"Could not write {shorten(where)}: {_TOO_LONG}") from cause
        reason = _DISK_REASONS.get(
            cause.errno or 0, f"{cause.strerror or cause}. Choose another folder"
        )
        raise error(
            f"Could not write {where}: {reason}; nothing that was whole is lost."
        ) from cause


def is_name_too_long(error: OSError) -> bool:
    """Whether the system refused a name for its length."""
    return error.errno == errno.ENAMETOOLONG


def require_usable_path(path: Path, error: type[AlexNetError] = RunError) -> None:
    """Raise `error` for a path that this system cannot have, whether it is there or not."""
    try:
        path.lstat()
    except OSError as cause:
        if is_name_too_long(cause):
            raise error(f"The path {shorten(path)} cannot be: {_TOO_LONG}") from cause
    except ValueError as cause:  # a null byte in it
        raise error(f"The path {shorten(path)!r} cannot be: {cause}. Name another.") from cause


def as_path(value: Any, error: type[AlexNetError], what: str) -> Path:
    """Return the path that a text or a path stands for.

    Args:
        value: of a caller.
        error: raised for a value of another type; the sentence does not quote it.
        what: begins the sentence: "A source of images".
    """
    if isinstance(value, str | os.PathLike):
        return Path(os.fsdecode(cast("str | os.PathLike[str]", value)))
    kind = type(value).__name__
    raise error(f"{what} is named by its path; got a value of type {kind}. Name one path.")


def replace_file(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file beside `path`, flush it and its folder to disk, then rename it over `path`.

    Args:
        path: the file to make or replace; its folder is made where missing.
        write: is handed the open binary file.

    Raises:
        RunError: the disk is full, read-only or otherwise refuses, or `path` is a folder or a
            device; it is as it was.
    """
    with disk_errors(path):
        if path.exists() and not path.is_file():  # a rename would replace a device by a file
            raise RunError(f"{path} is no file that could be replaced. Name another file.")
        _make_folder(path.parent)
        descriptor, beside = _open_beside(path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
                if fcntl is not None:  # under its lock, so that nobody takes it for a leftover
                    beside.replace(path)
            if fcntl is None:  # Windows renames closed files alone
                beside.replace(path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
        _flush_folder(path.parent)


def _open_beside(path: Path) -> tuple[int, Path]:
    """Make the file that is renamed to `path` when it is whole, and lock it while it is written.

    Its name follows from that of `path`, so that what a killed process left is found and removed
    by the next one that writes the same file.
    """
    for number in itertools.count(1):
        beside = path.with_name(f".{path.name[:_KEPT_LETTERS]}.{number}{_UNFINISHED}")
        while True:
            try:
                descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_RDWR | _BINARY, 0o666)
            except FileExistsError:
                if not _remove_abandoned(beside):
                    break  # somebody else writes it
                continue
            if _lock(descriptor) and _is_file_at(descriptor, beside):
                return descriptor, beside
            os.close(descriptor)
    raise AssertionError("counting does not end")


def _remove_abandoned(beside: Path) -> bool:
    """Remove an unfinished file that nobody holds; return whether it is gone."""
    if fcntl is None:
        with suppress(OSError):
            beside.unlink()
        return not beside.exists()
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_file_at(descriptor, beside):
            beside.unlink()
    except OSError:  # it is locked, or the file system has no locks
        return False
    finally:
        os.close(descriptor)
    return True


def _lock(descriptor: int) -> bool:
    """Lock a file that was just made; return whether nobody else did."""
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # no locks here: then no leftover is ever removed either
            return True
    return True


def _is_file_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def append_flushed(path: Path, data: bytes) -> None:
    """Add bytes to the end of a file, made where missing, and flush them to disk.

    Raises:
        OSError: the disk refuses; some of the bytes may be there.
    """
    new = not path.exists()
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if new:
        _flush_folder(path.parent)


def link_file(source: Path, path: Path) -> None:
    """Make `path` another name of the file `source`, in one instant; a copy where that cannot be.

    Raises:
        RunError: the disk refuses; `path` is as it was.
    """
    with disk_errors(path):
        if path.exists() and path.samefile(source):  # renaming one onto the other does nothing
            return
        beside = path.with_name(f".{path.name}.link{_UNFINISHED}")
        beside.unlink(missing_ok=True)
        try:
            beside.hardlink_to(source)
        except OSError:  # not every file system has links
            with source.open("rb") as original:
                replace_file(path, lambda file: shutil.copyfileobj(original, file))
            return
        beside.replace(path)
        _flush_folder(path.parent)


def is_unfinished(path: Path) -> bool:
    """Whether this is a file that somebody writes, or wrote when the process was killed."""
    return path.name.startswith(".") and path.name.endswith(_UNFINISHED)


def clear_unfinished(folder: Path) -> None:
    """Remove what a killed process was writing anywhere below a folder that nobody else uses.

    Raises:
        RunError: the disk refuses.
    """
    with disk_errors(folder):
        for path in folder.rglob(f".*{_UNFINISHED}"):
            path.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON through `replace_file`; NaN and infinities become null."""
    text = json.dumps(plain_values(value), indent=2, ensure_ascii=False, allow_nan=False)
    # Names of files that are no text hold lone surrogates; so written, JSON reads them back.
    data = text.encode("utf-8", "backslashreplace")
    replace_file(path, lambda file: file.write(data + b"\n"))


def read_json(path: Path, error: type[AlexNetError] = RunError, *, most: int | None = None) -> Any:
    """Read one JSON file; raise `error`, with the file's name, where it is missing or damaged.

    Args:
        path: the file.
        error: which of the four errors.
        most: bytes that it may have; None: any number, of files that are our own.
    """
    try:
        return json.loads(path.read_bytes() if most is None else read_limited(path, most))
    except LimitExceeded as cause:
        raise error(f"{path} is not read: {cause}. Name another file.") from cause
    except OSError as cause:
        raise error(f"Could not read {path}: {cause.strerror}.") from cause
    except (ValueError, RecursionError) as cause:
        raise error(f"{path} is not a whole JSON file ({cause}). Restore or remove it.") from cause


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each entry flushed to disk."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    """Make a rename durable where the system can open folders (Windows cannot)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def escape_formula(text: str) -> str:
    """Return what a spreadsheet shows as this text and does not compute."""
    return f"{_ESCAPE}{text}" if text.startswith((*_FORMULA_STARTS, _ESCAPE)) else text


def unescape_formula(cell: str) -> str:
    """Return the text that `escape_formula` was given."""
    return cell.removeprefix(_ESCAPE)


def write_csv(
    path: Path, rows: Iterable[Sequence[object]], *, name_errors: NameErrors = "surrogateescape"
) -> None:
    """Write a CSV file beside `path` and rename it.

    Args:
        path: the file to make or replace.
        rows: the heading first; texts are escaped, numbers are written as Python writes them (they
            read back equal), None is an empty cell.
        name_errors: how file names that are no UTF-8 are written.

    Raises:
        RunError: the disk refuses; `path` is as it was.
    """
    replace_file(path, lambda file: write_rows(file, rows, name_errors=name_errors))


def write_rows(
    file: BinaryIO, rows: Iterable[Sequence[object]], *, name_errors: NameErrors = "surrogateescape"
) -> None:
    """Write rows into an open binary file; see `write_csv`."""
    text = io.TextIOWrapper(file, "utf-8", errors=name_errors, newline="")
    try:
        csv.writer(text).writerows(
            [escape_formula(cell) if isinstance(cell, str) else cell for cell in row]
            for row in rows
        )
    finally:
        text.detach()  # closing it would close the caller's file
