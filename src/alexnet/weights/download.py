"""One file from the network: resumed where it was cut, held against its hash, or not there at all.

What a server says is not believed: sizes are bounded, redirects are counted and may not leave
https, a part that was fetched before is only gone on with where the server says that it is the
same file, and only what has the published SHA-256 gets its name.
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

__all__ = ["MIRROR", "Downloaded", "Wanted", "download"]

MIRROR = "ALEXNET_WEIGHTS_MIRROR"
"""Environment variable: an address below which files are looked for by their names alone."""

_CHUNK = 1 << 20
_MOST_REDIRECTS = 5
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A file that somebody published.

    Args:
        url: where.
        sha256: its SHA-256 in hexadecimal digits, or how it begins.
        most_bytes: no more than this is ever fetched.
        timeout_s: seconds without a byte after which a connection is given up.
        tries: connections before the download is given up; each goes on where the last ended.
        pause_s: seconds before the second try; twice as many before each further one.
    """

    url: str
    sha256: str
    most_bytes: int
    timeout_s: float = 30.0
    tries: int = 4
    pause_s: float = 1.0


@dataclass(frozen=True)
class Downloaded:
    """The file as it lies here."""

    path: Path
    sha256: str
    url: str  # where it came from, or would have
    bytes: int  # fetched in this call; 0: it was there


class _BrokenOff(Exception):
    """A connection that ended before the file did; another may go on."""


def download(wanted: Wanted, folder: Path) -> Downloaded:
    """Return a published file in `folder`, fetched unless it is there already.

    Args:
        wanted: what, and how patient to be.
        folder: made where missing; the file keeps its published name.

    Raises:
        WeightsError: no connection, a server that does not have it, or another file than the
            published one; nothing but a part to go on with is kept.
        RunError: the disk refuses.
    """
    name = Path(urlsplit(wanted.url).path).name
    url = _address(wanted.url, name)
    path = folder / name
    with locked(folder, name=f".{name}.lock", error=WeightsError):
        if path.is_file():
            digest = _sha256(path)
            if digest.startswith(wanted.sha256.lower()):
                return Downloaded(path, digest, url, 0)
            _log.warning("%s is damaged and is fetched again.", path)
        return _Fetching(wanted, url, path).run()


