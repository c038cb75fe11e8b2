"""Addresses of files that lie elsewhere: told from paths, joined with names, shown without secrets.

A path made of an address has lost a slash (`Path("s3://bucket/pack")` is `s3:/bucket/pack`): it is
taken for the address that it was.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

__all__ = [
    "as_url",
    "hide_secrets",
    "join_url",
    "shown_place",
    "shown_url",
    "url_name",
    "without_secrets",
]

_SCHEMES = "s3a?|gs|gcs|az|abfss?|hf|https?|memory|ftp|sftp|ssh|smb|hdfs|webhdfs|adl|oss|dropbox"
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_COLLAPSED = re.compile(rf"({_SCHEMES}):[/\\]+(?=[^/\\])", re.IGNORECASE)
_ANY_QUERY = re.compile(r"(?<=\S)\?[^\s\"'<>)\]]+")
_ANY_USER = re.compile(r"(?<=://)[^/\s\"'@]+@")
_HIDDEN = "..."


def as_url(value: Any) -> str | None:
    """Return the address that a text or a path stands for; None for what lies on this machine.

    Args:
        value: of a caller: `s3://bucket/pack`, or the path that was made of it.
    """
    if not isinstance(value, str | os.PathLike):
        return None
    text = os.fsdecode(cast("str | os.PathLike[str]", value))
    if (collapsed := _COLLAPSED.match(text)) is not None:
        rest = text[collapsed.end() :]
        rest = rest if isinstance(value, str) else rest.replace("\\", "/")  # a path of Windows
        return f"{collapsed[1].lower()}://{rest}"
    return text if _URL.match(text) and not text.lower().startswith("file://") else None


def join_url(url: str, name: str) -> str:
    """Return the address of a file in the folder at `url`; what follows "?" stays behind it."""
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}/{name}"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def shown_url(url: str) -> str:
    """Return an address without user, password and what follows "?": tokens stand there."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    at_account = parts.scheme in ("abfs", "abfss", "az") and "@" in parts.netloc
    # abfs://container@account.dfs.core.windows.net/... has no secret before the @
    host = parts.netloc if at_account and ":" not in parts.netloc.partition("@")[0] else host
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def shown_place(value: Path | str) -> str:
    """Return a path as it is, and an address as `shown_url` shows it."""
    url = as_url(value)
    return str(value) if url is None else shown_url(url)


def without_secrets(word: str) -> str:
    """Return a word of a command, an address of files without what `shown_url` leaves out."""
    return shown_place(word) if _COLLAPSED.match(word) else word


def url_name(url: str) -> str:
    """Return the last part of an address: what a file of that name would be called."""
    parts = urlsplit(url)
    return parts.path.rstrip("/").rpartition("/")[2] or parts.netloc.rpartition("@")[2]


def hide_secrets(text: str) -> str:
    """Return what a library says, without users and queries of the addresses in it."""
    return _ANY_USER.sub("", _ANY_QUERY.sub(f"?{_HIDDEN}", text))
