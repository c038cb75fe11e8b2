from __future__ import annotations

import pytest

from alexnet.text import bytes_in_words, counted, shortened, some


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
    assert [counted(n, "class", "classes") for n in (0, 1, 2)] == [
        "0 classes",
        "1 class",
        "2 classes",
    ]


def test_the_first_few_names_are_said_and_how_many_more_there_are():
    assert some([]) == ""
    assert some(["a", "b", "c"]) == '"a", "b", "c"'
    assert some(map(str, range(1004))) == '"0", "1", "2" and 1,001 more'
    assert some("abc", most=1) == '"a" and 2 more'


def test_names_of_many_letters_are_shown_by_their_ends():
    assert shortened("a" * 120) == "a" * 120
    assert shortened("a" * 2000 + "b" * 2000) == "a" * 60 + "..." + "b" * 60
    assert some(["x" * 4000]) == f'"{"x" * 60}...{"x" * 60}"'
