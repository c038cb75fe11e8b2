"""Print the oldest version that pyproject.toml allows of each package, as constraints for pip.

    python scripts/oldest.py > oldest.txt
    python -m pip install --constraint oldest.txt --editable '.[all]' --group dev

What it prints is what CI installs in one of its jobs, so that no lower bound is a guess.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

_BOUND = re.compile(r"(?P<name>[\w.-]+)(?:\[[\w,]*\])?>=(?P<version>[\w.]+)")


def oldest(project: dict[str, object]) -> list[str]:
    """Return `name==version` for each lower bound of the package and its extras.

    What the tests themselves are run with (pytest, ruff, ...) keeps to constraints.txt.
    """
    table = project["project"]
    extras = table["optional-dependencies"].values()
    wanted = [*table["dependencies"], *(each for extra in extras for each in extra)]
    found = map(_BOUND.match, wanted)
    return sorted({f"{bound['name']}=={bound['version']}" for bound in found if bound})


if __name__ == "__main__":
    text = (Path(__file__).resolve().parent.parent / "pyproject.toml").read_text("utf-8")
    sys.stdout.write("\n".join(oldest(tomllib.loads(text))) + "\n")
