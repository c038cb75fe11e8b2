"""Pages for people: what was asked, what came out, which pictures stand behind each number.

A report is drawn from one value, `ReportEvidence`, and lies in a run's `report` folder: one HTML
file that needs nothing else, its figures as PNG, its data as CSV. A check of a source is drawn from
its record, `CheckReport`, in the same manner.
"""

from alexnet.reporting.evidence import PictureOf, ReportEvidence
from alexnet.reporting.range_page import write_range_page
from alexnet.reporting.steps import preprocessing_in_words
from alexnet.reporting.study_write import write_study_report
from alexnet.reporting.write import add_comparison, redraw_report, write_report
from alexnet.reporting.write_check import refuse_other, write_check

__all__ = [
    "PictureOf",
    "ReportEvidence",
    "add_comparison",
    "preprocessing_in_words",
    "redraw_report",
    "refuse_other",
    "write_check",
    "write_range_page",
    "write_report",
    "write_study_report",
]
