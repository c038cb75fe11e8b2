"""Help and `import alexnet` load next to nothing: one process imports and reports."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from alexnet.cli.commands import VERBS

MAX_MODULES = 400  # torch alone brings two thousand

HELP = {
    "": "Usage: alexnet COMMAND",
    "train": "--val-fraction",
    "predict": "--reject-below",
    "describe": "--image-px",
    "check": "--exclude-to",
    "search": "--vary",
    "tune": "--out",
}
"""What the help of some verbs mentions."""

SCRIPT = """
import contextlib, importlib, io, json, pkgutil, sys

steps = {}

def report(step, text=""):
    steps[step] = (sorted(sys.modules), text)

def help_of(*words):
    from alexnet.cli.main import main
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main([*words, "--help"]) == 0
    return out.getvalue()

import alexnet
report("package")
import alexnet.commands
for each in pkgutil.iter_modules(alexnet.commands.__path__):
    importlib.import_module("alexnet.commands." + each.name)
report("commands")
report("help", help_of())
for verb in sys.argv[1:]:
    report("help " + verb, help_of(verb))
import alexnet.cli.console
for each in pkgutil.iter_modules(alexnet.cli.console.__path__):
    importlib.import_module("alexnet.cli.console." + each.name)
report("console")
for name in [name for name in sys.modules if name.partition(".")[0] == "alexnet"]:
    del sys.modules[name]
import alexnet.training
for name in alexnet.training.__all__:
    getattr(alexnet.training, name)
report("training")
json.dump(steps, sys.stdout)
"""


@pytest.fixture(scope="module")
def steps() -> dict[str, tuple[list[str], str]]:
    """The modules that are loaded after each step, and its text."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *VERBS], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_the_package_loads_none_of_its_modules(steps):
    modules, _ = steps["package"]
    assert [name for name in modules if name.startswith("alexnet.")] == []


def test_commands_load_neither_cyclopts_nor_torch(steps):
    modules, _ = steps["commands"]
    assert not {"cyclopts", "torch", "numpy", "PIL", "rich"} & set(modules)


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_loads_neither_torch_nor_numpy(steps, verb):
    modules, text = steps[f"help {verb}".strip()]
    assert HELP.get(verb, f"Usage: alexnet {verb}") in text
    assert not {"torch", "numpy", "PIL"} & set(modules)


def test_help_loads_few_modules(steps):
    assert len(steps["help"][0]) < MAX_MODULES


def test_the_console_loads_neither_torch_nor_numpy(steps):
    assert not {"torch", "numpy", "PIL"} & set(steps["console"][0])


def test_training_loads_no_exporter_importer_report_or_command_line(steps):
    rooms = {name.split(".")[1] for name in steps["training"][0] if name.startswith("alexnet.")}
    assert "training" in rooms
    assert not rooms & {"exporters", "importers", "reporting", "runs", "commands", "cli"}
