from __future__ import annotations

import io
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console

from alexnet.cli.screen import ProgressBars, show_work, stderr_console, stdout_console
from alexnet.progress import track

LOG = logging.getLogger("alexnet.test")


@pytest.fixture
def terminal():
    """A console that takes itself for a terminal, and what was written to it."""
    return Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)


def test_bars_show_title_counts_and_note(terminal):
    bars = ProgressBars(terminal)
    with bars.display("packing", 2000) as advance:
        advance(500, note="cat.png")
        advance(500)
        bars._bars.refresh()
    last = terminal.file.getvalue()
    assert "packing" in last
    assert "1,000/2,000" in last
    assert "cat.png" in last


def test_bars_are_removed_when_their_work_is_done(terminal):
    bars = ProgressBars(terminal)
    for _ in range(2):
        with bars.display("outer", None) as outer:
            outer(3)
            with bars.display("inner", 4) as inner, ThreadPoolExecutor(4) as pool:
                list(pool.map(inner, [1, 1, 1, 1]))
                assert [task.completed for task in bars._bars.tasks] == [3, 4]
        assert bars._bars.tasks == []
        assert not bars._bars.live.is_started


def test_a_bar_is_removed_when_its_work_fails(terminal):
    bars = ProgressBars(terminal)
    with pytest.raises(KeyError), bars.display("packing", 3):
        raise KeyError
    assert not bars._bars.live.is_started


def test_log_lines_stand_above_the_bars(terminal):
    with show_work(terminal, quiet=False), track("packing", 2):
        LOG.info("Packing into %s.", "[cache]")
    assert "Packing into [cache].\n" in terminal.file.getvalue()


def test_quiet_shows_only_warnings(terminal):
    with show_work(terminal, quiet=True), track("packing", 2) as advance:
        advance()
        LOG.info("Packing.")
        LOG.warning("It changed.")
    assert terminal.file.getvalue() == "warning: It changed.\n"


def test_logging_and_progress_are_restored(terminal):
    logger = logging.getLogger("alexnet")
    before = (list(logger.handlers), logger.level)
    with pytest.raises(KeyError), show_work(terminal, quiet=False):
        raise KeyError
    assert (list(logger.handlers), logger.level) == before
    with track("packing", 2) as advance:
        advance()
    assert "packing" not in terminal.file.getvalue()


def test_lines_are_plain_and_not_folded_off_a_terminal(capsys):
    stdout_console().print("[bold]" + "word " * 100)
    stderr_console().print("word " * 100)
    out, err = capsys.readouterr()
    assert out.count("\n") == err.count("\n") == 1
    assert "\x1b" not in out
