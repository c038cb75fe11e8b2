"""Install a wheel into an empty environment and use it there: predict, train, evaluate, describe.

    python scripts/smoke.py dist/*.whl [--constraint FILE] [--first REQUIREMENT]

It is what a user has who ran `pip install alexnet` without any extra: what works only in a checkout
(a file that is not packed, a package that only tests need) fails here. Nothing of it is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

DRAW = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image

rng = np.random.default_rng(0)
for name, level in (("dark", 60), ("bright", 190)):
    for number in range(24):
        path = Path("photos", name, f"{number:02}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.normal(level, 30, (40, 40, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path)
"""
PYTHON_INTERFACE = """
import json, sys
import alexnet

assert "torch" not in sys.modules, "import alexnet alone has to load no torch"
weights = json.load(sys.stdin)["weights"]
results = alexnet.evaluate(weights, "photos", split="all")
assert results.images == 48, results.images
print(json.dumps(alexnet.__version__))
"""


def main() -> None:
    """Make the environment, install, and call the program as a user would."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--constraint", type=Path)
    parser.add_argument(
        "--first", help="a requirement to install before the wheel: a build of torch"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        venv.create(place / "venv", with_pip=True)
        programs = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
        pip = [
            programs / "python",
            "-m",
            "pip",
            "--disable-pip-version-check",
            "install",
            "--quiet",
        ]
        if asked.constraint:
            pip += ["--constraint", asked.constraint.resolve()]
        if asked.first:
            _run(*pip, asked.first)
        _run(*pip, asked.wheel.resolve())
        _use(programs, place)


def _use(programs: Path, place: Path) -> None:
    """Call what was installed; the folder of the checkout is nowhere near."""
    alexnet, python = programs / "alexnet", programs / "python"
    version = _run(alexnet, "--version", cwd=place).strip()
    _run(python, "-c", DRAW, cwd=place)
    _run(alexnet, "describe", "alexnet", cwd=place)
    told = json.loads(_run(alexnet, "predict", "photos/dark/00.png", "--json", cwd=place))
    assert told["predictions"][0]["classes"], told
    settings = ("--model", "mlp", "--epochs", "3", "--image-px", "16", "--crop-px", "16")
    trained = _run(alexnet, "train", "photos", *settings, "--lr", "0.01", "--json", cwd=place)
    from_python = _run(python, "-c", PYTHON_INTERFACE, cwd=place, stdin=trained)
    assert json.loads(from_python) in version, (from_python, version)
    sys.stdout.write(f"{version}: predicted, trained and evaluated in an empty environment\n")


def _run(*command: object, cwd: Path | None = None, stdin: str | None = None) -> str:
    """Run a command; its own words say what went wrong. Return its standard output."""
    words = [str(word) for word in command]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if cwd is not None:
        environment["ALEXNET_CACHE"] = str(cwd / "cache")
    done = subprocess.run(
        words, cwd=cwd, env=environment, input=stdin, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"exit code {done.returncode}: {' '.join(words)}\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
