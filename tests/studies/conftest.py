"""Studies need Optuna."""

from __future__ import annotations

import pytest

pytest.importorskip("optuna", reason='a search needs Optuna: pip install "alexnet[search]"')
