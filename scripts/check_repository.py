"""Hold what no other tool holds: equal pins everywhere, and notebooks without outputs.

`make lint` runs it. Each thing that is wrong is a line with the file and what to do; the exit code
is 1 if there is one.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_PIN = re.compile(r"^([\w.-]+)==([\w.]+)$", re.M)
_PIN_ANYWHERE = re.compile(r"\b([\w-]+)==([\w.]+)")


def wrong(root: Path = ROOT) -> list[str]:
    """Return a sentence for each thing that is wrong in a checkout; none: all is well."""
    return [*pins(root), *notebooks(root)]


def pins(root: Path) -> Iterator[str]:
    """Compare the versions in Makefile and hooks with those of constraints.txt."""
    known = {
        _plain(name): version
        for name, version in _PIN.findall((root / "constraints.txt").read_text("utf-8"))
    }
    for place in ("Makefile", ".pre-commit-config.yaml"):
        for name, version in _PIN_ANYWHERE.findall((root / place).read_text("utf-8")):
            there = known.get(_plain(name), "no such pin")
            if there != version:
                yield f"{place}: {name}=={version}, but constraints.txt has {there}"


def notebooks(root: Path) -> Iterator[str]:
    """Look for outputs, which differ with every run and machine, in committed notebooks."""
    for path in sorted((root / "examples").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        book = json.loads(path.read_text("utf-8"))
        code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
        if any(cell["outputs"] or cell["execution_count"] is not None for cell in code):
            yield f"{path.relative_to(root)}: holds outputs; take them away with `make format`"


def clear_outputs(root: Path = ROOT) -> None:
    """Take the outputs out of the notebooks of a checkout."""
    for path in sorted((root / "examples").rglob("*.ipynb")):
        before = path.read_text("utf-8")
        book = json.loads(before)
        for cell in book["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
        after = json.dumps(book, indent=1, ensure_ascii=False) + "\n"
        if after != before:
            path.write_text(after, "utf-8")


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


if __name__ == "__main__":
    if "--clear-outputs" in sys.argv[1:]:
        clear_outputs()
    if sentences := wrong():
        sys.exit("\n".join(sentences))
