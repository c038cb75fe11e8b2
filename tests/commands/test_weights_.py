"""`alexnet weights`: the catalog, and a download through the program itself."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import re
import threading

import pytest

from alexnet.records import PublishedWeights
from alexnet.weights import PUBLISHED
from alexnet.weights.download import MIRROR


def test_the_catalog_says_what_each_is(alexnet):
    said = alexnet("weights", "--json")
    listed = {each["name"]: each for each in json.loads(said.out)["weights"]}
    bundled, found = listed["small-200"], listed["torchvision-alexnet"]
    assert (bundled["name"], bundled["classes"]) == ("small-200", 200)
    assert found["name"] == "torchvision-alexnet"
    assert found["source"] == "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
    assert (found["classes"], found["crops"]) == (1000, 1)
    assert re.fullmatch("7be5be79[0-9a-f]{56}", found["sha256"]), "whole, as the name begins"
    assert (found["top1"], found["top5"]) == (0.56522, 0.79066)
    text = alexnet("weights").out
    for word in ("one_column", "56.5% top-1", "BSD-3-Clause", "7be5be79", "233 MB"):
        assert word in text


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror on this machine with one small file, which the catalog knows."""
    content = b"weights" * 1000
    digest = hashlib.sha256(content).hexdigest()
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / f"net-{digest[:8]}.pth").write_bytes(content)
    entry = PublishedWeights(
        **{**PUBLISHED["torchvision-alexnet"].to_json(), "name": "small", "size_mb": 0.01},
        # a form that is brought in by hand
    )
    url = f"https://no-such-host.invalid/net-{digest[:8]}.pth"
    entry = type(entry)(**{**entry.to_json(), "source": url, "sha256": digest, "format": "archive"})
    monkeypatch.setitem(PUBLISHED, "small", entry)
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        monkeypatch.setenv(MIRROR, f"http://127.0.0.1:{server.server_address[1]}")
        yield content
        server.shutdown()
        thread.join()


def test_weights_come_from_a_mirror_into_the_cache(alexnet, mirror, tmp_path):
    said = alexnet("weights", "get", "small", "--json")
    found = json.loads(said.out)
    assert (said.code, found["downloaded"]) == (0, len(mirror))
    assert found["file"].startswith(str(tmp_path / "cache" / "weights"))
    assert found["sha256"] == hashlib.sha256(mirror).hexdigest()
    again = alexnet("weights", "get", "small")
    assert "it was there" in again.out
    assert "alexnet import" in again.out
    elsewhere = alexnet("weights", "get", "small", "--folder", tmp_path / "here")
    assert (tmp_path / "here").is_dir()
    assert elsewhere.code == 0


def test_offline_is_a_sentence(alexnet, mirror, monkeypatch):
    monkeypatch.delenv(MIRROR)
    said = alexnet("weights", "get", "small")
    assert said.code == 2
    assert "There is no connection to no-such-host.invalid" in said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["get"], "Name the weights to get: torchvision-alexnet"),
        (["get", "torchvision-alexnt"], 'Did you mean "torchvision-alexnet"'),
        (["list", "torchvision-alexnet"], "To download weights write: alexnet weights get NAME"),
    ],
)
def test_mistakes_are_sentences(alexnet, words, sentence):
    said = alexnet("weights", *words)
    assert (said.code, sentence in said.err) == (2, True)
