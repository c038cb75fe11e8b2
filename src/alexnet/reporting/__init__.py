"""Pages for people: what was asked, what came out, which images stand behind each number.

A report is drawn from one value, `ReportEvidence`, and lies in a run's `report` folder: one HTML
file that needs nothing else, its figures as PNG, its data as CSV. A check of a source is drawn from
its record, `CheckReport`, in the same manner.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
