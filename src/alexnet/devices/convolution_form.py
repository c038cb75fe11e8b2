"""The form in which convolutions compute in float32 on a processor: torch's, or Winograd's.

Winograd's minimal filtering takes fewer multiplications, and rounds other last digits. So a bare
network computes as torch does until somebody asks for the other form, and a run writes down which
one it has.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextvars import ContextVar
from typing import Literal

__all__ = ["ConvolutionForm", "convolution_form", "convolving"]

ConvolutionForm = Literal["torch", "winograd"]

_form: ContextVar[ConvolutionForm] = ContextVar("convolution_form", default="torch")


def convolution_form() -> ConvolutionForm:
    """Return the form in which this thread convolves now: "torch" unless it entered another."""
    return _form.get()


@contextlib.contextmanager
def convolving(form: ConvolutionForm | None) -> Generator[None]:
    """Let this thread convolve in a form, or as before where it is None; afterwards as before.

    A backward pass has the form of its forward pass, wherever it runs. Another thread that is
    started inside has torch's.
    """
    token = _form.set(form or _form.get())
    try:
        yield
    finally:
        _form.reset(token)
