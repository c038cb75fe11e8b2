import pytest

from alexnet.reporting.html.markup import list_in_words, number, percent


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.987, "98.7\u202f%"),
        (0.0, "0.0\u202f%"),
        (1.0, "100.0\u202f%"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_shares_are_percents(share, said):
    assert percent(share) == said


@pytest.mark.parametrize(
    ("value", "said"),
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
def test_numbers_have_four_figures_at_most(value, said):
    assert number(value) == said


def test_lists_read_as_words():
    assert [list_in_words(["a", "b", "c"][:n]) for n in range(4)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
