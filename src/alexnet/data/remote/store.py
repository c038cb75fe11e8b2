"""A folder in an object store or on a web server: its files and parts of them, asked for patiently.

fsspec reads s3, gs, az, hf and https; who may read is settled by each store's own means
(environment, files of the user, the machine's role). What it raises becomes one of three things:
nothing is there, nobody is let in, or the store is away. The last is waited for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from alexnet.data.remote.store_errors import Trouble, describe_trouble
from alexnet.errors import SourceError
from alexnet.text import format_duration
from alexnet.urls import join_url, shown_url

__all__ = [
    "FIRST_PATIENCE_S",
    "PATIENCE_S",
    "AbsentError",
    "ByteRange",
    "RemoteFolder",
    "ShortError",
]

_log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 600.0
"""Seconds for which a store that answered before is waited for."""

FIRST_PATIENCE_S = 60.0
"""The same for one that never answered: its address may be wrong."""

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0

_SAY_AGAIN_S = 60.0
_CONNECTIONS = 32
_THREADS = 8  # of a library that asks for one part after the other
_CONNECT_S, _READ_S = 10.0, 30.0


class ByteRange(NamedTuple):
    """A part of a file."""

    name: str
    start: int
    end: int  # not of it any more


class RemoteFolder:
    """The files below an address.

    Args:
        url: of the folder.

    Raises:
        SourceError: no store is known by that scheme, its package is missing, or it is set up so
            that it cannot be asked.
    """

    def __init__(self, url: str) -> None:
        self.url, self.shown = url, shown_url(url)
        self._files = _file_system(url, self.shown)
        self._lock = threading.Lock()
        self._answered = False
        self._away_since: float | None = None
        self._said = 0.0
        self._closed = threading.Event()
        self.sends_parts = True

    def close(self) -> None:
        """Let nobody wait for the store any longer."""
        self._closed.set()

    def read(self, name: str) -> bytes:
        """Return a whole file.

        Raises:
            SourceError: it is not there, not allowed, or the store does not answer.
        """
        return self._patiently(lambda: self._files.cat_file(self._place(name)), lambda: name)

    def size(self, name: str) -> int | None:
        """Return how many bytes a file has; None where the server does not say it."""
        place = self._place(name)
        size = self._patiently(lambda: self._files.info(place).get("size"), lambda: name)
        return None if size is None else int(size)

    def read_ranges(self, ranges: Sequence[ByteRange]) -> list[bytes]:
        """Return parts of files, asked for at the same time.

        Raises:
            SourceError: a file is not there, too short, not allowed, or the store does not answer.
        """
        parts: list[bytes | None] = [None] * len(ranges)
        failing = ""

        def ask() -> None:
            nonlocal failing
            missing = [i for i, part in enumerate(parts) if part is None]
            answers = self._ask([ranges[i] for i in missing])
            for i, answer in zip(missing, answers, strict=True):
                if isinstance(answer, bytes):
                    parts[i] = self._cut(ranges[i], answer)
            for i, answer in zip(missing, answers, strict=True):
                if isinstance(answer, Exception):
                    failing = ranges[i].name
                    raise answer

        self._patiently(ask, lambda: failing)
        return [part for part in parts if part is not None]

    def _ask(self, ranges: Sequence[ByteRange]) -> list[bytes | Exception]:
        paths = [self._place(each.name) for each in ranges]
        starts, ends = [each.start for each in ranges], [each.end for each in ranges]
        if self._files.async_impl:
            return self._files.cat_ranges(paths, starts, ends, on_error="return")
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="ranges") as pool:
            return list(pool.map(self._ask_one, paths, starts, ends))

    def _ask_one(self, path: str, start: int, end: int) -> bytes | Exception:
        try:
            return self._files.cat_file(path, start=start, end=end)
        except Exception as cause:  # judged by who asked
            return cause

    def _cut(self, asked: ByteRange, answer: bytes) -> bytes:
        """Return what was asked for of an answer, which may be the whole file."""
        length = asked.end - asked.start
        if len(answer) == length:
            return answer
        if len(answer) < asked.end:
            raise ShortError(
                f"{self.shown}/{asked.name} ends too early: of bytes {asked.start:,} to "
                f"{asked.end:,} only {len(answer):,} are there. Copy the pack there again."
            )
        if self.sends_parts:
            self.sends_parts = False
            _log.warning(
                "%s sends whole files where parts of them are asked for, which takes long. Choose "
                "a server that knows ranges (nginx, Apache, any object store).",
                self.shown,
            )
        return answer[asked.start : asked.end]

    def _place(self, name: str) -> str:
        return self._files._strip_protocol(join_url(self.url, name))

    def _patiently(self, ask: Callable[[], T], name: Callable[[], str]) -> T:
        """Return what `ask` returns, asked again with a growing wait while the store is away."""
        began, wait = time.monotonic(), _FIRST_WAIT_S
        while True:
            try:
                answer = ask()
            except SourceError:
                raise
            except Exception as cause:  # of whichever library the store has
                trouble = describe_trouble(cause)
                left = began + self._patience() - time.monotonic()
                if not trouble.passing or left <= 0:
                    raise self._error(name(), trouble, time.monotonic() - began) from cause
                self._say_away(trouble, left)
                if self._closed.wait(min(wait, left)):
                    raise SourceError(f"{self.shown} is not read any more.") from cause
                wait = min(2 * wait, _LONGEST_WAIT_S)
            else:
                self._say_back()
                return answer

    def _patience(self) -> float:
        return PATIENCE_S if self._answered else FIRST_PATIENCE_S

    def _say_away(self, trouble: Trouble, left: float) -> None:
        """Say that the store is away, and again every minute while that lasts."""
        now = time.monotonic()
        with self._lock:
            due = self._away_since is None or now - self._said >= _SAY_AGAIN_S
            self._away_since = self._away_since or now
            self._said = now if due else self._said
        if due:
            _log.warning(
                "%s does not answer (%s). It is asked again for another %s.",
                self.shown,
                trouble.words,
                format_duration(left),
            )

    def _say_back(self) -> None:
        self._answered = True
        with self._lock:
            since, self._away_since = self._away_since, None
        if since is not None:
            _log.info(
                "%s answers again, after %s.", self.shown, format_duration(time.monotonic() - since)
            )

    def _error(self, name: str, trouble: Trouble, waited: float) -> SourceError:
        place = f"{self.shown}/{name}"
        if trouble.kind == "absent":
            return AbsentError(f"{place} is not there ({trouble.words}). Look at the address.")
        if trouble.kind == "refused":
            return SourceError(
                f"{place} may not be read ({trouble.words}). {_who_may_read(self.url)}"
            )
        if trouble.kind == "short":
            return ShortError(
                f"{place} is shorter than the pack says ({trouble.words}). Copy the pack there "
                "again."
            )
        if trouble.kind == "odd":
            return SourceError(f"{place} cannot be read: {trouble.words}. Look at the address.")
        return SourceError(
            f"{self.shown} did not answer for {format_duration(waited)} ({trouble.words}). Look at "
            "the address, the network and the store; then give the same command again."
        )


class AbsentError(SourceError):
    """A file, a folder or a bucket is not there."""


class ShortError(SourceError):
    """A file ends before a part of it that was asked for."""


_CREDENTIALS = {
    "s3": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a store of one's "
    "own AWS_ENDPOINT_URL, too",
    "gs": "Set GOOGLE_APPLICATION_CREDENTIALS, or call: gcloud auth application-default login",
    "az": "Set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (or "
    "AZURE_STORAGE_SAS_TOKEN, or AZURE_STORAGE_CONNECTION_STRING)",
    "hf": "Set HF_TOKEN, or call: hf auth login",
    "https": "Give user and password in the address, https://USER:PASSWORD@HOST/...",
}
_FAMILY = {"s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az", "http": "https"}


def _scheme(url: str) -> str:
    scheme = url.partition("://")[0].lower()
    return _FAMILY.get(scheme, scheme)


def _who_may_read(url: str) -> str:
    known = _CREDENTIALS.get(_scheme(url))
    return f"{known}." if known else "Give yourself the right to read it."


def _options(scheme: str) -> dict[str, Any]:
    """Return how a store's library is set up; what was listed once may never be the answer."""
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme == "s3":
        # s3fs (2026.9) and botocore below it try again by themselves, 12 seconds in silence.
        retries = {"mode": "standard", "max_attempts": 1}
        options["config_kwargs"] = {"retries": retries, "max_pool_connections": _CONNECTIONS}
    elif scheme == "https":
        from aiohttp import ClientTimeout  # by itself it waits for a silent server for 5 minutes

        limits = ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_READ_S)
        options["client_kwargs"] = {"timeout": limits}
    return options


def _file_system(url: str, shown: str) -> Any:
    scheme = url.partition("://")[0].lower()
    try:
        import fsspec  # type: ignore[import-untyped]

        known: Any = fsspec.get_filesystem_class(scheme)
        return known(**known._get_kwargs_from_urls(url), **_options(_scheme(url)))
    except ImportError as cause:
        raise SourceError(
            f"{shown} needs a package that is not installed ({cause}): pip install "
            '"alexnet[remote]"'
        ) from cause
    except ValueError as cause:
        trouble = describe_trouble(cause)
        if "protocol not known" in trouble.words.lower():
            raise SourceError(
                f"{shown}: no store is known by {scheme}://. A pack lies in a folder, or at s3://, "
                "gs://, az://, hf:// or https://."
            ) from cause
        raise SourceError(
            f"{shown} cannot be read: {trouble.words}. {_who_may_read(url)}"
        ) from cause
    except Exception as cause:  # of whichever library the store has
        trouble = describe_trouble(cause)
        raise SourceError(
            f"{shown} cannot be read: {trouble.words}. {_who_may_read(url)}"
        ) from cause
