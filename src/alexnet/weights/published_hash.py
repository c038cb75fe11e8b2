"""What a publisher says of a file's bytes: a whole hash, a part of one, or nothing."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

__all__ = ["HashKind", "PublishedHash"]

HashKind = Literal[
    "sha256",  # whole
    "sha256-start",  # its first digits, as torchvision writes them into names of files
    "sha1",  # whole, as in the readme files of Caffe's model zoo
    "git",  # the object's name in a git repository: SHA-1 of "blob SIZE\0" and the bytes
    "none",
]

_DIGITS = {"sha256": (64, 64), "sha256-start": (8, 63), "sha1": (40, 40), "git": (40, 40)}
_WORDS = {"sha256": "SHA-256", "sha256-start": "SHA-256", "sha1": "SHA-1", "git": "git object"}


@dataclass(frozen=True)
class PublishedHash:
    """A hash as it was published.

    Args:
        kind: of hash.
        digits: hexadecimal, in lower case; "" where there is none.
    """

    kind: HashKind
    digits: str = ""

    @classmethod
    def parse(cls, text: str) -> PublishedHash | None:
        """Read "KIND:DIGITS", or 64 digits alone, which are a SHA-256; None: it is neither."""
        kind, _, digits = text.lower().rpartition(":")
        for known in get_args(HashKind):
            if known == (kind or "sha256") and known in _DIGITS:
                least, most = _DIGITS[known]
                whole = re.fullmatch(r"[0-9a-f]+", digits) and least <= len(digits) <= most
                return cls(known, digits) if whole else None
        return None

    @property
    def words(self) -> str:
        """The hash for people, with its kind and how much of it there is."""
        if self.kind == "none":
            return "not published"
        if self.kind == "sha256-start":
            return f"SHA-256 {self.digits}... (the first {len(self.digits)} digits are published)"
        return f"{_WORDS[self.kind]} {self.digits}"

    def of(self, path: Path) -> str:
        """Return a file's digits by this kind of hash; those of SHA-256 where there is none."""
        old = self.kind in ("sha1", "git")  # a publisher's choice; against accidents it is enough
        digest = hashlib.sha1(usedforsecurity=False) if old else hashlib.sha256()
        if self.kind == "git":
            digest.update(b"blob %d\0" % path.stat().st_size)
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def matches(self, digits: str) -> bool:
        """Whether the digits of a file are those that were published; true where none were."""
        return digits.startswith(self.digits)
