from .check import refuse_other, write_check
from .lr_finder import write_range_page
from .run.evidence import PictureOf, ReportEvidence
from .run.sections import preprocessing_in_words
from .run.write import add_comparison, redraw_report, write_report
from .study import write_study_report

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
