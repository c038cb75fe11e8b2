"""One request to a server that nobody vouches for: bounded in time, whatever it answers.

Every operation on a socket has a time limit, and that is not enough: a server that sends a byte now
and then, in headers, between chunks or in the file, keeps every limit and never ends. So a thread
watches beside the request, and shuts the connection down where too few bytes came for too long.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from typing import Any, cast
from urllib.parse import urlsplit

from alexnet.errors import WeightsError
from alexnet.text import shorten

__all__ = ["MIRROR", "Connection", "ConnectionLost", "NoConnection", "RangeRefused", "mirrored"]

MIRROR = "ALEXNET_WEIGHTS_MIRROR"
"""Environment variable: an address below which files are looked for by their names alone."""

_MAX_REDIRECTS = 5
_LEAST_BYTES_PER_S = 1000
_RETRIED = (408, 416, 425, 429)


class ConnectionLost(Exception):
    """A connection that ended before the file did; another may resume. The message is a phrase."""


class RangeRefused(ConnectionLost):
    """The server has no such range: the part is of another file."""


class Connection:
    """A request and its response.

    Args:
        url: http or https.
        headers: of the request.
        timeout_s: seconds in which 1,000 bytes each must come, headers counted in whole, before the
            connection is given up.
        end: of all patience, on the clock of `time.monotonic`.
    """

    def __init__(self, url: str, headers: dict[str, str], *, timeout_s: float, end: float) -> None:
        self.url = url
        self._headers = headers
        self._watch = _Watch(timeout_s, end)

    @contextlib.contextmanager
    def response(self) -> Generator[Any]:
        """Open the response.

        Raises:
            ConnectionLost: it may go better next time.
            WeightsError: trying again cannot mend it.
        """
        handlers = (_Redirects, _Http(self._watch), _Https(self._watch))
        try:
            request = urllib.request.Request(self.url, headers=self._headers)  # noqa: S310 - http(s)
            opener = urllib.request.build_opener(*handlers)
            with (
                self._watch,
                opener.open(request, timeout=self._watch.timeout_s) as response,
            ):
                self._watch.require_time()
                yield response
        except (ConnectionLost, WeightsError):
            raise
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from None
        except urllib.error.URLError as error:
            raise self._unreachable(error.reason) from None
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise self._broken(error) from None

    def read(self, response: Any, count: int) -> bytes:
        """Return what has come, `count` bytes at most; b"" at the end.

        Raises:
            ConnectionLost: nothing comes, or too little.
        """
        try:
            data = cast("bytes", response.read1(count))
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise self._broken(error) from None
        self._watch.require_time()
        self._watch.advance(len(data))
        return data

    def _broken(self, error: Exception) -> Exception:
        """Return what an error inside a request means."""
        self._watch.require_time()
        if isinstance(error, TimeoutError):
            return ConnectionLost(self._watch.words)
        if isinstance(error, ValueError | http.client.InvalidURL):  # of an address
            return self._bad_address(error)
        return ConnectionLost(f"the connection ended ({type(error).__name__})")

    def _bad_address(self, error: Exception) -> WeightsError:
        return WeightsError(
            f"{shorten(self.url)}, or where it sends us on to, is no address that can be opened "
            f"({shorten(error)}). Name another in {MIRROR}."
        )

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        said = shorten(f"{error.code} {error.reason or ''}".strip())
        if error.code == 416:
            return RangeRefused("the part was not of this file")
        if error.code in _RETRIED or error.code >= 500:
            return ConnectionLost(f"the server answered {said}")
        return WeightsError(
            f"{self.url} cannot be had: the server answered {said}. "
            f"Look whether the address still holds, or name a mirror in {MIRROR}."
        )

    def _unreachable(self, reason: object) -> Exception:
        self._watch.require_time()
        if isinstance(reason, TimeoutError):
            return ConnectionLost(self._watch.words)
        return NoConnection(str(reason))


class NoConnection(Exception):
    """The server cannot be reached at all; the message says why."""


class _Watch:
    """Shuts a connection down where too few bytes came for too long, or all patience is at its end.

    Args:
        timeout_s: the length of the window in which bytes are counted.
        end: on the clock of `time.monotonic`.
    """

    def __init__(self, timeout_s: float, end: float) -> None:
        self.timeout_s = timeout_s
        self.words = f"nothing came for {timeout_s:g} s"
        self._end, self._count = end, 0
        self._window = time.monotonic() + timeout_s
        self._sockets: list[socket.socket] = []
        self._changed = threading.Condition()
        self._expired = self._done = False

    def add(self, connected: socket.socket) -> None:
        """Watch a connection; what wraps it in TLS later takes the socket and leaves this copy."""
        with self._changed:
            self._sockets.append(connected.dup())

    def advance(self, count: int) -> None:
        """Count bytes that came; enough of them begin a new window."""
        with self._changed:
            self._count += count
            if self._count >= _LEAST_BYTES_PER_S * self.timeout_s:
                self._count, self._window = 0, time.monotonic() + self.timeout_s

    def require_time(self) -> None:
        """Raise ConnectionLost where the connection was shut down."""
        if self._expired:
            raise ConnectionLost(self.words)

    def __enter__(self) -> _Watch:
        threading.Thread(target=self._run, name="watching a download", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._done = True
            self._changed.notify()
            for each in self._sockets:
                each.close()

    def _run(self) -> None:
        with self._changed:
            while not self._done:
                wait = min(self._window, self._end) - time.monotonic()
                if wait > 0:
                    self._changed.wait(wait)
                    continue
                if time.monotonic() >= self._end:
                    self.words = "it took too long"
                elif self._count:
                    self.words = f"only {self._count:,} bytes came in {self.timeout_s:g} s"
                self._expired = True
                for each in self._sockets:
                    with contextlib.suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)
                return


class _WatchedHandler:
    """What both handlers share: connections whose sockets are watched."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def watched(self, kind: Any) -> Any:
        """Return a function that makes connections of this kind."""

        def make(host: str, **options: Any) -> Any:
            connection = kind(host, **options)
            connect = connection._create_connection

            def create(*args: Any, **more: Any) -> socket.socket:
                connected: socket.socket = connect(*args, **more)
                self._watch.add(connected)
                return connected

            connection._create_connection = create
            return connection

        return make


class _Http(_WatchedHandler, urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self.watched(http.client.HTTPConnection), req)


class _Https(_WatchedHandler, urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self.watched(http.client.HTTPSConnection), req)


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
                f"{req.full_url} sends us on to {shorten(newurl)}, which is not https. It is not "
                "followed."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except urllib.error.HTTPError:  # which holds the response
            raise
        except BaseException:  # urllib leaves it open where the new address is none
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def mirrored(url: str, name: str) -> str:
    """Return where to fetch a file: below the mirror where one is set.

    Raises:
        WeightsError: the mirror is no address.
    """
    mirror = os.environ.get(MIRROR)
    if not mirror:
        return url
    try:
        parts = urlsplit(mirror)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not close, a port that is no number
        known = False
    if not known:
        raise WeightsError(f'{MIRROR} must be an address with http or https; it is "{mirror}".')
    return f"{mirror.rstrip('/')}/{name}"
