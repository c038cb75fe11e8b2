"""Write the report of a study: the page and its trials as CSV."""

from __future__ import annotations

from pathlib import Path

from alexnet.search import Plan
from alexnet.search_records import SearchReport

__all__ = ["write_study_report"]


def write_study_report(folder: Path, found: SearchReport, plan: Plan) -> Path:
    """Write."""
    return folder / "report" / "index.html"
