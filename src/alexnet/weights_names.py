"""What weights are called, for those who must not load torch to say it."""

from __future__ import annotations

__all__ = ["DEFAULT", "FILE_NAME"]

DEFAULT = "small-200"
"""The weights that come with the package, and are used where none are named."""

FILE_NAME = "weights.safetensors"
"""The best weights in a run folder."""
