"""Which code of other people may be called: what the user named, and nothing else.

A recipe or a weights file may name a network as "package.module:function". Importing that runs
whatever its author wrote, so a file alone never brings it about: the user names the function in
the same call (`--model`, or `--trust` for weights).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["is_trusted", "trusting"]

_trusted: ContextVar[frozenset[str]] = ContextVar("trusted", default=frozenset())


@contextmanager
def trusting(*references: str | None) -> Generator[None]:
    """Allow networks of these names to be imported inside the `with` block.

        with alexnet.trusting("my_networks:small"):
            alexnet.evaluate("runs/small", "photos")

    Args:
        references: each "package.module:function"; None: nothing.
    """
    token = _trusted.set(_trusted.get() | {each for each in references if each is not None})
    try:
        yield
    finally:
        _trusted.reset(token)


def is_trusted(reference: str) -> bool:
    """Say whether the user named this function."""
    return reference in _trusted.get()
