"""The machine that a run began on: the last bits hold for its precision, threads and torch."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from alexnet.devices import Device, Precision, cores
from alexnet.weights import current_versions

__all__ = ["kept_device", "machine_facts"]

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
