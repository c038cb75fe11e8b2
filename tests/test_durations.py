import pytest

from alexnet.text import format_duration


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "0 s"),
        (42, "42 s"),
        (59.7, "1 min 0 s"),
        (190, "3 min 10 s"),
        (7260, "2 h 1 min"),
        (90061, "25 h 1 min"),
    ],
)
def test_seconds_are_said_as_people_say_them(seconds, said):
    assert format_duration(seconds) == said
