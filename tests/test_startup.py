"""Help is there at once: whoever asks for it does not wait for torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MOST_MODULES = 350  # torch alone brings two thousand

ASK = """
import json, sys
from alexnet.cli.main import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--help"], "Usage: alexnet COMMAND"),
        (["--version"], "alexnet "),
        (["train", "--help"], "--val-fraction"),
        (["predict", "--help"], "--reject-below"),
        (["describe", "--help"], "--image-px"),
        (["check", "--help"], "--exclude-to"),
        (["search", "--help"], "--vary"),
        (["tune", "--help"], "--out"),
    ],
    ids=["help", "version", "train", "predict", "describe", "check", "search", "tune"],
)
def test_help_loads_neither_torch_nor_numpy(words, said):
    done = subprocess.run(
        [sys.executable, "-c", ASK, *words], capture_output=True, text=True, timeout=60
    )
    code, modules = json.loads(done.stderr)
    assert (code, said in done.stdout) == (0, True)
    assert not {"torch", "numpy", "PIL"} & set(modules)
    assert len(modules) < MOST_MODULES


def test_the_package_itself_loads_next_to_nothing():
    text = (
        "import sys; import alexnet; print(sorted(n for n in sys.modules if n[:8] == 'alexnet.'))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
