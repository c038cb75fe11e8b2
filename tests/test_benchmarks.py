"""The programs in benchmarks/: what they import of the package is there, run or not."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = sorted((ROOT / "benchmarks").rglob("*.py"))


def imported(program: Path) -> Iterator[tuple[str, str]]:
    """Module and name of everything that a program takes out of this package."""
    for node in ast.walk(ast.parse(program.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("alexnet"):
            yield from ((str(node.module), each.name) for each in node.names)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_what_a_benchmark_imports_is_there(program):
    for module, name in imported(program):
        found = hasattr(importlib.import_module(module), name)
        if not found:  # a module of a package
            importlib.import_module(f"{module}.{name}")


def test_there_are_benchmarks_that_import_the_package():
    assert sum(bool(list(imported(program))) for program in PROGRAMS) > 10
