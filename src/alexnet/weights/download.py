"""One file from the network: resumed where it was cut, verified by its hash, or not there at all.

Servers are untrusted: sizes are bounded, redirects are counted and may not leave https, a partial
download is only resumed where the server says that it is the same file, and only what has the
published SHA-256 gets its name.

The libraries for this lack one part each: pooch 1.9 and `torch.hub` do not resume and do not bound
the size; huggingface_hub resumes, but from its own hub alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import logging
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

from alexnet.errors import WeightsError
from alexnet.files import disk_errors, read_json, write_json
from alexnet.locks import locked
from alexnet.progress import track

__all__ = ["MIRROR", "DownloadedFile", "RemoteFile", "download"]

MIRROR = "ALEXNET_WEIGHTS_MIRROR"
"""Environment variable: an address below which files are looked for by their names alone."""

_CHUNK = 1 << 20
_MAX_REDIRECTS = 5
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file that somebody published.

    Args:
        url: where.
        sha256: its SHA-256 in hexadecimal digits, or how it begins.
        max_bytes: no more than this is ever fetched.
        timeout_s: seconds without a byte after which a connection is given up.
        tries: connections before the download is given up; each resumes where the last ended.
        pause_s: seconds before the second try; twice as many before each further one.
    """

    url: str
    sha256: str
    max_bytes: int
    timeout_s: float = 30.0
    tries: int = 4
    pause_s: float = 1.0


@dataclass(frozen=True)
class DownloadedFile:
    """The file as it lies here."""

    path: Path
    sha256: str
    url: str  # where it came from, or would have
    bytes: int  # fetched in this call; 0: it was there


class _ConnectionLost(Exception):
    """A connection that ended before the file did; another may resume."""


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
    name = Path(urlsplit(remote.url).path).name
    url = _address(remote.url, name)
    path = folder / name
    with locked(folder, name=f".{name}.lock", error=WeightsError):
        if path.is_file():
            digest = _sha256(path)
            if digest.startswith(remote.sha256.lower()):
                return DownloadedFile(path, digest, url, 0)
            _log.warning("%s is damaged and is fetched again.", path)
        return _Download(remote, url, path).run()


