"""Servers that answer anything: a download ends in a sentence, in time, and leaves nothing."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator

import pytest

from alexnet.errors import AlexNetError, WeightsError
from alexnet.weights.connection import MIRROR
from alexnet.weights.download import RemoteFile, download

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LONG = "9" * 5000  # more digits than Python turns into a number
TOTAL_S = 3.0


def drip(first: bytes, byte: bytes = b"x", pause_s: float = 0.02) -> Iterator[bytes]:
    """Send something, and then a little now and then, without end."""
    yield first
    while True:
        yield byte
        time.sleep(pause_s)


def found(headers: str, body: bytes = b"") -> list[bytes]:
    return [f"HTTP/1.1 200 OK\r\n{headers}\r\n".encode("latin-1"), body]


def sent_on(where: str, code: int = 302) -> list[bytes]:
    return [f"HTTP/1.1 {code} Found\r\nLocation: {where}\r\n\r\n".encode()]


ANSWERS = {
    "nothing": [b""],
    "no HTTP": [b"SSH-2.0-server\r\n"],
    "noise": [bytes(range(256)) * 9],
    "status without reason": [b"HTTP/1.1 404\r\n\r\n"],
    "status that is no number": [b"HTTP/1.1 two OK\r\n\r\n"],
    "status 999": [b"HTTP/1.1 999 Odd\r\n\r\n"],
    "reason with an escape sequence": [b"HTTP/1.1 403 \x1b[2J\xff\r\n\r\n"],
    "reason without end": [b"HTTP/1.1 500 " + b"x" * 70_000],
    "no content": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "not modified": [b"HTTP/1.1 304 Not Modified\r\n\r\n"],
    "an empty body": found("Content-Length: 0\r\n"),
    "no headers": [b"HTTP/1.1 200 OK\r\n"],
    "a header of 70,000 letters": found(f"X: {'x' * 70_000}\r\n"),
    "200 headers": found("X: 1\r\n" * 200),
    "headers that drip": drip(b"HTTP/1.1 200 OK\r\nX: "),
    "status line that drips": drip(b"HTTP/1.1 2"),
    "100 Continue without end": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
    "a body that drips": drip(*found(f"Content-Length: {len(CONTENT)}\r\n")[:1]),
    "a body that drips without a length": drip(*found("")[:1]),
    "chunks that drip": drip(*found("Transfer-Encoding: chunked\r\n")[:1], b"1\r\nx\r\n"),
    "trailers without end": drip(
        found("Transfer-Encoding: chunked\r\n", b"0\r\n")[0] + b"0\r\n", b"X: 1\r\n", 0.001
    ),
    "a chunk of no size": found("Transfer-Encoding: chunked\r\n", b"one\r\nx\r\n"),
    "a chunk of less than nothing": found("Transfer-Encoding: chunked\r\n", b"-5\r\nx\r\n"),
    "a chunk size without end": found("Transfer-Encoding: chunked\r\n", b"f" * 70_000),
    "a length of 5,000 digits": found(f"Content-Length: {LONG}\r\n", CONTENT),
    "a length below nothing": found("Content-Length: -5\r\n", b"x"),
    "a length that is no number": found("Content-Length: many\r\n", b"x"),
    "a length in other digits": found("Content-Length: \xb2\r\n", b"x"),
    "two lengths": found("Content-Length: 1\r\nContent-Length: 2\r\n", b"x"),
    "a terabyte": found("Content-Length: 1099511627776\r\n", b"x"),
    "a flood": itertools.chain(found(""), itertools.repeat(bytes(1 << 16), 99)),
    "compressed": found("Content-Encoding: gzip\r\n", b"\x1f\x8b"),
    "compressed in another word": found("Content-Encoding: zstd\r\n", b"\x1f\x8b"),
    "a part that nobody asked for": [
        b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 7-9/10\r\n\r\nabc"
    ],
    "a part of absurd length": [
        f"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-{LONG}/{LONG}\r\n\r\nabc".encode()
    ],
    "a part of unknown length": [b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-2/*\r\n\r\nabc"],
    "no such range": [b"HTTP/1.1 416 Range\r\n\r\n"],
    "sent on nowhere": [b"HTTP/1.1 302 Found\r\n\r\n"],
    "sent on to nothing": sent_on(""),
    "sent on in a circle": sent_on("/again"),
    "sent on to brackets": sent_on("http://[::1"),
    "sent on to no port": sent_on("http://127.0.0.1:port/x"),
    "sent on to port 99999": sent_on("http://127.0.0.1:99999/x"),
    "sent on to no host": sent_on("http:///x"),
    "sent on to letters of other scripts": sent_on("http://b\u00fccher.invalid/x"),
    "sent on to a path of other scripts": sent_on("/\u7d75\u6587\u5b57"),
    "sent on to a label of 70 letters": sent_on(f"http://{'a' * 70}.invalid/x"),
    "sent on to dots": sent_on("http://a..b/x"),
    "sent on to a blank": sent_on("http://a b/x"),
    "sent on to an escape sequence": sent_on("http://\x1b[2J/x"),
    "sent on to a file": sent_on("file:///etc/hostname"),
    "sent on to data": sent_on("data:text/plain,x"),
    "sent on to an address without end": sent_on("http://127.0.0.1/" + "x" * 60_000),
    "308": sent_on("http://[", 308),
}


@pytest.fixture
def serve(monkeypatch):
    """Return a function that answers each request with some bytes, and gives the address."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv(MIRROR, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as stack:

        def start(answer: Iterable[bytes]) -> str:
            parts = answer if isinstance(answer, list) else None
            stream = iter(answer)

            def respond(connection: socket.socket) -> None:
                with connection, contextlib.suppress(OSError, ValueError):
                    connection.recv(65536)
                    for part in parts if parts is not None else stream:
                        connection.sendall(part)

            def accept() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = listening.accept()
                        threading.Thread(target=respond, args=(connection,), daemon=True).start()

            threading.Thread(target=accept, daemon=True).start()
            stack.callback(listening.shutdown, socket.SHUT_RDWR)
            return f"http://127.0.0.1:{listening.getsockname()[1]}/net.pth"

        yield start


