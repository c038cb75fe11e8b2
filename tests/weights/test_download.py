"""Downloads against a server on this machine that stalls, cuts, lies and redirects."""

from __future__ import annotations

import hashlib
import http.server
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from alexnet.errors import WeightsError
from alexnet.progress import show_on
from alexnet.weights.download import MIRROR, RemoteFile, download

CONTENT = bytes(range(256)) * 8192  # 2 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT at any path; `misbehave` is called first and may answer by itself."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag = CONTENT, '"one"'
        self.misbehave: Callable[[Handler], bool] = lambda request: False
        self.requests: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/models/net-{SHA256[:8]}.pth"

    def handle_error(self, request, client_address):
        """A client that went away is no event."""


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        if not self.server.misbehave(self):
            self.give(self.server.content)

    def give(self, content: bytes, only: int | None = None) -> None:
        """Answer as an honest server does, but send no more than `only` bytes."""
        start = 0
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if found and self.headers.get("If-Range") == self.server.etag:
            start = int(found[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("ETag", self.server.etag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        part = content[start:]
        self.wfile.write(part if only is None else part[:only])


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv(MIRROR, raising=False)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fetch(server: Server, folder: Path, **changes):
    fields = {"url": server.url, "sha256": SHA256, "max_bytes": 3 << 20, "pause_s": 0.01}
    return download(RemoteFile(**{**fields, "timeout_s": 5, **changes}), folder)


def left(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir() if not each.name.endswith(".lock")}


def test_a_file_is_fetched_once(server, tmp_path):
    found = fetch(server, tmp_path)
    assert found.path.read_bytes() == CONTENT
    assert (found.sha256, found.bytes, found.url) == (SHA256, len(CONTENT), server.url)
    assert left(tmp_path) == {found.path.name}
    assert fetch(server, tmp_path).bytes == 0
    assert len(server.requests) == 1


def test_progress_is_told_in_bytes(server, tmp_path):
    import contextlib

    done = []

    @contextlib.contextmanager
    def display(title, total):
        done.append((title, total))
        yield lambda count=1, note="": done.append(count)

    with show_on(display):
        path = fetch(server, tmp_path).path
    assert done[0] == (f"downloading {path.name}", len(CONTENT))
    assert sum(done[1:]) == len(CONTENT)


def test_a_cut_download_resumes_where_it_ended(server, tmp_path):
    lengths = [500_000, 700_000]

    def cut(request):
        if lengths:
            request.give(CONTENT, only=lengths.pop(0))
            return True
        return False

    server.misbehave = cut
    found = fetch(server, tmp_path)
    assert found.path.read_bytes() == CONTENT
    assert [requested for _, requested in server.requests] == [
        None,
        "bytes=500000-",
        "bytes=1200000-",
    ]
    assert found.bytes == len(CONTENT)


def test_a_server_that_always_cuts_leaves_a_part_for_the_next_call(server, tmp_path):
    server.misbehave = lambda request: request.give(CONTENT, only=100_000) or True
    words = r"broke off 2 times, .* 200,000 bytes are kept: the same command resumes from there"
    with pytest.raises(WeightsError, match=words):
        fetch(server, tmp_path, tries=2)
    assert not any(each.suffix == ".pth" for each in tmp_path.iterdir())
    server.misbehave = lambda request: False
    assert fetch(server, tmp_path).bytes == len(CONTENT) - 200_000


def test_a_stalled_connection_is_resumed(server, tmp_path):
    hold = threading.Event()

    def stall(request):
        if len(server.requests) == 1:
            request.give(CONTENT, only=300_000)
            request.wfile.flush()
            hold.wait(20)
            return True
        return False

    server.misbehave = stall
    try:
        started = time.monotonic()
        found = fetch(server, tmp_path, timeout_s=0.3)
        assert time.monotonic() - started < 15
    finally:
        hold.set()
    assert found.path.read_bytes() == CONTENT
    assert server.requests[1][1] == "bytes=300000-"


def test_a_file_that_changed_meanwhile_is_fetched_from_the_beginning(server, tmp_path):
    def cut_then_change(request):
        if len(server.requests) == 1:
            request.give(b"x" * len(CONTENT), only=400_000)
            server.etag = '"two"'
            return True
        return False

    server.misbehave = cut_then_change
    assert fetch(server, tmp_path).path.read_bytes() == CONTENT


def test_a_damaged_part_is_fetched_again(server, tmp_path):
    server.misbehave = lambda request: request.give(CONTENT, only=100_000) or True
    with pytest.raises(WeightsError):
        fetch(server, tmp_path, tries=1)
    (part,) = tmp_path.glob("*.part")
    part.write_bytes(b"y" * 100_000)
    server.misbehave = lambda request: False
    assert fetch(server, tmp_path).path.read_bytes() == CONTENT


def test_changed_content_leaves_nothing(server, tmp_path):
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(WeightsError, match="has the SHA-256 .*changed on .*Nothing was kept"):
        fetch(server, tmp_path)
    assert left(tmp_path) == set()


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "not announced"])
def test_no_more_than_the_published_size_is_taken(server, tmp_path, announced):
    def flood(request):
        request.send_response(200)
        if announced:
            request.send_header("Content-Length", str(1 << 40))
        request.end_headers()
        for _ in range(100):
            request.wfile.write(CONTENT)
        return True

    server.misbehave = flood
    with pytest.raises(WeightsError, match=r"is another file. Nothing was (kept|fetched)"):
        fetch(server, tmp_path)
    assert not any(each.suffix in (".pth", ".part") for each in tmp_path.iterdir())


def test_another_range_than_requested_is_not_used(server, tmp_path):
    def lie(request):
        if len(server.requests) == 1:
            request.give(CONTENT, only=1000)
            return True
        if len(server.requests) == 2:
            request.send_response(206)
            request.send_header("Content-Range", f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}")
            request.end_headers()
            request.wfile.write(CONTENT[7:])
            return True
        return False

    server.misbehave = lie
    assert fetch(server, tmp_path).path.read_bytes() == CONTENT
    assert server.requests[2][1] is None


def test_compressed_content_is_an_error(server, tmp_path):
    def compress(request):
        request.send_response(200)
        request.send_header("Content-Encoding", "gzip")
        request.end_headers()
        return True

    server.misbehave = compress
    with pytest.raises(WeightsError, match="sends the file compressed"):
        fetch(server, tmp_path)


def redirect(request, where: str, code: int = 302) -> bool:
    request.send_response(code)
    request.send_header("Location", where)
    request.end_headers()
    return True


def test_redirects_are_followed(server, tmp_path):
    server.misbehave = lambda request: (
        len(server.requests) <= 2 and redirect(request, f"/hop{len(server.requests)}")
    )
    found = fetch(server, tmp_path)
    assert [path for path, _ in server.requests][1:] == ["/hop1", "/hop2"]
    assert found.path.name == Path(server.url).name, "named as it was published"


def test_endless_redirects_are_an_error(server, tmp_path):
    server.misbehave = lambda request: redirect(request, f"/hop{len(server.requests)}")
    with pytest.raises(WeightsError, match="cannot be had: the server answered 302"):
        fetch(server, tmp_path)
    assert len(server.requests) <= 7


@pytest.mark.parametrize("where", ["file:///etc/hostname", "ftp://127.0.0.1/net.pth"])
def test_redirects_out_of_the_web_are_not_followed(server, tmp_path, where):
    server.misbehave = lambda request: redirect(request, where)
    with pytest.raises(WeightsError, match="(not https. It is not followed|cannot be had)"):
        fetch(server, tmp_path)
    assert left(tmp_path) == set()


def respond(code: int) -> Callable[[Handler], bool]:
    return lambda request: request.send_error(code) or True


def test_an_address_that_is_gone_is_a_sentence(server, tmp_path):
    server.misbehave = respond(404)
    with pytest.raises(WeightsError, match=rf"answered 404 Not Found. .* a mirror in {MIRROR}"):
        fetch(server, tmp_path)
    assert len(server.requests) == 1


def test_server_errors_are_retried(server, tmp_path):
    server.misbehave = lambda request: len(server.requests) < 3 and respond(503)(request)
    assert fetch(server, tmp_path).path.read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_without_a_network_the_sentence_says_what_to_do(server, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/net.pth"
        words = rf"no connection to 127.0.0.1 .* mirror in {MIRROR}; or fetch .* put it here as"
        with pytest.raises(WeightsError, match=words):
            fetch(server, tmp_path, url=url)
    with pytest.raises(WeightsError, match="no connection to no-such-host.invalid"):
        fetch(server, tmp_path, url="https://no-such-host.invalid/net.pth")


def test_a_mirror_is_used_instead(server, tmp_path, monkeypatch):
    monkeypatch.setenv(MIRROR, server.url.rpartition("/models/")[0] + "/copies/")
    name = Path(server.url).name
    found = fetch(server, tmp_path, url=f"https://no-such-host.invalid/models/{name}")
    assert found.path.read_bytes() == CONTENT
    assert server.requests[0][0] == f"/copies/{name}"
    monkeypatch.setenv(MIRROR, "file:///tmp")
    with pytest.raises(WeightsError, match="must be an address with http or https"):
        fetch(server, tmp_path / "other")


def test_a_damaged_file_is_fetched_again(server, tmp_path):
    path = fetch(server, tmp_path).path
    path.write_bytes(CONTENT[:100])
    assert fetch(server, tmp_path).bytes == len(CONTENT)
    assert path.read_bytes() == CONTENT


def test_two_downloads_of_one_file_are_locked_out(server, tmp_path):
    hold, arrived = threading.Event(), threading.Event()

    def wait(request):
        arrived.set()
        hold.wait(20)
        return False

    server.misbehave = wait
    first = threading.Thread(target=fetch, args=(server, tmp_path), kwargs={"timeout_s": 20})
    first.start()
    try:
        assert arrived.wait(10)
        with pytest.raises(WeightsError, match="is in use by"):
            fetch(server, tmp_path)
    finally:
        hold.set()
        first.join()
    assert fetch(server, tmp_path).bytes == 0
