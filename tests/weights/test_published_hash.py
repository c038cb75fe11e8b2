"""Hashes as publishers give them, against `hashlib` and git's own names of known contents."""

from __future__ import annotations

import hashlib

import pytest

from alexnet.weights.published_hash import PublishedHash

HELLO = b"hello\n"


@pytest.mark.parametrize(
    ("kind", "digits"),
    [
        ("sha256", hashlib.sha256(HELLO).hexdigest()),
        ("sha256-start", hashlib.sha256(HELLO).hexdigest()[:8]),
        ("sha1", hashlib.sha1(HELLO).hexdigest()),
        ("git", "ce013625030ba8dba906f756967f9e9ca394464a"),  # as `git hash-object` says
    ],
)
def test_a_file_is_known_by_what_was_published(kind, digits, tmp_path):
    known = PublishedHash.parse(f"{kind}:{digits}")
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_bytes(HELLO)
    wrong.write_bytes(HELLO + b"!")
    assert known is not None
    assert known.matches(known.of(right))
    assert not known.matches(known.of(wrong))
    assert digits in known.words


def test_64_digits_alone_are_a_sha256():
    assert PublishedHash.parse("A" * 64) == PublishedHash("sha256", "a" * 64)


@pytest.mark.parametrize(
    "text",
    ["", "none:", "sha1:12", "sha256:12", "md5:" + "0" * 32, "sha256-start:7be", "git:" + "g" * 40],
)
def test_what_is_no_hash_is_none(text):
    assert PublishedHash.parse(text) is None
