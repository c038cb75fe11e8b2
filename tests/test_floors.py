"""The house: who may import whom. A module imports from its own room and from lower floors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import alexnet

FLOORS = (
    {  # no torch, no numpy
        *("errors", "records", "transfer_records", "search_records", "findings", "recipe"),
        *("kinds", "words", "files", "csv_files", "locks", "devices", "progress", "trust"),
        *("compiling", "reading_ahead", "speed_records", "weights_names"),
        *("accelerator", "proofs"),
    },
    {"nn", "images"},
    {"models", "data"},
    {"weights", "evaluation"},
    {"training"},
    {"recipes", "build"},
    {"transfer", "search", "speed", "inspection", "claims"},
    {"reporting", "serving"},
    {"cli", "__main__"},
)
"""The rooms of each floor, lowest first. The modules of the lowest are one room."""

HEAVY = {"torch", "numpy"}
LIGHT = {"cli": {"torch"}, **dict.fromkeys(FLOORS[0], HEAVY)}
"""What must be imported inside functions alone, so that help is there at once."""

ROOT = Path(alexnet.__file__).parent
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(ROOT.rglob("*.py"))
FACES = [path for path in MODULES if path.name == "__init__.py" and path.parent != ROOT]


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """Full names of what is imported: modules, and the names taken out of them."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            yield from (f"{node.module}.{each.name}" for each in node.names)


def at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node that runs when the module is imported: no functions, nothing for types alone."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def rooms_imported(tree: ast.Module) -> set[str]:
    names = (name.split(".") for name in imports(ast.walk(tree)))
    return {parts[1] for parts in names if parts[0] == "alexnet" and len(parts) > 1}


@pytest.mark.parametrize("path", [each for each in MODULES if each.parent != ROOT], ids=place)
def test_a_room_imports_only_from_lower_floors(path):
    room = room_of(path)
    for other in rooms_imported(ast.parse(path.read_text("utf-8"))) - {room}:
        assert other in FLOOR_OF, f"{other} stands on no floor"
        assert FLOOR_OF[other] < FLOOR_OF[room], f"{room} imports {other}"


@pytest.mark.parametrize("path", [ROOT / f"{name}.py" for name in sorted(FLOORS[0])], ids=place)
def test_the_lowest_floor_stands_by_itself(path):
    assert rooms_imported(ast.parse(path.read_text("utf-8"))) <= FLOORS[0]


def test_build_imports_only_from_lower_floors():
    below = set().union(*FLOORS[: FLOOR_OF["build"]])
    assert rooms_imported(ast.parse((ROOT / "build.py").read_text("utf-8"))) <= below


def test_every_module_stands_on_a_floor():
    assert {room_of(path) for path in MODULES} - {"__init__"} <= FLOOR_OF.keys()


@pytest.mark.parametrize("path", [each for each in MODULES if room_of(each) in LIGHT], ids=place)
def test_what_help_needs_imports_nothing_heavy(path):
    names = imports(at_import(ast.parse(path.read_text("utf-8"))))
    assert not {name.split(".")[0] for name in names} & LIGHT[room_of(path)]


@pytest.mark.parametrize("path", FACES, ids=place)
def test_a_face_holds_a_docstring_imports_and_names_alone(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree)
    named: list[str] = []
    for node in tree.body[1:]:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            assert ast.unparse(target) == "__all__"
            named = ast.literal_eval(node.value)
        else:
            assert isinstance(node, ast.ImportFrom), ast.unparse(node)
    assert sorted(named) == sorted(
        name.rpartition(".")[2] for name in imports(iter(tree.body)) if "__future__" not in name
    )


def test_the_search_finds_what_runs_at_import():
    text = """
import torch
if TYPE_CHECKING:
    import numpy
else:
    import json
class A:
    import csv
def f():
    import html
try:
    from rich import console
except ImportError:
    pass
"""
    assert set(imports(at_import(ast.parse(text)))) == {"torch", "json", "csv", "rich.console"}
