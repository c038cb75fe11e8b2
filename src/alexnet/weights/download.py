"""One file from the network: resumed where it was cut, verified by its hash, or not there at all.

Servers are untrusted: sizes and times are bounded, redirects are counted and may not leave https, a
partial download is only resumed where the server says that it is the same file, and only what has
the published hash gets its name.

The libraries for this lack one part each: pooch 1.9 and `torch.hub` do not resume and do not bound
the size; huggingface_hub resumes, but from its own hub alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from alexnet.errors import WeightsError
from alexnet.files import disk_errors, read_json, write_json
from alexnet.locks import locked
from alexnet.progress import track
from alexnet.weights.connection import (
    MIRROR,
    Connection,
    ConnectionLost,
    NoConnection,
    RangeRefused,
    mirrored,
)
from alexnet.weights.published_hash import PublishedHash

__all__ = ["MIRROR", "DownloadedFile", "RemoteFile", "download"]

_CHUNK = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})", re.ASCII)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file that somebody published.

    Args:
        url: where.
        sha256: its whole SHA-256 in 64 hexadecimal digits: what comes over http, or from a mirror,
            is known by nothing else. Where the publisher gives another hash, "KIND:DIGITS" as
            `PublishedHash` takes it.
        max_bytes: no more than this is ever fetched.
        name: what the file is called here and at a mirror; "": as in the address.
        unverified: whether it is taken without any hash.
        timeout_s: seconds with fewer than 1,000 bytes each after which a connection is given up.
        tries: connections before the download is given up; each resumes where the last ended.
        pause_s: seconds before the second try; twice as many before each further one.
        total_s: seconds after which a call ends in any case; the next one resumes.
    """

    url: str
    sha256: str
    max_bytes: int
    name: str = ""
    unverified: bool = False
    timeout_s: float = 30.0
    tries: int = 4
    pause_s: float = 1.0
    total_s: float = 3600.0

    @property
    def hash(self) -> PublishedHash | None:
        """What the file is known by; None: by nothing, and that was not allowed."""
        if self.unverified and not self.sha256:
            return PublishedHash("none")
        return PublishedHash.parse(self.sha256)


@dataclass(frozen=True)
class DownloadedFile:
    """The file as it lies here."""

    path: Path
    sha256: str
    url: str  # where it came from, or would have
    bytes: int  # fetched in this call; 0: it was there


def download(remote: RemoteFile, folder: Path) -> DownloadedFile:
    """Return a published file in `folder`, fetched unless it is there already.

    Args:
        remote: the file, and how patient to be.
        folder: made where missing; the file keeps its published name.

    Raises:
        WeightsError: no connection, a server that does not have it, or another file than the
            published one; nothing but a partial download to resume is kept.
        RunError: the disk refuses.
    """
    name = remote.name or Path(urlsplit(remote.url).path).name
    if not name or (known := remote.hash) is None:
        raise WeightsError(
            f"{remote.url} cannot be fetched safely: a file's address and its whole SHA-256, 64 "
            "hexadecimal digits, are needed. Give both."
        )
    url = mirrored(remote.url, name)
    path = folder / name
    with locked(folder, name=f".{name}.lock", error=WeightsError):
        if path.is_file():
            if known.matches(known.of(path)):
                return DownloadedFile(path, _sha256(path), url, 0)
            _log.warning("%s is damaged and is fetched again.", path)
        return _Download(remote, known, url, path).run()


