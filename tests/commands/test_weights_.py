"""`alexnet weights`: the catalog, and a download through the program itself."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from alexnet import weights_
from alexnet.errors import RecipeError
from alexnet.records import PublishedWeights
from alexnet.weights import PUBLISHED
from alexnet.weights.download import MIRROR
from fixtures.mirror import mirroring


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
    (line,) = (line for line in text.splitlines() if line.startswith("torchvision-alexnet "))
    words = "torchvision-alexnet 1,000 224 56.5% 79.1% 233 MB BSD-3-Clause (torchvision)"
    assert " ".join(line.split()) == words
    assert "places205-alexnet *" in text, "without a hash"
    assert len(text.splitlines()) < len(listed) + 12


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "torchvision-alexnet",
            ("one_column", "56.5% top-1", "BSD-3-Clause", "SHA-256 7be5be79", "233 MB"),
        ),
        ("small-200", ("in the package", "51.9% top-1")),
        ("squeezenet_v1.1", ("size     4.8 MB\n", '"at least"')),
        ("vgg16-caffe", ("about 528 MB (counted from its weights)", "--unverified")),
    ],
)
def test_one_is_shown_in_full(alexnet, name, words):
    said = alexnet("weights", "show", name)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"{name}\n")
    for word in words:
        assert word in said.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("shw", "small-200"), 'action must be "list", "show" or "get"; got "shw"'),
        (("get", 3), "named by a text; got a value of type int"),
    ],
)
def test_wrong_values_are_sentences(words, sentence):
    with pytest.raises(RecipeError, match=sentence):
        weights_(*words)


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
    with mirroring(folder, monkeypatch):
        yield content


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
        (["list", "torchvision-alexnet"], "One of them: alexnet weights show torchvision-alexnet"),
        (["show"], "Name the weights to show: torchvision-alexnet"),
        (["show", "timm/resnet18.a1_in1k"], "The model hub has timm/resnet18.a1_in1k"),
        (["show", "small-20"], 'There are no published weights "small-20"'),
        (["show", "small-200", "--unverified"], "write: alexnet weights get NAME"),
    ],
)
def test_mistakes_are_sentences(alexnet, words, sentence):
    said = alexnet("weights", *words)
    assert (said.code, sentence in said.err) == (2, True)
