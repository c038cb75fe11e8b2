"""Nothing that a folder may be called gets out of its place in the page."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from alexnet.reporting.html.markup import bdi, element, join, plain, raw

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=40) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "\" onload='x()",
        "</title><!--",
        "&lt;b&gt; &amp;",
        "a\u202eb\ud800",
    ]
)


class Read(HTMLParser):
    """What a reader of HTML finds: tags with their attributes, and the text between."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError(f"a comment came out: {data}")


@given(ANYTHING, ANYTHING)
def test_any_text_stays_text_and_any_value_stays_a_value(text, value):
    made = element("p", text, title=value, data_name=value)
    found = Read(made)
    assert found.tags == [("p", {"title": plain(value), "data-name": plain(value)})]
    assert found.text == plain(text)
    made.encode()  # no lone surrogate is left


@given(ANYTHING)
def test_what_cannot_be_seen_is_written_out(text):
    shown = plain(text)
    assert not any(char in shown for char in "\u202e\u2067\u200f\x00\x1b\ufffe")
    assert plain(shown) == shown
    shown.encode()


def test_marks_that_turn_text_round_are_written_as_codes():
    assert plain("invoice\u202egpj.exe") == r"invoice\u202egpj.exe"
    assert plain("a\x00b\nc\ud800\U0001f600") == "a\\x00b\\nc\\ud800\U0001f600"
    assert plain("שלום كلب") == "שלום كلب"


def test_attributes_can_be_left_out_or_stand_alone():
    made = element("option", "x", class_="a", hidden=True, title=None, disabled=False, data_n=0)
    assert made == '<option class="a" hidden data-n="0">x</option>'
    assert element("img", src="a", alt="") == '<img src="a" alt="">'


def test_parts_are_escaped_once_and_markup_is_kept():
    inner = element("b", "<&>")
    assert join("<", inner, None, 3) == "&lt;<b>&lt;&amp;&gt;</b>3"
    assert element("style", raw("a > b {}")) == "<style>a > b {}</style>"
    assert bdi("x") == "<bdi>x</bdi>"
