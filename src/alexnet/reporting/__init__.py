"""Pages for people: settings, results, and the images that stand behind each number.

A report is drawn from one value, `ReportData`, and lies in a run's `report` folder: one HTML
file that needs nothing else, its figures as PNG, its data as CSV. The pages of a check, a study and
a learning-rate range test are drawn from their records. Jinja2 and matplotlib are imported when a
page is drawn.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
