from .check import require_check_folder, write_check_report
from .comparison import describe_difference, write_comparison
from .lr_finder import write_lr_finder_report
from .run.data import ReadImage, ReportData, describe_preprocessing
from .run.saved import read_report_data
from .run.write import add_baselines, redraw_report, write_report
from .study import write_study_report

__all__ = [
    "ReadImage",
    "ReportData",
    "add_baselines",
    "describe_difference",
    "describe_preprocessing",
    "read_report_data",
    "redraw_report",
    "require_check_folder",
    "write_check_report",
    "write_comparison",
    "write_lr_finder_report",
    "write_report",
    "write_study_report",
]