class _Download:
    """A download under way: the part that is there, and a note on which file it is of."""

    def __init__(self, remote: RemoteFile, known: PublishedHash, url: str, path: Path) -> None:
        self.remote, self.known, self.url, self.path = remote, known, url, path
        self.part = path.with_name(f"{path.name}.part")
        self.note = path.with_name(f"{path.name}.part.json")
        self.fetched = 0
        self.end = time.monotonic() + remote.total_s

    def run(self) -> DownloadedFile:
        """Fetch, verify, and name the file; where a resumed part was wrong, start over."""
        resumed = self._part_size() > 0
        known = self.known
        self._fetch()
        digits = known.of(self.part)
        if resumed and not known.matches(digits):
            self._discard()
            self._fetch()
            digits = known.of(self.part)
        if not known.matches(digits):
            size = self.part.stat().st_size
            self._discard()
            kind = PublishedHash(known.kind, f"{digits[:16]}...").words.partition(" (")[0]
            raise WeightsError(
                f"What {self.url} gave, {size:,} bytes, has the {kind.rstrip('.')}..., and the "
                f"published file's begins with {known.digits[:16]}: it was changed on its way, or "
                f"at its source. Nothing was kept. Try again, or another mirror in {MIRROR}."
            )
        with disk_errors(self.path):
            self.part.replace(self.path)
        self.note.unlink(missing_ok=True)
        return DownloadedFile(self.path, _sha256(self.path), self.url, self.fetched)

    def _fetch(self) -> None:
        """Connect until the file is whole, the tries are used up, or the time is."""
        pause = self.remote.pause_s
        for attempt in range(1, self.remote.tries + 1):
            try:
                return self._connect()
            except NoConnection as error:
                raise self._offline(error) from None
            except ConnectionLost as error:
                if isinstance(error, RangeRefused):
                    self._discard()
                if attempt == self.remote.tries or time.monotonic() + pause >= self.end:
                    raise self._given_up(attempt, error) from None
                _log.info("The download broke off (%s); trying again in %g s.", error, pause)
                time.sleep(pause)
                pause *= 2
        raise AssertionError("tries is at least 1")

    def _given_up(self, attempts: int, error: ConnectionLost) -> WeightsError:
        times = "once" if attempts == 1 else f"{attempts} times, the last time"
        return WeightsError(
            f"The download from {self.url} broke off {times} because {error}. "
            f"{self._part_size():,} bytes are kept: the same command resumes from there."
        )

    def _connect(self) -> None:
        """Make one request and write what comes; raise ConnectionLost where it ends too early."""
        start = self._part_size()
        validator = self._validator() if start else None
        headers = {"User-Agent": "alexnet", "Accept-Encoding": "identity"}
        if validator:
            headers |= {"Range": f"bytes={start}-", "If-Range": validator}
        connection = Connection(self.url, headers, timeout_s=self.remote.timeout_s, end=self.end)
        with connection.response() as response:
            start, total = self._begin(response, start if validator else 0)
            self._write(connection, response, start, total)

    def _begin(self, response: Any, requested: int) -> tuple[int, int | None]:
        """Return where in the file the response begins, and the file's size where the server says.

        Raises:
            WeightsError: the server announces more than the file has, or compressed content.
        """
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise WeightsError(f"{self.url} sends the file compressed, which was not requested.")
        length = response.headers.get("Content-Length")
        start, total = 0, _whole_number(length)
        if response.status == 206:
            content_range = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if content_range is None or int(content_range[1]) != requested:
                self._discard()
                raise ConnectionLost("the server sent another range than was requested")
            start, total = requested, int(content_range[2])
        if total is not None and total > self.remote.max_bytes:
            raise WeightsError(
                f"{self.url} is {total:,} bytes, and the published file has at most "
                f"{self.remote.max_bytes:,}: it is another file. Nothing was fetched."
            )
        validator = response.headers.get("ETag") or response.headers.get("Last-Modified")
        weak = validator is None or validator.startswith("W/")
        write_json(self.note, {"url": self.url, "validator": None if weak else validator})
        return start, total

    def _write(self, connection: Connection, response: Any, start: int, total: int | None) -> None:
        """Append the response to the part, or start it over."""
        size = start
        with (
            disk_errors(self.part),
            self.part.open("r+b" if start else "wb") as file,
            track(f"downloading {self.path.name}", total) as advance,
        ):
            file.seek(start)
            file.truncate()
            advance(start)
            while chunk := connection.read(response, _CHUNK):
                size += len(chunk)
                if size > self.remote.max_bytes:
                    file.close()
                    self._discard()
                    raise WeightsError(
                        f"{self.url} goes on beyond the {self.remote.max_bytes:,} bytes that the "
                        "published file has at most: it is another file. Nothing was kept."
                    )
                file.write(chunk)
                self.fetched += len(chunk)
                advance(len(chunk))
            file.flush()
            os.fsync(file.fileno())
        if total is not None and size < total:
            raise ConnectionLost(f"the connection ended after {size:,} of {total:,} bytes")

    def _offline(self, reason: object) -> WeightsError:
        host, published = urlsplit(self.url).hostname, self.remote.url
        advice = f"name a mirror in {MIRROR}"
        if self.url != published:
            advice = f"name another mirror in {MIRROR}, or none"
        return WeightsError(
            f"There is no connection to {host} ({reason}). Connect to the network; or {advice}; or "
            f"fetch {published} elsewhere and put it here as {self.path}."
        )

    def _part_size(self) -> int:
        """Return how many bytes of the file lie here that can be resumed from."""
        if not self.part.is_file() or not self._validator():
            return 0
        return self.part.stat().st_size

    def _validator(self) -> str | None:
        """Return the ETag or date that the server gave to the file of which a part lies here."""
        with contextlib.suppress(WeightsError):
            note: object = read_json(self.note, WeightsError)
            if isinstance(note, dict):
                fields = cast("dict[str, object]", note)
                validator = fields.get("validator")
                if fields.get("url") == self.url and isinstance(validator, str):
                    return validator
        return None

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def _whole_number(text: str | None) -> int | None:
    """Return a length that a server announced; None where it is none, or absurd in itself."""
    if text is None or not re.fullmatch(r"\s*\d+\s*", text, re.ASCII):
        return None
    digits = text.strip().lstrip("0")
    return int(digits or "0") if len(digits) < 19 else 1 << 62


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
