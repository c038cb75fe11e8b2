"""The config of a run: what shapes it, whether two calls ask for the same, where it lies."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import torch

from alexnet.devices import Device, Precision, cores, has_winograd, usable_threads
from alexnet.distributed import world
from alexnet.errors import RunError
from alexnet.runs.job import Job
from alexnet.urls import as_url, shown_place, url_name, without_secrets
from alexnet.weights import current_versions

__all__ = [
    "RUNS",
    "config_differences",
    "dated_name",
    "device_as_begun",
    "is_command_line",
    "machine_facts",
    "new_folder",
    "require_same_config",
    "resume_device",
    "run_config",
    "source_name",
]

RUNS = Path("runs")
"""The folder of all runs."""

_SAME = ("fingerprint", "classes", "start", "recipe", "files", "way")
"""What must not change between two calls; files: texts that the network was made of, if any; way:
"chosen", where it is."""

_SHAPING = (
    "kind",
    "processor",
    "precision",
    "convolutions",
    "threads",
    "processes",
    "numba",
    "torch",
    "alexnet",
)
"""What else decides over the last bits."""

_log = logging.getLogger(__name__)


def run_config(
    job: Job, source: Path | str, command: Sequence[str] | None = None, **more: Any
) -> dict[str, Any]:
    """Return what `run.json` holds.

    Args:
        job: the training.
        source: as the user named it.
        command: what makes the run again; None: what this process was called with.
        **more: facts beside the usual ones.
    """
    return {
        "source": shown_place(source),
        "fingerprint": job.pack.fingerprint,
        "classes": list(job.pack.classes),
        "start": job.origin,
        "recipe": job.recipe.to_json(),
        "files": job.network.arguments.get("files"),
        "command": list(_command() if command is None else command),
        **machine_facts(job.training.device),
        **more,
    }


def _command() -> list[str]:
    """Return what makes this run again: the words after `alexnet`, or the program that called."""
    words = ["alexnet", *sys.argv[1:]] if is_command_line() else sys.orig_argv
    return [*map(without_secrets, words)]


def is_command_line() -> bool:
    """Whether this process is the command `alexnet`, and not a program that imports it."""
    called = Path(sys.argv[0])
    return called.stem == "alexnet" or called.parent.name == "alexnet"


def require_same_config(folder: Path, config: object, now: Mapping[str, Any]) -> None:
    """Raise where a run began with another config than is asked for now.

    Raises:
        RunError: with the list of differences.
    """
    lines = config_differences(config, now)
    if lines:
        raise RunError(
            f"{folder} holds another run. It differs in {'; '.join(lines)}. "
            "Choose another folder with --run-dir, ask for the same again to continue it, or start "
            "again with --restart, which moves the old run aside."
        )


def config_differences(config: object, now: Mapping[str, Any]) -> list[str]:
    """Return in what two configs ask for different runs, a phrase each; recipes field by field."""
    then = cast("dict[str, Any]", config) if isinstance(config, dict) else {}
    now = cast("dict[str, Any]", json.loads(json.dumps(dict(now))))
    lines: list[str] = []
    for key in _SAME:
        old, new = then.get(key), now.get(key)
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


def machine_facts(device: Device) -> dict[str, Any]:
    """Return what decides over the last bits of a training, and what it ran on, for `run.json`."""
    try:
        numba = version("numba")  # compiles some kernels; without it torch's operators do the work
    except PackageNotFoundError:
        numba = None
    facts = {**device.to_json(), "processes": world().size, "numba": numba}
    return {"device": facts, "versions": current_versions()}


def resume_device(
    config: Mapping[str, Any],
    device: Device,
    *,
    precision: Precision,
    threads: int | None,
    exact_convolutions: bool = False,
) -> Device:
    """Return the device to go on with: its arithmetic as the run began, unless asked for.

    Arithmetic is the precision, the form of convolutions and the number of threads.

    What is otherwise than it was, and may change the last bits from here on, is logged.

    Args:
        config: what `run.json` holds.
        device: as chosen now.
        precision: as asked for now.
        threads: likewise.
        exact_convolutions: likewise.
    """
    then = {**_device_of(config), **config.get("versions", {})}
    resumed = device_as_begun(
        config,
        device,
        precision=precision,
        threads=threads,
        exact_convolutions=exact_convolutions,
    )
    facts = machine_facts(resumed)
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
    return resumed


def device_as_begun(
    config: Mapping[str, Any],
    device: Device,
    *,
    precision: Precision,
    threads: int | None,
    exact_convolutions: bool = False,
) -> Device:
    """Return the same as `resume_device`, and say nothing."""
    then = _device_of(config)
    as_begun: dict[str, Any] = {}
    if precision == "auto" and then.get("kind") == device.kind:
        as_begun["precision"] = then["precision"]
    if not exact_convolutions and then.get("kind") == device.kind:
        by_winograd = then["convolutions"] == "winograd" and has_winograd()
        as_begun["convolutions"] = "winograd" if by_winograd else "torch"
    as_many = then.get("processes") == world().size
    if threads is None and as_many and then.get("threads", cores() + 1) <= cores():
        as_begun["threads"] = then["threads"]
    resumed = dataclasses.replace(device, **as_begun)
    if resumed != device:
        resumed = dataclasses.replace(resumed, reason="as the run began")
    torch.set_num_threads(usable_threads(resumed.threads))
    return resumed


def _device_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the device that a run began on; earlier versions knew one form, and one process."""
    then: dict[str, Any] = config.get("device", {})
    return {"convolutions": "torch", "processes": 1, **then} if then else {}


def source_name(source: Path | str) -> str:
    """Return a source's name without what says its kind: "photos" for photos.tar.gz."""
    if (url := as_url(source)) is not None:
        return url_name(url).split(".")[0] or "images"
    source = Path(source)
    return source.resolve().name.split(".")[0] or "images"


def dated_name(source: Path | str, model: str) -> str:
    """Return a name with the day in front; of a model in files, the first one's name."""
    plain = re.sub(r"[^\w.-]+", "-", Path(model.partition(",")[0]).name)
    return f"{time.strftime('%Y-%m-%d')}-{source_name(source)}-{plain.removesuffix('.cfg')}"


def new_folder(name: str, is_free: Callable[[Path], bool]) -> Path:
    """Return a folder of this name among the runs, or with the first number that is free."""
    tries = (name if n == 1 else f"{name}-{n}" for n in range(1, 10_000))
    return RUNS / next(each for each in tries if is_free(RUNS / each))
