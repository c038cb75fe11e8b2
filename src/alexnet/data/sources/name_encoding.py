"""In which code page the names of an archive are written, where the archive does not say.

Old programs write names in the code page of their country. Which one it was is told by evidence
over all names together: every name must be spelled in it, of letters; and a language model of
chardet (byte pairs by language) says how usual the letters are. What two code pages spell alike is
no doubt. Where the evidence leaves one, both readings are named.
"""

from __future__ import annotations

import codecs
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from alexnet.errors import SourceError
from alexnet.text import quote_names

__all__ = ["NameEncoding", "find_name_encoding", "name_decoder", "require_name_encoding"]

_log = logging.getLogger(__name__)

_WEIGHTS = {
    "cp437": 1.0,
    "cp850": 1.0,
    "cp1252": 1.3,
    "gb18030": 1.0,
    "cp932": 1.0,
    "cp949": 1.0,
    "big5": 1.0,
    "cp866": 1.0,
    "cp1251": 1.0,
    "cp852": 0.9,
    "cp1250": 1.0,
    "cp737": 0.8,
    "cp1253": 0.8,
    "cp857": 1.0,
    "cp1254": 1.0,
    "koi8-r": 0.5,
}
"""Code pages of names in archives, and how usual they are there."""

_SURE = 1.35  # times the evidence of any other reading
_SURE_EAST_ASIAN = 2.2  # the same between two of the next, where nearly all bytes are letters
_EAST_ASIAN = frozenset(["gb18030", "cp932", "cp949", "big5"])
_FIRST_STANDARDS = {"cp949": "euc_kr", "gb18030": "gb2312"}
_ODD = 0.2  # of the evidence stays where letters follow each other as in no language
_SURE_EVIDENCE = 2e-3
_FEWEST_LETTERS = 3
_LEAST_EVIDENCE = 1e-4  # for names too short to tell anything
_MAX_NAMES = 10_000  # of files that are looked at, besides all folders
_MAX_LETTERS = 20_000  # of names; more add nothing
_MARKS = frozenset("\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u00b7\u00b4\u00ba\u30fb\u3001\u3002")


@dataclass(frozen=True)
class NameEncoding:
    """What the names of an archive are written in."""

    encoding: str  # as Python calls it
    is_sure: bool
    other: str | None = None  # the next best reading, where it spells the names otherwise
    has_evidence: bool = True  # whether the names are long enough to tell anything

    def decode(self, name: bytes) -> str:
        """Return a name; bytes that are no letters in this code page are kept as surrogates."""
        try:
            return name.decode(self.encoding)
        except UnicodeDecodeError:
            return name.decode("utf-8", "surrogateescape")


def name_decoder(
    where: Path,
    names: Iterable[bytes],
    encoding: str | None = None,
    *,
    or_bytes: bool = False,
) -> Callable[[bytes], str]:
    """Return what decodes the names of an archive that does not say how they are written.

    Logs what they are read as: to be known where the evidence leaves no doubt, else a warning.

    Args:
        where: the archive.
        names: all names that are not plain ASCII.
        encoding: of the names; None: as their bytes tell.
        or_bytes: keep the bytes of names too short to tell anything, each as a surrogate.
    """
    names = list(names)
    if encoding is not None:
        return NameEncoding(encoding, is_sure=True).decode
    if not names:
        return bytes.decode
    found = find_name_encoding(names)
    if found.encoding != "utf-8":
        _say(where, names, found)
    if or_bytes and not found.has_evidence:
        return partial(bytes.decode, encoding="utf-8", errors="surrogateescape")
    return found.decode


def _say(where: Path, names: Sequence[bytes], found: NameEncoding) -> None:
    parts = _parts(names)
    examples = quote_names(found.decode(part) for part in parts)
    if found.is_sure:
        _log.info(
            "%s does not say how its names are written; by their letters they are %s (%s). If that "
            "is wrong, name the encoding: --name-encoding.",
            where,
            found.encoding,
            examples,
        )
        return
    other = ""
    if found.other is not None:
        others = quote_names(NameEncoding(found.other, is_sure=True).decode(part) for part in parts)
        other = f", or {found.other} ({others})"
    _log.warning(
        "%s: the encoding of its names is unknown. They are read as %s (%s)%s. If that is wrong, "
        "name it (--name-encoding), or unpack the archive with a program that knows it and name "
        "the folder.",
        where,
        found.encoding,
        examples,
        other,
    )


def require_name_encoding(encoding: str | None) -> None:
    """Raise SourceError for an encoding that Python does not know, or that is none of texts."""
    if encoding is None:
        return
    try:
        "".encode(encoding)  # fails for those that make no text of bytes, such as base64
        is_text = True
    except (LookupError, ValueError, TypeError):
        is_text = False
    if not is_text:
        raise SourceError(
            f'There is no encoding "{encoding}" of names. Usual ones: {", ".join(_WEIGHTS)}, utf-8.'
        )