class _Fetching:
    """One call of `download` that has to fetch: a part beside the file, and a note on it."""

    def __init__(self, wanted: Wanted, url: str, path: Path) -> None:
        self.wanted, self.url, self.path = wanted, url, path
        self.part = path.with_name(f"{path.name}.part")
        self.note = path.with_name(f"{path.name}.part.json")
        self.fetched = 0
        self.opener = urllib.request.build_opener(_Redirects)

    def run(self) -> Downloaded:
        """Fetch, check, and name the file; where a resumed part was wrong, fetch all anew."""
        resumed = self._have() > 0
        self._fetch()
        digest = _sha256(self.part)
        if resumed and not digest.startswith(self.wanted.sha256.lower()):
            self._forget()
            self._fetch()
            digest = _sha256(self.part)
        if not digest.startswith(self.wanted.sha256.lower()):
            self._forget()
            raise WeightsError(
                f"What {self.url} gave has the SHA-256 {digest[:16]}..., and the published file's "
                f"begins with {self.wanted.sha256[:16]}: it was changed on its way, or at its "
                f"source. Nothing was kept. Try again, or another mirror in {MIRROR}."
            )
        with disk_errors(self.path):
            self.part.replace(self.path)
        self.note.unlink(missing_ok=True)
        return Downloaded(self.path, digest, self.url, self.fetched)

    def _fetch(self) -> None:
        """Connect until the file is whole, or the tries are used up."""
        pause = self.wanted.pause_s
        for attempt in range(1, self.wanted.tries + 1):
            try:
                return self._connect()
            except _BrokenOff as error:
                if attempt == self.wanted.tries:
                    raise WeightsError(
                        f"The download from {self.url} broke off {attempt} times, the last time "
                        f"because {error}. {self._have():,} bytes are kept: the same command goes "
                        "on from there."
                    ) from None
                _log.info("The download broke off (%s); trying again in %g s.", error, pause)
                time.sleep(pause)
                pause *= 2
        raise AssertionError("tries is at least 1")

    def _connect(self) -> None:
        """Make one request and write what comes; raise _BrokenOff where it ends too early."""
        have = self._have()
        validator = self._validator() if have else None
        headers = {"User-Agent": "alexnet", "Accept-Encoding": "identity"}
        if validator:
            headers |= {"Range": f"bytes={have}-", "If-Range": validator}
        request = urllib.request.Request(self.url, headers=headers)  # noqa: S310 - see _address
        with self._answers(request) as answer:
            start, total = self._begin(answer, have if validator else 0)
            self._write(answer, start, total)

    @contextlib.contextmanager
    def _answers(self, request: urllib.request.Request) -> Generator[Any]:
        """Open a request; what cannot be mended by trying again becomes a sentence."""
        try:
            with self.opener.open(request, timeout=self.wanted.timeout_s) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            if error.code == 416:  # the part is longer than the file: it is of another one
                self._forget()
                raise _BrokenOff("the part was not of this file") from None
            if error.code in (408, 429) or error.code >= 500:
                raise _BrokenOff(f"the server answered {error.code} {error.reason}") from None
            raise WeightsError(
                f"{self.url} cannot be had: the server answered {error.code} {error.reason}. "
                f"Look whether the address still holds, or name a mirror in {MIRROR}."
            ) from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise _BrokenOff(self._stalled()) from None
            raise self._offline(error.reason) from None
        except TimeoutError:
            raise _BrokenOff(self._stalled()) from None
        except (http.client.HTTPException, ConnectionError) as error:
            raise _BrokenOff(f"the connection ended ({type(error).__name__})") from None

    def _begin(self, answer: Any, asked: int) -> tuple[int, int | None]:
        """Return where in the file the answer begins, and the file's size where the server says.

        Raises:
            WeightsError: the server means to send more than the file has, or something packed.
        """
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise WeightsError(f"{self.url} sends the file packed, which was not asked for.")
        length = answer.headers.get("Content-Length")
        start, total = 0, int(length) if length and length.isdecimal() else None
        if answer.status == 206:
            found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if found is None or int(found[1]) != asked:
                self._forget()
                raise _BrokenOff("the server sent another part than was asked for")
            start, total = asked, int(found[2])
        if total is not None and total > self.wanted.most_bytes:
            raise WeightsError(
                f"{self.url} is {total:,} bytes, and the published file has at most "
                f"{self.wanted.most_bytes:,}: it is another file. Nothing was fetched."
            )
        mark = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        weak = mark is None or mark.startswith("W/")
        write_json(self.note, {"url": self.url, "validator": None if weak else mark})
        return start, total

    def _write(self, answer: IO[bytes], start: int, total: int | None) -> None:
        """Append the answer to the part, or begin it anew."""
        have = start
        with (
            disk_errors(self.part),
            self.part.open("r+b" if start else "wb") as file,
            track(f"downloading {self.path.name}", total) as advance,
        ):
            file.seek(start)
            file.truncate()
            advance(start)
            while chunk := self._read(answer):
                have += len(chunk)
                if have > self.wanted.most_bytes:
                    file.close()
                    self._forget()
                    raise WeightsError(
                        f"{self.url} goes on beyond the {self.wanted.most_bytes:,} bytes that the "
                        "published file has at most: it is another file. Nothing was kept."
                    )
                file.write(chunk)
                self.fetched += len(chunk)
                advance(len(chunk))
            file.flush()
            os.fsync(file.fileno())
        if total is not None and have < total:
            raise _BrokenOff(f"the connection ended after {have:,} of {total:,} bytes")

    def _read(self, answer: IO[bytes]) -> bytes:
        """Return what has come, a chunk at most; b"" at the end."""
        try:
            return cast("Any", answer).read1(_CHUNK)
        except TimeoutError:
            raise _BrokenOff(self._stalled()) from None
        except (http.client.HTTPException, ConnectionError) as error:
            raise _BrokenOff(f"the connection ended ({type(error).__name__})") from None

    def _stalled(self) -> str:
        return f"nothing came for {self.wanted.timeout_s:g} s"

    def _offline(self, reason: object) -> WeightsError:
        host, published = urlsplit(self.url).hostname, self.wanted.url
        advice = f"name a mirror in {MIRROR}"
        if self.url != published:
            advice = f"name another mirror in {MIRROR}, or none"
        return WeightsError(
            f"There is no connection to {host} ({reason}). Connect to the network; or {advice}; or "
            f"fetch {published} elsewhere and put it here as {self.path}."
        )

    def _have(self) -> int:
        """Return how many bytes of the file lie here that can be gone on with."""
        if not self.part.is_file() or not self._validator():
            return 0
        return self.part.stat().st_size

    def _validator(self) -> str | None:
        """Return the mark that the server gave to the file of which a part lies here."""
        with contextlib.suppress(WeightsError):
            note: object = read_json(self.note, WeightsError)
            if isinstance(note, dict):
                known = cast("dict[str, object]", note)
                mark = known.get("validator")
                if known.get("url") == self.url and isinstance(mark, str):
                    return mark
        return None

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow a few redirects, to https or from http to http, and nowhere else."""

    max_redirections = _MOST_REDIRECTS
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
