"""The house: who may import whom. A module imports from its own room and from lower floors."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import alexnet

FLOORS = (
    {"errors", "text", "trust", "progress", "records"},
    {"recipe", "reading", "urls"},
    {"files"},
    {"kernels", "locks"},
    {"devices", "cluster"},
    {"distributed"},
    {"nn", "images"},
    {"models", "data", "training"},
    {"weights", "recipes"},
    {"evaluation", "importers"},
    {"exporters", "transfer", "inspection"},
    {"reporting"},
    {"runs"},
    {"studies", "claims", "benchmarking", "serving"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
"""The rooms of each floor, lowest first; some are not built yet."""

HEAVY = {"torch", "numpy"}
LIGHT = dict.fromkeys((*FLOORS[0], *FLOORS[1], *FLOORS[2], "locks", "devices"), HEAVY)
LIGHT |= {room: {"torch"} for room in ("commands", "cli")}
"""What must be imported inside functions alone, so that help is there at once."""

ROOT = Path(alexnet.__file__).parent
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(ROOT.rglob("*.py"))
FACES = sorted(ROOT.rglob("__init__.py"))
LAZY = [path for path in FACES if path.with_suffix(".pyi").exists()]


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("alexnet", *parts)).removesuffix(".__init__")


NAMED = {module_name(path): path for path in MODULES}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
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


def stub_names(path: Path) -> dict[str, str]:
    """Public names of a lazy face, and the module that each comes from."""
    return {
        each.name: f"{module_name(path)}.{node.module}"
        for node in parsed(path.with_suffix(".pyi")).body
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    }


FACE_NAMES = {module_name(path): stub_names(path) for path in LAZY}


def files_imported(path: Path) -> set[str]:
    """Modules of this package that a module imports, wherever it does."""
    found: set[str] = set()
    for name in imports(ast.walk(parsed(path))):
        package, _, last = name.rpartition(".")
        if name in NAMED and last not in FACE_NAMES.get(package, {}):
            found.add(name)
        elif package in NAMED:
            found.add(FACE_NAMES.get(package, {}).get(last, package))
    return found - {"alexnet"}


@pytest.mark.parametrize("path", [each for each in MODULES if each not in FACES], ids=place)
def test_a_room_imports_only_from_lower_floors(path):
    room = room_of(path)
    for other in rooms_imported(parsed(path)) - {room, "__version__"}:
        assert other in FLOOR_OF, f"{other} stands on no floor"
        assert FLOOR_OF[other] < FLOOR_OF[room], f"{room} imports {other}"


def test_every_module_stands_on_a_floor():
    assert {room_of(path) for path in MODULES} - {"__init__"} <= FLOOR_OF.keys()


def test_files_import_in_no_circle():
    graph = {name: files_imported(path) for name, path in NAMED.items() if path not in FACES}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("path", [each for each in MODULES if room_of(each) in LIGHT], ids=place)
def test_what_help_needs_imports_nothing_heavy(path):
    names = imports(at_import(parsed(path)))
    assert not {name.split(".")[0] for name in names} & LIGHT[room_of(path)]


@pytest.mark.parametrize("path", FACES, ids=place)
def test_a_face_says_what_its_room_is_for_and_loads_nothing(path):
    tree = parsed(path)
    assert ast.get_docstring(tree)
    assert set(imports(iter(tree.body))) <= {"lazy_loader"}


@pytest.mark.parametrize("path", LAZY, ids=place)
def test_a_face_lists_the_names_that_it_has(path):
    stub = parsed(path.with_suffix(".pyi"))
    lists = [node.value for node in stub.body if isinstance(node, ast.Assign)]
    assert [ast.literal_eval(each) for each in lists] == [sorted_names(stub_names(path))]
    for name, module in stub_names(path).items():
        assert (module in NAMED) is True, module
        assert name in defined(parsed(NAMED[module])), f"{module} has no {name}"


def sorted_names(names: Iterable[str]) -> list[str]:
    """Constants, then classes, then functions, as ruff sorts them."""
    return sorted(names, key=lambda each: (not each.isupper(), not each[0].isupper(), each))


def defined(tree: ast.Module) -> set[str]:
    """Names at the top of a module."""
    names = {name.rpartition(".")[2] for name in imports(iter(tree.body))}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {each.id for each in node.targets if isinstance(each, ast.Name)}
        elif isinstance(node, ast.AnnAssign):
            names.add(ast.unparse(node.target))
    return names


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
