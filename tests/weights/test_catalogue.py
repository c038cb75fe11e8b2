"""The catalogue: every entry is well formed, and says so much as its publisher does."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from alexnet.errors import WeightsError
from alexnet.weights import COMPANIONS, PUBLISHED, suggested_weights, weights_file
from alexnet.weights.catalogue import published_name
from alexnet.weights.location import made_file
from alexnet.weights.published_hash import PublishedHash

OVER_HTTP = {
    "dl.caffe.berkeleyvision.org": "sha1",  # its readme files give it
    "places.csail.mit.edu": None,
    "places2.csail.mit.edu": None,
    "www.robots.ox.ac.uk": None,
}


@pytest.mark.parametrize("entry", PUBLISHED.values(), ids=PUBLISHED.keys())
def test_an_entry_is_well_formed(entry):
    parts, known = urlsplit(entry.source), PublishedHash.parse(entry.sha256)
    if parts.scheme == "http":
        assert (known.kind if known else None) == OVER_HTTP[parts.hostname]
    else:
        assert parts.scheme == "https"
        assert known is not None, "what comes over https has a hash here"
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]+", entry.name)
    assert 0.5 < entry.size_mb < 600
    assert entry.license
    for share in (entry.top1, entry.top5):
        assert share is None or 0.5 < share < 0.95
    assert (entry.top1 is None and entry.top5 is None) == (not entry.figures_from)
    if entry.top1 is not None:
        assert entry.top1 < entry.top5
    assert entry.input_px in (224, 227)


@pytest.mark.parametrize("name", COMPANIONS)
def test_files_beside_a_model_are_pinned(name):
    assert name in PUBLISHED
    for url, sha256 in COMPANIONS[name].files:
        assert re.fullmatch(r"https://raw\.githubusercontent\.com/\w+/[\w-]+/[0-9a-f]{40}/\S+", url)
        assert re.fullmatch("[0-9a-f]{64}", sha256)


def test_weights_that_are_not_here_yet_say_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path))
    for name in ("torchvision-resnet18", "timm/resnet18.a1_in1k"):
        with pytest.raises(
            WeightsError, match=f"not here yet. Get them: alexnet weights get {name}"
        ):
            weights_file(Path(name))
        made_file(name).parent.mkdir(exist_ok=True)
        made_file(name).write_bytes(b"")
        assert weights_file(Path(name)) == made_file(name)
    assert published_name("photo.jpg") is None


def test_what_is_suggested_is_in_the_catalogue():
    for images in (30, 300, 3_000, 100_000):
        said = suggested_weights(images)
        found = re.match(r"with an internet connection: alexnet weights get (\S+) \(.+\)$", said)
        assert found
        assert found[1] in PUBLISHED
