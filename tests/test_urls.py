from __future__ import annotations

from pathlib import Path

import pytest

from alexnet.urls import (
    as_url,
    hide_secrets,
    join_url,
    shown_place,
    shown_url,
    url_name,
    without_secrets,
)


@pytest.mark.parametrize(
    "url", ["s3://bucket/pack", "gs://b/p", "az://c/p", "hf://datasets/me/p", "https://h:8/p?a=1"]
)
def test_an_address_is_told_also_when_it_was_made_a_path(url):
    assert as_url(url) == url
    assert as_url(Path(url)) == url
    assert as_url(str(Path(url))) == url


@pytest.mark.parametrize(
    "value", ["photos", "/data/s3", "C:/photos", "C:\\photos", "file:///data", "s3", None, 3, b"x"]
)
def test_what_lies_here_is_no_address(value):
    assert as_url(value) is None


def test_a_file_is_joined_before_the_query():
    assert join_url("https://h/pack/?sig=a", "pack.json") == "https://h/pack/pack.json?sig=a"
    assert join_url("s3://bucket", "pack.json") == "s3://bucket/pack.json"


def test_what_is_shown_has_no_secrets():
    assert shown_url("https://me:word@h:8/pack/?sig=a#b") == "https://h:8/pack"
    assert shown_url("abfs://box@account.dfs.core.windows.net/p") == (
        "abfs://box@account.dfs.core.windows.net/p"
    )
    assert shown_place(Path("https://me:word@h/p?sig=a")) == "https://h/p"
    assert shown_place(Path("photos")) == "photos"
    assert without_secrets("https://me:word@h/p?sig=a") == "https://h/p"
    assert without_secrets("postgresql://me:word@h/p") == "postgresql://me:word@h/p"
    assert without_secrets("--model") == "--model"


def test_what_a_library_says_is_cleaned():
    said = "GET https://me:word@h/p?sig=a&b=c failed, and http://h/q?x=1)"
    assert hide_secrets(said) == "GET https://h/p?... failed, and http://h/q?...)"


def test_a_name_is_the_last_part():
    assert url_name("s3://bucket/some/pack/") == "pack"
    assert url_name("https://me@host") == "host"
