"""What docs/security.md and docs/odd-inputs.md say is shown by tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
ODD_INPUTS = (ROOT / "docs" / "odd-inputs.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+)::(\w+)`", PAGE + ODD_INPUTS)))
FILES = sorted(set(re.findall(r"`(tests/[\w/.]+\.py)`", PAGE + ODD_INPUTS)))


def functions(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_named_test_is_there(path, name):
    assert name in functions(ROOT / path)


@pytest.mark.parametrize("path", FILES)
def test_a_named_file_of_tests_is_there(path):
    assert (ROOT / path).is_file()


def test_every_kind_of_odd_input_names_a_test():
    rows = [line for line in ODD_INPUTS.splitlines() if line.startswith("| ")]
    kinds = [row for row in rows if not row.startswith(("| kind |", "| ---"))]
    assert len(kinds) > 20
    assert [row for row in kinds if not re.search(r"`tests/[\w/.]+\.py(::test_\w+)?`", row)] == []


def test_every_promise_names_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith(("| promised", "| ---"))]
    assert len(promises) > 20
    for row in promises:
        assert re.search(r"\| `tests/[\w/.]+::test_\w+`", row), row


def test_every_part_says_what_is_not_promised():
    parts = re.split(r"^## ", PAGE, flags=re.M)[1:-1]
    assert len(parts) == 6
    assert all("**Not promised.**" in part for part in parts)
