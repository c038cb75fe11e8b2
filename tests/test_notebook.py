"""In a real kernel of Jupyter a training shows one line of progress, and its report a table."""

from __future__ import annotations

import pytest

CELL = """
import time
from alexnet.progress import track
with track("training", 20) as advance:
    for _ in range(20):
        time.sleep(0.08)
        advance(note="loss 1.5")
"""


@pytest.mark.slow
def test_a_cell_has_one_line_of_progress_and_a_table():
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    record = "from alexnet.records import Interval\nInterval(low=0.25, high=0.5)"
    cells = [nbformat.v4.new_code_cell(source) for source in (CELL, record)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    (line,) = notebook.cells[0].outputs
    assert line["data"]["text/plain"].startswith("training: 100 % (20 of 20)")
    (shown,) = notebook.cells[1].outputs
    assert shown["data"]["text/html"].startswith("<table>")
    assert shown["data"]["text/plain"] == "Interval(low=0.25, high=0.5)"
