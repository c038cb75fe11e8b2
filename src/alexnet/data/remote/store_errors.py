"""What the libraries of stores raise, told apart: not there, not allowed, or away for a while.

Each library has errors of its own (botocore, aiohttp, google-auth, azure-core, huggingface_hub).
None of them is imported here: names and numbers of HTTP are what they have in common.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, cast

from alexnet.text import escape_unprintable, shorten
from alexnet.urls import hide_secrets

__all__ = ["Trouble", "describe_trouble"]

Kind = Literal["absent", "refused", "short", "odd", "away"]

_REFUSED_NAMES = (
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
    *("ProfileNotFound", "TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError"),
    *("DefaultCredentialsError", "RefreshError", "ClientAuthenticationError"),
    *("GatedRepoError", "LocalTokenNotFoundError"),
)
_ABSENT_NAMES = ("ResourceNotFoundError", "RepositoryNotFoundError", "RevisionNotFoundError")
_ODD = (TypeError, ValueError, AttributeError, LookupError, ImportError, NotImplementedError)
_MAX_LETTERS = 300


class Trouble(NamedTuple):
    """Why a store did not give a file."""

    kind: Kind
    words: str  # without secrets

    @property
    def passing(self) -> bool:
        """Whether to ask again may help."""
        return self.kind == "away"


def describe_trouble(error: Exception) -> Trouble:
    """Say what an error means, and its words as they can be printed."""
    words = escape_unprintable(" ".join(str(error).split())) or type(error).__name__
    return Trouble(_kind(error), shorten(hide_secrets(words).rstrip(". "), _MAX_LETTERS))


def _kind(error: Exception) -> Kind:
    chain = [*_chain(error)]
    names = {base.__name__ for each in chain for base in type(each).__mro__}
    if names & {*_REFUSED_NAMES} or any(isinstance(each, PermissionError) for each in chain):
        return "refused"
    absent = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
    if names & {*_ABSENT_NAMES} or any(isinstance(each, absent) for each in chain):
        return "absent"
    status = next((code for each in chain if (code := _status(each))), None)
    if status is not None:
        return _kind_of_status(status)
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in chain):
        return "odd"
    if any(getattr(each, "errno", None) == errno.EINVAL for each in chain):  # s3fs: "Bad Request"
        return "odd"
    return "odd" if isinstance(error, _ODD) else "away"


def _kind_of_status(status: int) -> Kind:
    if status in (401, 403, 407):
        return "refused"
    if status in (404, 410):
        return "absent"
    if status == 416:
        return "short"
    return "odd" if 400 <= status < 500 and status not in (408, 425, 429) else "away"


def _status(error: BaseException) -> int | None:
    """Return the number of an answer of HTTP that an error holds, wherever its library puts it."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore's
        number: Any = (
            cast("dict[str, Any]", response).get("ResponseMetadata", {}).get("HTTPStatusCode")
        )
        return number if isinstance(number, int) else None
    for holder, name in ((error, "status"), (error, "status_code"), (error, "code")):
        value = getattr(holder, name, None)
        if isinstance(value, int) and 100 <= value < 600:
            return value
    value = getattr(response, "status_code", None)
    return value if isinstance(value, int) else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
