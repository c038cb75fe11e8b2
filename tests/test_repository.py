"""What `make lint` holds of the repository itself, and which tests `make fast` chooses."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_repository(root: Path, ruff: str, cell: dict) -> None:
    (root / "examples").mkdir()
    (root / "constraints.txt").write_text("ruff==0.17.6\ntorch==2.13.0\n")
    (root / "Makefile").write_text("TORCH := torch==2.13.0\n")
    (root / ".pre-commit-config.yaml").write_text(f'additional_dependencies: ["ruff=={ruff}"]\n')
    code = {"cell_type": "code", "source": [], "outputs": [], "execution_count": None, **cell}
    (root / "examples" / "first.ipynb").write_text(json.dumps({"cells": [code]}))


def test_pins_are_equal_and_notebooks_have_no_outputs():
    assert script("check_repository").wrong() == []


def test_another_pin_in_a_hook_is_named(tmp_path):
    write_repository(tmp_path, "0.16.0", {})
    assert script("check_repository").wrong(tmp_path) == [
        ".pre-commit-config.yaml: ruff==0.16.0, but constraints.txt has 0.17.6"
    ]


@pytest.mark.parametrize("cell", [{"outputs": [{"text": "1"}]}, {"execution_count": 3}])
def test_a_notebook_with_outputs_is_named_and_cleared(tmp_path, cell):
    write_repository(tmp_path, "0.17.6", cell)
    check = script("check_repository")
    (sentence,) = check.wrong(tmp_path)
    assert sentence.startswith("examples/first.ipynb: holds outputs")
    check.clear_outputs(tmp_path)
    assert check.wrong(tmp_path) == []


def test_every_lower_bound_is_a_pin_of_the_oldest(tmp_path):
    project = {"dependencies": ["torch>=2.8", "rich>=13.9"], "optional-dependencies": {}}
    project["optional-dependencies"] = {"all": ["alexnet[x]"], "x": ["optuna>=5.0,<6", "a[b]>=1"]}
    assert script("oldest").oldest({"project": project}) == [
        "a==1",
        "optuna==5.0",
        "rich==13.9",
        "torch==2.8",
    ]


def test_a_quick_run_takes_what_took_least_and_leaves_what_starts_processes(tmp_path):
    (tmp_path / "plain.py").write_text("assert True\n")
    (tmp_path / "starts.py").write_text("import subprocess\n")
    known = {"plain.py::short": 0.1, "plain.py::long": 1e4, "starts.py::short": 0.2}
    tests = [*known, "plain.py::new", *(f"starts.py::new{number}" for number in range(20))]
    items = [SimpleNamespace(nodeid=name, path=tmp_path / name.split(":")[0]) for name in tests]
    left_out = []
    config = SimpleNamespace(
        cache=SimpleNamespace(get=lambda *_: known),
        hook=SimpleNamespace(pytest_deselected=lambda items: left_out.extend(items)),
    )
    quick = script("quick_tests")
    quick._Choice(config).pytest_collection_modifyitems(items)
    taken = [item.nodeid for item in items]
    assert taken[:3] == ["plain.py::short", "starts.py::short", "plain.py::new"]
    assert len(taken) == 3 + int(quick.BUDGET_S * quick.WORKERS - 0.35) // quick.UNKNOWN_LONG_S
    assert len(taken) + len(left_out) == len(tests)


def test_a_tag_has_to_be_the_version_and_the_changelog_dated():
    import alexnet

    wrong = list(script("check_release").wrong("v999.0.0"))
    assert f"the tag is v999.0.0, but the code is version {alexnet.__version__}" in wrong[0]
