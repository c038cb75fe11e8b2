"""The version is written once, and what stands beside the code agrees with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import alexnet

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]


def name_of(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")


def test_the_newest_heading_of_the_changelog_is_the_version():
    headings = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert headings[0] == alexnet.__version__
    assert headings == sorted(headings, key=lambda text: [*map(int, text.split("."))], reverse=True)


def test_the_citation_names_the_version():
    found = re.findall(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.M)
    assert found == [alexnet.__version__]


def test_all_brings_every_extra():
    names = [name for name in EXTRAS if name != "all"]
    assert EXTRAS["all"] == [f"alexnet[{','.join(names)}]"]


def test_everything_that_is_asked_for_is_pinned():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    wanted = [
        *PROJECT["project"]["dependencies"],
        *(each for group in PROJECT["dependency-groups"].values() for each in group),
        *PROJECT["build-system"]["requires"],
        *(each for name, extra in EXTRAS.items() if name != "all" for each in extra),
    ]
    assert {name_of(each) for each in wanted} <= {name_of(pin) for pin in pins}


def test_torch_is_installed_first_at_its_pin():
    pin = re.search(r"^torch==\S+$", (ROOT / "constraints.txt").read_text("utf-8"), re.M)
    assert pin is not None
    assert f"TORCH := {pin[0]}\n" in (ROOT / "Makefile").read_text("utf-8")