def fetch(url, folder, **changes):
    patience = {"pause_s": 0.01, "tries": 2, "timeout_s": 0.3, "total_s": TOTAL_S}
    fields = {"sha256": SHA256, "max_bytes": 1 << 20, **patience, **changes}
    return download(RemoteFile(url=url, **fields), folder)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_any_answer_ends_in_a_sentence_in_time(answer, serve, tmp_path):
    url = serve(answer)
    started = time.monotonic()
    with pytest.raises(WeightsError) as raised:
        fetch(url, tmp_path)
    assert time.monotonic() - started < TOTAL_S
    assert re.search(r"[a-z)]\. ?|there\.$|as /", str(raised.value)), str(raised.value)
    assert len(str(raised.value)) < 1200
    assert not (tmp_path / "net.pth").exists()


def test_all_of_a_call_has_an_end(serve, tmp_path):
    def slowly() -> Iterator[bytes]:
        yield found("")[0]
        while True:  # fast enough for every window
            yield bytes(1000)
            time.sleep(0.01)

    url = serve(slowly())
    started = time.monotonic()
    with pytest.raises(WeightsError, match=r"broke off once because it took too long\. .* resumes"):
        fetch(url, tmp_path, total_s=0.5, max_bytes=1 << 30)
    assert 0.4 < time.monotonic() - started < 2


def test_a_slow_server_is_waited_for_as_long_as_bytes_come(serve, tmp_path):
    pieces = [CONTENT[i : i + 1000] for i in range(0, len(CONTENT), 1000)]

    def slowly() -> Iterator[bytes]:
        yield found(f"Content-Length: {len(CONTENT)}\r\n")[0]
        for piece in pieces:
            yield piece
            time.sleep(0.1)

    assert fetch(serve(slowly()), tmp_path).path.read_bytes() == CONTENT, "0.7 s, limit 0.3 s"


@pytest.mark.parametrize("sha256", ["", SHA256[:8], SHA256[:-1], SHA256 + "0", "x" * 64])
def test_a_hash_is_whole(serve, tmp_path, sha256):
    url = serve(found(f"Content-Length: {len(CONTENT)}\r\n", CONTENT))
    with pytest.raises(WeightsError, match="its whole SHA-256, 64 hexadecimal digits, are needed"):
        fetch(url, tmp_path, sha256=sha256)
    assert fetch(url, tmp_path, sha256=SHA256.upper()).sha256 == SHA256


@pytest.mark.parametrize(
    "mirror",
    ["http://[::1", "http://", "ftp://a/b", "a/b", "http://a:port/", "http://a:0/", "file:///tmp"],
)
def test_a_mirror_that_is_no_address_is_a_sentence(mirror, monkeypatch, tmp_path):
    monkeypatch.setenv(MIRROR, mirror)
    with pytest.raises(WeightsError, match=f"{MIRROR} must be an address with http or https"):
        fetch("https://no-such-host.invalid/net.pth", tmp_path)


@pytest.mark.parametrize(
    "mirror",
    [
        "http://b\u00fccher.invalid",
        f"http://{'a' * 70}.invalid",
        "http://a b",
        "http://a..b/\u7d75",
    ],
)
def test_a_mirror_of_any_letters_is_a_sentence(mirror, monkeypatch, tmp_path):
    monkeypatch.setenv(MIRROR, mirror)
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(AlexNetError, match=r"no connection to|no address that can be opened"):
        fetch("https://no-such-host.invalid/net.pth", tmp_path, tries=1)
