"""Run the notebooks of examples/, each in an empty folder, and leave the files as they are.

    python scripts/run_notebooks.py

An error ends it, with the cell and the traceback; nothing is written into the checkout.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
TIMEOUT_S = 300


def run(path: Path) -> float:
    """Run a notebook from its first cell to its last; return the seconds that it took."""
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ALEXNET_CACHE"] = str(Path(folder, "cache"))
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # two gain little for so small a network
        client = NotebookClient(
            book, timeout=TIMEOUT_S, resources={"metadata": {"path": folder}}, kernel_name="python3"
        )
        client.execute()
    return time.monotonic() - started


if __name__ == "__main__":
    for notebook in sorted(EXAMPLES.glob("*.ipynb")):
        try:
            seconds = run(notebook)
        except CellExecutionError as error:
            sys.exit(f"{notebook.name}: {error}")
        sys.stdout.write(f"{notebook.name}: ran in {seconds:.0f} s\n")
