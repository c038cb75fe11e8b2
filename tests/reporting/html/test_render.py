"""Nothing that a folder may be called gets out of its place in the page."""

import ast
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import alexnet.reporting
from alexnet.reporting.html.format import escape_controls
from alexnet.reporting.html.render import environment

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


def drawn(template: str, **values: object) -> str:
    return environment().from_string(template).render(**values)


@given(ANYTHING, ANYTHING)
def test_any_text_stays_text_and_any_value_stays_a_value(text, value):
    page = drawn('<p title="{{ value }}">{{ text }}</p>', text=text, value=value)
    read = Read(page)
    assert read.tags == [("p", {"title": escape_controls(value)})]
    assert read.text == escape_controls(text)
    page.encode()  # no lone surrogate is left


def test_values_are_escaped_once_and_what_a_macro_gives_is_kept():
    macro = "{% macro bold(text) %}<b>{{ text }}</b>{% endmacro %}"
    assert drawn(macro + "{{ a }}{{ bold('<&>') }}{{ nothing }}{{ 3 }}", a="<", nothing=None) == (
        "&lt;<b>&lt;&amp;&gt;</b>3"
    )


def test_a_value_that_a_page_was_not_given_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="'tilte' is undefined"):
        drawn("{{ tilte }}", title="x")


def test_templates_and_charts_load_nothing_before_a_page_is_drawn():
    for path in Path(alexnet.reporting.__file__).parent.rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            assert not {name.split(".")[0] for name in names} & {"jinja2", "matplotlib"}, path
