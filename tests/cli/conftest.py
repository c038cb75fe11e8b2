"""A command line in this process, and verbs made for a test."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from alexnet.cli.main import main
from alexnet.cli.verbs import VERBS, Verb


@dataclass(frozen=True)
class Said:
    """What a command line answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def alexnet(capsys) -> Callable[..., Said]:
    """Call the program as `alexnet("train", "photos", "--epochs", "3")`."""

    def call(*words: object) -> Said:
        code = main([str(word) for word in words])
        return Said(code, *capsys.readouterr())

    return call


@pytest.fixture
def make_verb(monkeypatch) -> Callable[..., None]:
    """Make a function a verb of its own name; its record is printed as it is."""

    def make(function: Callable[..., object]) -> None:
        name = function.__name__
        module = types.ModuleType(f"alexnet.cli.{name}")
        setattr(module, name, function)
        module.show = lambda record, console: console.print(record.path)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        verb = Verb(name, "Made for a test.", f"{module.__name__}:show")
        monkeypatch.setitem(VERBS, name, verb)

    return make