def find_name_encoding(names: Iterable[bytes]) -> NameEncoding:
    """Tell the encoding that some names share, none of which is plain ASCII.

    Args:
        names: paths or parts of them.
    """
    names = list(names)
    if _decode(names, "utf-8") is not None:
        return NameEncoding("utf-8", is_sure=True)
    parts = _parts(names)
    readings: dict[tuple[str, ...], tuple[float, str]] = {}
    for encoding, evidence in _evidence(parts):
        texts = _decode(parts, encoding)
        if texts is None or not all(map(_is_name, texts)):
            continue
        score = evidence * _WEIGHTS[encoding] * _likeness(texts, encoding)
        readings[texts] = max(readings.get(texts, (0.0, "")), (score, encoding))
    ranked = sorted(readings.values(), reverse=True)
    if not ranked:
        return NameEncoding("cp437", is_sure=False, has_evidence=False)
    score, encoding = ranked[0]
    if len(ranked) == 1:
        return NameEncoding(encoding, is_sure=True)
    second, other = ranked[1]
    least = _SURE_EAST_ASIAN if {encoding, other} <= _EAST_ASIAN else _SURE
    has_evidence = score >= _SURE_EVIDENCE and sum(map(len, parts)) >= _FEWEST_LETTERS
    return NameEncoding(encoding, has_evidence and score >= least * second, other, has_evidence)


def _parts(names: Sequence[bytes]) -> list[bytes]:
    """Return the different parts of paths that hold more than ASCII, without their digits."""
    parts: dict[bytes, None] = {}
    letters = 0
    step = -(-len(names) // _MAX_NAMES) or 1
    folders = dict.fromkeys(name.rpartition(b"/")[0] for name in names)
    for name in [*folders, *names[::step]]:
        if letters >= _MAX_LETTERS:
            break
        for part in re.split(rb"[/]", name):
            # A number in a name (Bär 07.jpg) tells nothing, and makes every name another one.
            plain = re.sub(rb"(?<![\x80-\xff])[0-9]+|\.[A-Za-z0-9]{1,5}$", b"", part).strip()
            if not plain.isascii() and plain not in parts:
                parts[plain] = None
                letters += len(plain)
    return list(parts)


def _decode(parts: Sequence[bytes], encoding: str) -> tuple[str, ...] | None:
    try:
        return tuple(part.decode(encoding) for part in parts)
    except UnicodeDecodeError:
        return None


def _evidence(parts: Sequence[bytes]) -> list[tuple[str, float]]:
    """Return how well the names fit each code page, by chardet's language models."""
    import chardet  # takes a tenth of a second, and few archives need it

    found = chardet.detect_all(
        b"\n".join(parts),
        ignore_threshold=True,
        include_encodings=[*_WEIGHTS],
        compat_names=False,
    )
    if len(found) == 1 and found[0]["language"] is None:  # what it says where nothing fits
        found = []
    known = {codecs.lookup(encoding).name: encoding for encoding in _WEIGHTS}
    known["big5hkscs"] = "big5"  # as chardet calls it, whichever is asked for
    evidence = {
        known[name]: float(each["confidence"] or 0)
        for each in found
        if each["encoding"] and (name := codecs.lookup(each["encoding"]).name) in known
    }
    least = {"cp437": 2 * _LEAST_EVIDENCE}  # which the format asks for, where nothing else tells
    return [
        (encoding, evidence.get(encoding, 0.0) + least.get(encoding, _LEAST_EVIDENCE))
        for encoding in _WEIGHTS
    ]


def _is_name(text: str) -> bool:
    """Whether all that is not ASCII are letters: no frames, currencies or control codes."""
    return all(
        letter.isascii() or letter in _MARKS or unicodedata.category(letter)[0] in "LM"
        for letter in text
    )


def _likeness(texts: Iterable[str], encoding: str) -> float:
    """Return 1 for words as languages have them, less for each way in which they are odd."""
    joined = "\n".join(texts)
    pairs = list(pairwise(joined))
    cases = any(a.islower() and b.isupper() and not b.isascii() for a, b in pairs)
    scripts = any({_script(a), _script(b)} in _UNUSUAL_PAIRS for a, b in pairs)
    half_width = any("\uff61" <= letter <= "\uff9f" for letter in joined)
    return _ODD ** (cases + scripts + half_width + _is_rare(joined, encoding))


def _is_rare(text: str, encoding: str) -> bool:
    """Whether some letters are outside of the first standard, which has nearly all in use."""
    if encoding not in _FIRST_STANDARDS:
        return False
    try:
        letters = [letter.encode(_FIRST_STANDARDS[encoding]) for letter in text]
    except UnicodeEncodeError:
        return True
    return max(map(len, letters)) > 2  # euc_kr spells syllables that it lacks by their parts


_UNUSUAL_PAIRS = [
    {"LATIN", "CYRILLIC"},
    {"LATIN", "GREEK"},
    {"LATIN", "CJK"},
    {"LATIN", "HIRAGANA"},
    {"LATIN", "KATAKANA"},
    {"LATIN", "HANGUL"},
    {"LATIN", "FULLWIDTH"},
    {"CYRILLIC", "GREEK"},
    {"CYRILLIC", "CJK"},
    {"HANGUL", "CJK"},
]


def _script(letter: str) -> str:
    if not letter.isalpha():
        return ""
    if letter.isascii():
        return "LATIN"
    return unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