class _Download:
    """A download under way: the part that is there, and a note on which file it is of."""

    def __init__(self, remote: RemoteFile, url: str, path: Path) -> None:
        self.remote, self.url, self.path = remote, url, path
        self.part = path.with_name(f"{path.name}.part")
        self.note = path.with_name(f"{path.name}.part.json")
        self.fetched = 0
        self.opener = urllib.request.build_opener(_Redirects)

    def run(self) -> DownloadedFile:
        """Fetch, verify, and name the file; where a resumed part was wrong, start over."""
        resumed = self._part_size() > 0
        self._fetch()
        digest = _sha256(self.part)
        if resumed and not digest.startswith(self.remote.sha256.lower()):
            self._discard()
            self._fetch()
            digest = _sha256(self.part)
        if not digest.startswith(self.remote.sha256.lower()):
            self._discard()
            raise WeightsError(
                f"What {self.url} gave has the SHA-256 {digest[:16]}..., and the published file's "
                f"begins with {self.remote.sha256[:16]}: it was changed on its way, or at its "
                f"source. Nothing was kept. Try again, or another mirror in {MIRROR}."
            )
        with disk_errors(self.path):
            self.part.replace(self.path)
        self.note.unlink(missing_ok=True)
        return DownloadedFile(self.path, digest, self.url, self.fetched)

    def _fetch(self) -> None:
        """Connect until the file is whole, or the tries are used up."""
        pause = self.remote.pause_s
        for attempt in range(1, self.remote.tries + 1):
            try:
                return self._connect()
            except _ConnectionLost as error:
                if attempt == self.remote.tries:
                    raise WeightsError(
                        f"The download from {self.url} broke off {attempt} times, the last time "
                        f"because {error}. {self._part_size():,} bytes are kept: the same command "
                        "resumes from there."
                    ) from None
                _log.info("The download broke off (%s); trying again in %g s.", error, pause)
                time.sleep(pause)
                pause *= 2
        raise AssertionError("tries is at least 1")

    def _connect(self) -> None:
        """Make one request and write what comes; raise _ConnectionLost where it ends too early."""
        start = self._part_size()
        validator = self._validator() if start else None
        headers = {"User-Agent": "alexnet", "Accept-Encoding": "identity"}
        if validator:
            headers |= {"Range": f"bytes={start}-", "If-Range": validator}
        request = urllib.request.Request(self.url, headers=headers)  # noqa: S310 - see _address
        with self._response(request) as response:
            start, total = self._begin(response, start if validator else 0)
            self._write(response, start, total)

    @contextlib.contextmanager
    def _response(self, request: urllib.request.Request) -> Generator[Any]:
        """Open a request; what trying again cannot mend becomes a sentence."""
        try:
            with self.opener.open(request, timeout=self.remote.timeout_s) as response:
                yield response
        except urllib.error.HTTPError as error:
            if error.code == 416:  # the part is longer than the file: it is of another one
                self._discard()
                raise _ConnectionLost("the part was not of this file") from None
            if error.code in (408, 429) or error.code >= 500:
                raise _ConnectionLost(f"the server answered {error.code} {error.reason}") from None
            raise WeightsError(
                f"{self.url} cannot be had: the server answered {error.code} {error.reason}. "
                f"Look whether the address still holds, or name a mirror in {MIRROR}."
            ) from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise _ConnectionLost(self._stalled()) from None
            raise self._offline(error.reason) from None
        except TimeoutError:
            raise _ConnectionLost(self._stalled()) from None
        except (http.client.HTTPException, ConnectionError) as error:
            raise _ConnectionLost(f"the connection ended ({type(error).__name__})") from None

    def _begin(self, response: Any, requested: int) -> tuple[int, int | None]:
        """Return where in the file the response begins, and the file's size where the server says.

        Raises:
            WeightsError: the server announces more than the file has, or compressed content.
        """
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise WeightsError(f"{self.url} sends the file compressed, which was not requested.")
        length = response.headers.get("Content-Length")
        start, total = 0, int(length) if length and length.isdecimal() else None
        if response.status == 206:
            content_range = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if content_range is None or int(content_range[1]) != requested:
                self._discard()
                raise _ConnectionLost("the server sent another range than was requested")
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

    def _write(self, response: IO[bytes], start: int, total: int | None) -> None:
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
            while chunk := self._read(response):
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
            raise _ConnectionLost(f"the connection ended after {size:,} of {total:,} bytes")

    def _read(self, response: IO[bytes]) -> bytes:
        """Return what has come, a chunk at most; b"" at the end."""
        try:
            return cast("Any", response).read1(_CHUNK)
        except TimeoutError:
            raise _ConnectionLost(self._stalled()) from None
        except (http.client.HTTPException, ConnectionError) as error:
            raise _ConnectionLost(f"the connection ended ({type(error).__name__})") from None

    def _stalled(self) -> str:
        return f"nothing came for {self.remote.timeout_s:g} s"

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


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow a few redirects, to https or from http to http, and nowhere else."""

    max_redirections = _MAX_REDIRECTS
    max_repeats = 2

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        before, after = (urlsplit(str(each)).scheme for each in (req.full_url, newurl))
        if after != "https" and not (before == after == "http"):
            raise WeightsError(
                f"{req.full_url} sends us on to {newurl}, which is not https. It is not followed."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _address(url: str, name: str) -> str:
    """Return where to fetch: below the mirror where one is set."""
    mirror = os.environ.get(MIRROR)
    if not mirror:
        return url
    if urlsplit(mirror).scheme not in ("http", "https"):
        raise WeightsError(f'{MIRROR} must be an address with http or https; it is "{mirror}".')
    return f"{mirror.rstrip('/')}/{name}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
