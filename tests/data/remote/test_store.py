from __future__ import annotations

import threading
import time

import pytest

from alexnet.data.remote import store
from alexnet.data.remote.store import ByteRange, RemoteFolder
from alexnet.errors import SourceError

DATA = bytes(range(256)) * 10


@pytest.fixture
def folder(web) -> RemoteFolder:
    (web.folder / "file").write_bytes(DATA)
    return RemoteFolder(web.url)


def test_a_file_is_read_whole_and_in_parts(folder, web):
    assert folder.read("file") == DATA
    assert folder.size("file") == len(DATA)
    parts = folder.read_ranges([ByteRange("file", 300, 700), ByteRange("file", 0, 2)])
    assert parts == [DATA[300:700], DATA[:2]]
    assert ("/file", 300, 699) in web.asked


def test_a_server_without_ranges_is_told_of_and_works(folder, web, caplog):
    web.ranges = False
    assert folder.sends_parts
    for _ in range(2):
        assert folder.read_ranges([ByteRange("file", 300, 700)]) == [DATA[300:700]]
    assert not folder.sends_parts
    assert caplog.text.count("sends whole files") == 1


def test_a_file_that_is_too_short_is_an_error(folder):
    with pytest.raises(SourceError, match=r"file ends too early.*Copy the pack there again"):
        folder.read_ranges([ByteRange("file", 2000, 3000)])


def test_what_is_not_there_is_no_matter_of_waiting(folder):
    started = time.monotonic()
    with pytest.raises(SourceError, match=r"127.0.0.1:\d+/none is not there .*Look at the address"):
        folder.read("none")
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_not_let_in_is_told_how(folder, web, status):
    web.spoil = lambda _path, _first, _data: status
    with pytest.raises(SourceError, match=r"file may not be read .*USER:PASSWORD@HOST"):
        folder.read("file")


def test_a_server_that_fails_for_a_while_is_asked_again(folder, web, caplog):
    caplog.set_level("INFO")
    answers = iter([503, None, b"cut", DATA])
    length = len(DATA)

    def spoil(_path: str, _first: int, data: bytes) -> bytes | int | None:
        answer = next(answers)
        return answer if answer != b"cut" else data[: length // 2]

    web.spoil = spoil
    # Half of the file with its own length is all that this server has: nothing to be asked again.
    assert folder.read("file") == DATA[: length // 2]
    assert len(web.asked) == 3
    assert "does not answer" in caplog.text
    assert "It is asked again for another" in caplog.text
    assert "answers again, after" in caplog.text


def test_parts_that_came_are_not_asked_for_again(folder, web):
    refused = {300: 1}

    def spoil(_path: str, first: int, data: bytes) -> bytes | int | None:
        refused[first] = refused.get(first, 0) - 1
        return 503 if refused[first] >= 0 else data

    web.spoil = spoil
    ranges = [ByteRange("file", start, start + 100) for start in (100, 300, 500)]
    assert folder.read_ranges(ranges) == [DATA[100:200], DATA[300:400], DATA[500:600]]
    assert sorted(first for _, first, _ in web.asked) == [100, 300, 300, 500]


def test_a_server_that_stops_and_starts_again_is_waited_for(folder, web):
    assert folder.read("file") == DATA
    web.stop()
    threading.Timer(0.3, web.start).start()
    assert folder.read("file") == DATA


def test_waiting_ends_with_what_to_do(folder, web, monkeypatch):
    web.stop()
    monkeypatch.setattr(store, "FIRST_PATIENCE_S", 0.1)
    with pytest.raises(SourceError, match=r"did not answer for 0 s .*give the same command again"):
        folder.read("file")


def test_one_that_answered_before_is_waited_for_longer(folder, web, monkeypatch):
    monkeypatch.setattr(store, "FIRST_PATIENCE_S", 0.0)
    folder.read("file")
    answers = iter([503, 503])
    web.spoil = lambda _path, _first, data: next(answers, data)
    assert folder.read("file") == DATA


def test_secrets_of_the_address_are_sent_and_never_shown(web, caplog, monkeypatch):
    (web.folder / "pack").mkdir()
    (web.folder / "pack" / "file").write_bytes(DATA)
    folder = RemoteFolder(f"{web.url}/pack/?sig=secret".replace("http://", "http://me:word@"))
    assert folder.read("file") == DATA
    assert web.asked[-1][0] == "/pack/file?sig=secret"
    web.spoil = lambda _path, _first, _data: 503
    monkeypatch.setattr(store, "PATIENCE_S", 0.1)
    with pytest.raises(SourceError) as caught:
        folder.read("file")
    for text in (str(caught.value), caplog.text, folder.shown):
        assert "secret" not in text
        assert "word@" not in text


def test_an_unknown_store_is_a_sentence():
    with pytest.raises(SourceError, match=r"no store is known by floppy://"):
        RemoteFolder("floppy://a/pack")


def test_a_missing_package_is_one_command(monkeypatch):
    import fsspec

    def missing(_scheme: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(SourceError, match=r'pip install "alexnet\[remote\]"'):
        RemoteFolder("s3://bucket/pack")


def test_a_library_without_ranges_at_once_is_asked_in_threads():
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe_file("/pack/file", DATA)
    folder = RemoteFolder("memory://pack")
    parts = folder.read_ranges([ByteRange("file", 0, 5), ByteRange("file", 5, 9)])
    assert parts == [DATA[:5], DATA[5:9]]
    with pytest.raises(SourceError, match="none is not there"):
        folder.read_ranges([ByteRange("none", 0, 5)])
