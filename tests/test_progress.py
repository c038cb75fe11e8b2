"""Progress: nobody hears it unless somebody listens, and only as long as they do."""

from __future__ import annotations

import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.progress import show_on, track


class Screen:
    """A display that writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []
        self.lock = threading.Lock()

    @contextmanager
    def display(self, title, total):
        self.events.append(("open", title, total))
        try:
            yield self.advance
        finally:
            self.events.append(("close", title))

    def advance(self, count=1, note=""):
        with self.lock:
            self.events.append(("advance", count, note))

    @property
    def done(self) -> int:
        return sum(event[1] for event in self.events if event[0] == "advance")


def test_without_a_listener_nothing_is_shown(capfd):
    with track("packing", 3) as advance:
        advance()
        advance(2, note="cat.png")
    assert capfd.readouterr() == ("", "")


def test_a_listener_hears_title_total_counts_and_notes():
    screen = Screen()
    with show_on(screen.display), track("packing", 3) as advance:
        advance()
        advance(2, note="cat.png")
    assert screen.events == [
        ("open", "packing", 3),
        ("advance", 1, ""),
        ("advance", 2, "cat.png"),
        ("close", "packing"),
    ]


def test_a_total_may_be_unknown():
    screen = Screen()
    with show_on(screen.display), track("looking", None):
        pass
    assert screen.events[0] == ("open", "looking", None)


@given(st.lists(st.integers(0, 1000)))
def test_counts_add_up(counts):
    screen = Screen()
    with show_on(screen.display), track("packing", sum(counts)) as advance:
        for count in counts:
            advance(count)
    assert screen.done == sum(counts)


def test_a_bar_ends_with_its_work_also_where_that_fails():
    screen = Screen()
    with pytest.raises(KeyError), show_on(screen.display), track("packing", 3):
        raise KeyError
    assert screen.events[-1] == ("close", "packing")


def test_the_innermost_listener_hears_and_the_others_are_given_back():
    outer, inner = Screen(), Screen()
    with show_on(outer.display):
        with track("first", 1):
            pass
        with pytest.raises(KeyError), show_on(inner.display):
            with track("second", 1):
                pass
            raise KeyError
        with track("third", 1):
            pass
    with track("fourth", 1):
        pass
    assert [event[1] for event in outer.events if event[0] == "open"] == ["first", "third"]
    assert [event[1] for event in inner.events if event[0] == "open"] == ["second"]


def test_a_bar_can_be_moved_from_any_thread():
    screen = Screen()
    with (
        show_on(screen.display),
        track("decoding", 400) as advance,
        ThreadPoolExecutor(4) as pool,
    ):
        list(pool.map(lambda _: advance(), range(400)))
    assert screen.done == 400


def test_other_threads_have_listeners_of_their_own():
    """Two trainings in one program do not write on each other's screen."""
    here, there = Screen(), Screen()

    def work() -> None:
        with track("unheard", 1):
            pass
        with show_on(there.display), track("heard", 1):
            pass

    with show_on(here.display):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert here.events == []
    assert [event[1] for event in there.events] == ["heard", "heard"]


@pytest.fixture
def notebook(monkeypatch):
    """Jupyter's kernel as far as a line under a cell needs it; what it was told to show."""
    shown: list[tuple[str, str]] = []

    class Handle:
        def update(self, values, raw):
            shown.append(("update", values["text/plain"]))

    def display(values, raw, display_id):
        shown.append(("display", values["text/plain"]))
        return Handle()

    package, screen = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    package.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    screen.display = display
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", screen)
    return shown


def test_a_notebook_shows_one_line_that_moves(notebook, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("alexnet.progress.time.monotonic", lambda: now[0])
    with track("training", 200) as advance:
        for _ in range(100):
            now[0] += 0.5
            advance(2, note="loss 1.5")
    assert [kind for kind, _ in notebook].count("display") == 1
    assert notebook[0][0] == "display"
    assert "training: 50 % (100 of 200), 25 s, 25 s to go, loss 1.5" in [t for _, t in notebook]
    assert notebook[-1][1] == "training: 100 % (200 of 200), 50 s, loss 1.5"


def test_brief_work_leaves_no_line_in_a_notebook_and_fast_steps_few(notebook, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("alexnet.progress.time.monotonic", lambda: now[0])
    with track("reading", None) as advance:
        advance(5)
    assert notebook == []
    with track("reading", None) as advance:
        for _ in range(10_000):
            now[0] += 0.001
            advance()
    assert 10 < len(notebook) < 60
    assert notebook[-1][1] == "reading: 10,000, 10 s"


def test_a_terminal_s_ipython_and_a_listener_get_no_line(notebook, monkeypatch):
    screen = Screen()
    with show_on(screen.display), track("packing", 1) as advance:
        advance()
    sys.modules["IPython"].get_ipython = lambda: types.SimpleNamespace()
    with track("packing", 1) as advance:
        advance()
    assert notebook == []
