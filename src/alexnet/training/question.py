"""Whether two calls ask for the same run, and if not, in what they differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from alexnet.errors import RunError

__all__ = ["differences", "refuse_other"]

_SAME = ("fingerprint", "classes", "start", "recipe", "files")
"""What must not change between two calls; files: texts that the network was made of, if any."""


def refuse_other(folder: Path, kept: object, asked: Mapping[str, Any]) -> None:
    """Refuse to go on with a run that was asked for otherwise.

    Raises:
        RunError: with the list of differences.
    """
    lines = differences(kept, asked)
    if lines:
        raise RunError(
            f"{folder} holds another run. It differs in {'; '.join(lines)}. "
            "Choose another folder with --run, ask for the same again to continue it, or start "
            "anew with --anew, which moves the old run aside."
        )


def differences(kept: object, asked: Mapping[str, Any]) -> list[str]:
    """Return what was asked otherwise then and now, a phrase each; recipes field by field."""
    before = cast("dict[str, Any]", kept) if isinstance(kept, dict) else {}
    now: dict[str, Any] = json.loads(json.dumps(dict(asked)))
    lines: list[str] = []
    for key in _SAME:
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += _fields_that_differ(cast("dict[str, Any]", old), cast("dict[str, Any]", new))
        elif old != new:
            lines.append(_then_and_now(key, old, new))
    return lines


def _fields_that_differ(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [
        _then_and_now(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _then_and_now(name: str, old: Any, new: Any) -> str:
    return f"{name}: {_short(old)} then, {_short(new)} now"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
