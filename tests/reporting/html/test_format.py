import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.reporting.html.format import escape_controls, percent

ANYTHING = st.text(st.characters())


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


@given(ANYTHING)
def test_what_cannot_be_seen_is_written_out(text):
    shown = escape_controls(text)
    assert not any(char in shown for char in "\u202e\u2067\u200f\x00\x1b\ufffe")
    assert escape_controls(shown) == shown
    shown.encode()


def test_marks_that_turn_text_round_are_written_as_codes():
    assert escape_controls("invoice\u202egpj.exe") == r"invoice\u202egpj.exe"
    assert escape_controls("a\x00b\nc\ud800\U0001f600") == "a\\x00b\\nc\\ud800\U0001f600"
    assert escape_controls("שלום كلב") == "שלום كلב"
