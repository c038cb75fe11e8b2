from __future__ import annotations

import pytest

from alexnet.text import (
    FEW_IMAGES,
    describe_reliability,
    format_bytes,
    format_count,
    format_duration,
    format_number,
    format_setting,
    join_words,
    quote_names,
    shorten,
)


@pytest.mark.parametrize(
    ("count", "text"),
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
def test_bytes_are_written_in_steps_of_a_thousand(count, text):
    assert format_bytes(count) == text


def test_counts_agree_with_their_nouns():
    assert [format_count(n, "image") for n in (0, 1, 2000)] == [
        "0 images",
        "1 image",
        "2,000 images",
    ]
    assert [format_count(n, "class", "classes") for n in (0, 1, 2)] == [
        "0 classes",
        "1 class",
        "2 classes",
    ]


def test_the_first_few_names_are_quoted_and_the_rest_counted():
    assert quote_names([]) == ""
    assert quote_names(["a", "b"]) == '"a", "b"'
    assert quote_names(map(str, range(2000))) == '"0", "1", "2" and 1,997 more'
    assert quote_names(["a", "b", "c"]) == '"a", "b", "c"'
    assert quote_names(map(str, range(1004))) == '"0", "1", "2" and 1,001 more'
    assert quote_names("abc", most=1) == '"a" and 2 more'


def test_names_of_many_letters_are_shown_by_their_ends():
    assert shorten("a" * 120) == "a" * 120
    assert shorten("a" * 2000 + "b" * 2000) == "a" * 60 + "..." + "b" * 60
    assert quote_names(["x" * 4000]) == f'"{"x" * 60}...{"x" * 60}"'


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (42, "42 s"),
        (59.7, "1 min 0 s"),
        (190, "3 min 10 s"),
        (7260, "2 h 1 min"),
        (90061, "25 h 1 min"),
    ],
)
def test_durations_are_written_in_hours_minutes_and_seconds(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.01, "0.01"),
        (2.302585, "2.303"),
        (5.48e-5, "5.48×10⁻⁵"),
        (1e-6, "10⁻⁶"),
        (1.5e12, "1.5×10¹²"),
        (0, "0"),
        (None, "–"),
        (float("inf"), "–"),
    ],
)
def test_numbers_have_four_figures_at_most(value, text):
    assert format_number(value) == text


def test_lists_read_as_words():
    assert [join_words(["a", "b", "c"][:n]) for n in range(4)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "yes"),
        (0.00001, "10⁻⁵"),
        (3, "3"),
        ("relu", "relu"),
        ([], "none"),
        (((1, 2.5), (False,)), "1, 2.5, no"),
    ],
)
def test_settings_are_written_as_words_and_lists(value, text):
    assert format_setting(value) == text


def test_an_accuracy_of_few_images_is_said_to_say_little():
    few = describe_reliability(24, 0.58, 0.9)
    assert few == (
        "24 images: the true accuracy on images like these may be anything from 58 to 90 % (95 % "
        "confidence), so the figure says little."
    )
    assert describe_reliability(1, 0.2065, 1.0).startswith("1 image: ")
    assert "a few points of difference say little" in describe_reliability(80, 0.95, 1.0)
    enough = describe_reliability(1200, 0.7519, 0.8764)
    assert "on 1,200 images" in enough and "between 75.2 and 87.6 %" in enough
    assert "little" not in enough
    assert "little" in describe_reliability(FEW_IMAGES - 1, 0.5, 0.7)
    assert "little" not in describe_reliability(FEW_IMAGES, 0.5, 0.7)
