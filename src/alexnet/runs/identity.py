"""Whether two calls ask for the same run, and if not, in what they differ."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from alexnet.devices import Device, Precision, cores
from alexnet.errors import RunError
from alexnet.weights import current_versions

__all__ = [
    "RUNS",
    "dated_name",
    "differences",
    "kept_device",
    "machine_facts",
    "new_folder",
    "refuse_other",
    "source_name",
]

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


_SHAPING = ("kind", "processor", "precision", "threads", "numba", "torch", "alexnet")
_log = logging.getLogger(__name__)


def machine_facts(device: Device) -> dict[str, Any]:
    """Return what decides over the last bits of a training, and what it ran on, for `run.json`."""
    try:
        numba = version("numba")  # compiles some kernels; without it torch's operators do the work
    except PackageNotFoundError:
        numba = None
    return {"device": {**device.to_json(), "numba": numba}, "versions": current_versions()}


def kept_device(
    asked: Mapping[str, Any], device: Device, *, precision: Precision, threads: int | None
) -> Device:
    """Return the device to go on with: precision and threads as the run began, unless asked for.

    What is otherwise than it was, and may change the last bits from here on, is logged.

    Args:
        asked: what `run.json` holds.
        device: as chosen now.
        precision: as asked for now.
        threads: likewise.
    """
    import torch

    then = {**asked.get("device", {}), **asked.get("versions", {})}
    as_begun: dict[str, Any] = {}
    if precision == "auto" and then.get("kind") == device.kind:
        as_begun["precision"] = then["precision"]
    if threads is None and then.get("threads", cores() + 1) <= cores():
        as_begun["threads"] = then["threads"]
    kept = dataclasses.replace(device, **as_begun)
    if kept != device:
        kept = dataclasses.replace(kept, reason="as the run began")
    torch.set_num_threads(kept.threads)
    facts = machine_facts(kept)
    now = {**facts["device"], **facts["versions"]}
    changes = [
        f"{name}: {then[name]} then, {now[name]} now"
        for name in _SHAPING
        if name in then and then[name] != now[name]
    ]
    if changes:
        _log.warning(
            "This run began otherwise (%s). It goes on, but from here its weights need not be, bit "
            "for bit, those of the uninterrupted run.",
            "; ".join(changes),
        )
    return kept


RUNS = Path("runs")
"""The folder of all of them."""


def source_name(source: Path) -> str:
    """Return a source's name without what says its kind: "photos" for photos.tar.gz."""
    return source.resolve().name.split(".")[0] or "pictures"


def dated_name(source: Path, model: str) -> str:
    """Return a name with the day in front; of a model in files, the first one's name."""
    plain = re.sub(r"[^\w.-]+", "-", Path(model.partition(",")[0]).name)
    return f"{time.strftime('%Y-%m-%d')}-{source_name(source)}-{plain.removesuffix('.cfg')}"


def new_folder(name: str, is_free: Callable[[Path], bool]) -> Path:
    """Return a folder of this name among the runs, or with the first number that is free."""
    tries = (name if n == 1 else f"{name}-{n}" for n in range(1, 10_000))
    return RUNS / next(each for each in tries if is_free(RUNS / each))
