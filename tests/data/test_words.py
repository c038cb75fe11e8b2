from __future__ import annotations

import pytest

from alexnet.data.words import bytes_in_words, counted


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (184_320_000, "184 MB"),
        (999_900_000, "1 GB"),
        (2_500_000_000, "2.5 GB"),
        (251_658_240_000, "252 GB"),
        (10**16, "10,000 TB"),
        (1, "1 byte"),
    ],
)
def test_sizes_read_as_people_say_them(count, words):
    assert bytes_in_words(count) == words


def test_counts_agree_with_their_nouns():
    assert [counted(n, "picture") for n in (0, 1, 2000)] == [
        "0 pictures",
        "1 picture",
        "2,000 pictures",
    ]
