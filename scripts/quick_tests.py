"""A plugin for pytest: `--quick` runs the tests that take least here, as many as fit in a budget.

    PYTHONPATH=scripts python -m pytest -p quick_tests --quick

Which tests those are is nowhere written down by hand, so the choice cannot grow stale. Every run
with this plugin notes in pytest's cache how long each test took on this machine, and `--quick`
takes the shortest whose sum fits. A test that has no note counts as long where its file starts
processes or trains; so a fresh checkout has a choice too, if a rougher one. Whatever happens, no
test begins after the time is up: the rest is skipped and said to be.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from pathlib import Path

import pytest

WORKERS = 2
BUDGET_S = 18.0  # for the tests of one worker; most of a minute is for starting and collecting
LIMIT_S = 35.0  # no test begins later than this after the first
UNKNOWN_S = 0.05
UNKNOWN_LONG_S = 5.0

_KEY = "alexnet/seconds"
_LONG = re.compile(
    r"subprocess|\b(train|finetune|search|tune|bench|demo)\(|[\"'](train|search)[\"'],"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--quick`."""
    parser.addoption("--quick", action="store_true", help="only what takes least, under a minute")


def pytest_configure(config: pytest.Config) -> None:
    """Take notes in the process that hears of all tests, choose in those that run them."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Notes(config), "quick-notes")
    if config.getoption("--quick"):
        config.pluginmanager.register(_Choice(config), "quick-choice")


class _Notes:
    """What each test took, its fixtures included, kept between runs."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.skipped: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.skipped:
            self.skipped.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        took = {name: round(s, 3) for name, s in self.seconds.items() if name not in self.skipped}
        if self.config.cache is not None and took:
            self.config.cache.set(_KEY, {**self.config.cache.get(_KEY, {}), **took})


class _Choice:
    """The tests of a quick run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.known: dict[str, float] = config.cache.get(_KEY, {}) if config.cache else {}
        self.guesses: dict[Path, float] = {}
        self.ends: float | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what is long, before all what is longest."""
        left_s, taken = BUDGET_S * WORKERS, set()
        for item in sorted(items, key=self.seconds):
            left_s -= self.seconds(item)
            if left_s < 0:
                break
            taken.add(item.nodeid)
        left_out = [item for item in items if item.nodeid not in taken]
        items[:] = [item for item in items if item.nodeid in taken]
        self.config.hook.pytest_deselected(items=left_out)

    def seconds(self, item: pytest.Item) -> float:
        """Return what a test took the last time, or a guess by what its file does."""
        if (known := self.known.get(item.nodeid)) is not None:
            return known
        if item.path not in self.guesses:
            long = _LONG.search(item.path.read_text("utf-8"))
            self.guesses[item.path] = UNKNOWN_LONG_S if long else UNKNOWN_S
        return self.guesses[item.path]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Begin no test when the time is up."""
        now = time.monotonic()
        self.ends = now + LIMIT_S if self.ends is None else self.ends
        if now > self.ends:
            pytest.skip(f"the {LIMIT_S:.0f} s of a quick run are over")
