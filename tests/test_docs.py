"""README and docs hold what they say: every block runs, every command parses, every link leads."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import alexnet
from alexnet.cli.commands import VERBS
from alexnet.cli.parser import build_app

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(alexnet.__file__).parent
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_ENDS = {"|", ">", "<", "&&"}  # what follows is for the shell
_OTHER_PROGRAMS = {"aws", "pip", "python"}


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> Iterator[tuple[int, str]]:
    """The line on which each block begins, and its text."""
    text = page.read_text("utf-8")
    for found in _FENCE.finditer(text):
        if found[1] == language:
            yield text[: found.start(2)].count("\n"), found[2]


def commands(page: Path) -> list[str]:
    """Each command of the console blocks, a long one joined to one line."""
    text = "".join(block for _, block in blocks(page, "console"))
    lines = text.replace("\\\n", " ").splitlines()
    return [" ".join(line[2:].split()) for line in lines if line.startswith("$ ")]


COMMANDS = [(place(page), command) for page in PAGES for command in commands(page)]


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_is_one_that_there_is(page, command):
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|<>&")
    lexer.whitespace_split = True
    words = list(lexer)
    end = next((i for i, word in enumerate(words) if word in _ENDS), len(words))
    program, *arguments = words[:end]
    if program == "alexnet":
        files = ["standard-input" if word == "-" else word for word in arguments]
        assert build_app(files).meta(files) is not None
    elif program == "make":
        verbs = [word for word in arguments if "=" not in word]
        assert all(re.search(rf"^{verb}:", (ROOT / "Makefile").read_text(), re.M) for verb in verbs)
    else:
        assert Path(program).name in _OTHER_PROGRAMS


SCRIPTS = [(place(page), block) for page in PAGES for _, block in blocks(page, "bash")]


@pytest.mark.parametrize(("page", "script"), SCRIPTS)
def test_a_script_is_shell_and_calls_commands_that_there_are(page, script):
    if shutil.which("bash"):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    for words in re.findall(r"-m (alexnet [^'\n]*)", script.replace("\\\n", " ")):
        _, *arguments = shlex.split(words)
        assert build_app(arguments).meta(arguments) is not None


@pytest.mark.parametrize("page", [each for each in PAGES if any(blocks(each, "yaml"))], ids=place)
def test_manifests_can_be_read_and_call_commands_that_there_are(page):
    yaml = pytest.importorskip("yaml")
    for _, block in blocks(page, "yaml"):
        manifest = yaml.safe_load(block)
        assert {"apiVersion", "kind", "metadata", "spec"} <= set(manifest)
        for words in re.findall(r"alexnet, (.*)\]", block):
            arguments = words.split(", ")
            assert build_app(arguments).meta(arguments) is not None


def photos(folder: Path) -> None:
    """Lay out what the pages speak of: photos, photos.zip's contents, a few new images."""
    draw = np.random.default_rng(0)
    for name, color in (("bird", (60, 90, 200)), ("cat", (200, 120, 40)), ("dog", (70, 160, 60))):
        for number in range(20):
            _image(folder / "photos" / name / f"{number:02}.jpg", color, draw)
    for number, color in enumerate(((60, 90, 200), (200, 120, 40))):
        _image(folder / "new" / f"{number}.jpg", color, draw)


def _image(path: Path, color: tuple[int, int, int], draw: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = draw.normal(color, 40, size=(48, 64, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("page", [each for each in PAGES if any(blocks(each, "python"))], ids=place)
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    photos(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    names: dict[str, object] = {"__name__": place(page)}
    for line, block in blocks(page, "python"):
        exec(compile("\n" * line + block, page, "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_links_lead_somewhere(page):
    text = _FENCE.sub("", page.read_text("utf-8"))
    for target in _LINK.findall(text):
        if target.startswith(("https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


def anchors(page: Path) -> set[str]:
    """The names that a page's headings have as link targets."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", page.read_text("utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_a_page_has_one_title_and_closed_fences(page):
    text = page.read_text("utf-8")
    assert text.count("```") % 2 == 0
    assert len(re.findall(r"^# ", _FENCE.sub("", text), re.M)) == 1


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_tables_are_those_of_the_code(page):
    text = page.read_text("utf-8")
    assert _filler().filled(text, page) == text, "run: make tables"


def test_every_page_is_reached_from_the_index():
    index = ROOT / "docs" / "index.md"
    linked = {
        (index.parent / target.partition("#")[0]).resolve()
        for target in _LINK.findall(index.read_text("utf-8"))
    }
    assert set(DOCS) - {index} <= linked


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_page_that_shows_it_at_work(verb):
    page = ROOT / "docs" / "verbs" / f"{verb}.md"
    assert f"<!-- options {verb} -->" in page.read_text("utf-8")
    assert any(command.split()[:2] == ["alexnet", verb] for command in commands(page))


def test_every_room_has_a_page():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {path.stem for path in (ROOT / "docs" / "rooms").glob("*.md")} == rooms


def test_the_readme_names_everything_in_the_house():
    tree = next(block for _, block in blocks(ROOT / "README.md", "text") if "src/alexnet/" in block)
    there = {path.name for path in PACKAGE.iterdir() if not path.name.startswith("__")}
    named = set(re.findall(r"[\w.]+", tree))
    assert there - named == set()


def test_the_readme_is_as_long_as_people_read():
    assert 150 <= len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 230


@cache
def _filler() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fill_docs", ROOT / "scripts" / "fill_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
