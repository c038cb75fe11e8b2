"""Hold a tag against the version, the changelog and the citation before anything is published.

python scripts/check_release.py v0.1.0
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def wrong(tag: str, root: Path = ROOT) -> Iterator[str]:
    """Return a sentence for each thing that has to change before this tag can be published."""
    version = _found(root / "src/alexnet/__init__.py", r'^__version__ = "([^"]+)"$')
    if tag != f"v{version}":
        yield f"the tag is {tag}, but the code is version {version}: tag it v{version}"
    heading = _found(root / "CHANGELOG.md", r"^## (.+)$")
    if not re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", heading):
        yield f'CHANGELOG.md begins with "{heading}": make it "{version} (YYYY-MM-DD)"'
    if (cited := _found(root / "CITATION.cff", r"^version: (\S+)$")) != version:
        yield f"CITATION.cff cites version {cited}: make it {version}"
    urls = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    for name, address in urls.items():
        if ".example/" in address:
            yield f"pyproject.toml: {name} is a placeholder, {address}: give the real address"


def _found(path: Path, pattern: str) -> str:
    match = re.search(pattern, path.read_text("utf-8"), re.M)
    return match[1] if match else f"nothing ({path.name} has no line {pattern})"


if __name__ == "__main__":
    if sentences := list(wrong(sys.argv[1])):
        sys.exit("\n".join(sentences))
