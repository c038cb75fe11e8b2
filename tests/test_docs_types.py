"""The Python of README and docs passes a type checker: what a person copies is right there, too."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import alexnet

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SETTINGS = {"typeCheckingMode": "standard", "pythonVersion": "3.11", "include": ["pages"]}
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def write_blocks(page: Path, folder: Path) -> Path | None:
    """A page's Python on the lines where it stands, as one file; None: it has none."""
    text = page.read_text("utf-8")
    lines = [""] * (text.count("\n") + 1)
    for block in BLOCK.finditer(text):
        start = text[: block.start(1)].count("\n")
        code = block[1].splitlines()
        lines[start : start + len(code)] = code
    if not any(lines):
        return None
    name = re.sub(r"\W", "_", page.relative_to(ROOT).with_suffix("").as_posix())
    path = folder / f"{name}.py"
    path.write_text("\n".join(lines), "utf-8")
    return path


def check(folder: Path) -> list[str]:
    """What pyright says of a folder's files, each a program of its own."""
    (folder / "pyrightconfig.json").write_text(
        json.dumps({**SETTINGS, "extraPaths": [str(Path(alexnet.__file__).parent.parent)]})
    )
    options = ["-p", str(folder), "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(
        [sys.executable, "-m", "pyright", *options],
        capture_output=True,
        text=True,
        timeout=300,
    )
    return [
        f"{Path(each['file']).stem}:{each['range']['start']['line'] + 1}: {each['message']}"
        for each in json.loads(done.stdout)["generalDiagnostics"]
        if each["severity"] == "error"
    ]


@pytest.mark.slow
def test_the_blocks_of_all_pages_have_sound_types(tmp_path):
    pytest.importorskip("pyright")
    pages = tmp_path / "pages"
    pages.mkdir()
    assert sum(write_blocks(page, pages) is not None for page in PAGES) > 10
    # one that must be found, so that silence means something
    (pages / "mistaken.py").write_text("import alexnet\n\nalexnet.train(3).top1\n")
    errors = check(tmp_path)
    mistaken = [each for each in errors if each.startswith("mistaken:3")]
    assert len(mistaken) == 2
    assert [each for each in errors if each not in mistaken] == []
