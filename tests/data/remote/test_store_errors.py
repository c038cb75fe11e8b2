from __future__ import annotations

import errno
import socket
import ssl

import pytest

from alexnet.data.remote.store_errors import describe_trouble


class OfAnswer(Exception):
    """As aiohttp, azure-core and huggingface_hub raise: with a number of HTTP somewhere."""

    def __init__(self, words: str = "", **attributes: object) -> None:
        super().__init__(words)
        self.__dict__.update(attributes)


class NoCredentialsError(Exception):
    """Called as botocore's."""


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (FileNotFoundError("bucket/pack.json"), "absent"),
        (PermissionError("Forbidden"), "refused"),
        (NoCredentialsError("Unable to locate credentials"), "refused"),
        (OfAnswer(status=404), "absent"),
        (OfAnswer(status=401), "refused"),
        (OfAnswer(status=503), "away"),
        (OfAnswer(status=429), "away"),
        (OfAnswer(status=416), "short"),
        (OfAnswer(status_code=403), "refused"),
        (OfAnswer(response=OfAnswer(status_code=404)), "absent"),
        (OfAnswer(response={"ResponseMetadata": {"HTTPStatusCode": 400}}), "odd"),
        (OfAnswer(response={"ResponseMetadata": {"HTTPStatusCode": 500}}), "away"),
        (OSError(errno.EINVAL, "Bad Request"), "odd"),
        (ValueError("no account"), "odd"),
        (ConnectionResetError("reset by peer"), "away"),
        (TimeoutError(), "away"),
        (socket.gaierror(-3, "Temporary failure in name resolution"), "away"),
        (raised_from(OSError(errno.EBUSY, "busy"), OfAnswer(status=503)), "away"),
        (
            raised_from(OSError("cannot connect"), ssl.SSLCertVerificationError(1, "self-signed")),
            "odd",
        ),
    ],
)
def test_errors_of_any_library_are_told_apart(error, kind):
    trouble = describe_trouble(error)
    assert trouble.kind == kind
    assert trouble.passing == (kind == "away")


def test_words_hold_no_secrets_and_no_line_breaks():
    error = OSError("cannot get 'https://me:secret@host/p?sig=token'\n\x1b[31mred")
    words = describe_trouble(error).words
    assert "secret" not in words
    assert "token" not in words
    assert "host/p" in words
    assert words.isprintable()


def test_an_error_without_words_is_named():
    assert describe_trouble(TimeoutError()).words == "TimeoutError"
