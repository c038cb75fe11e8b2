"""A process that reads damaged files, one case after another, and says what came of each.

Its memory is limited by the system. Whatever libraries write to standard output or standard error,
by whichever way, ends in a file and is part of the answer.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch

from alexnet.errors import AlexNetError
from fuzzing.mutations import damaged, digest
from fuzzing.originals import Originals
from fuzzing.targets import KINDS, read

__all__ = ["main"]


def main(real: Path | None, limit_mb: int) -> None:
    """Answer one JSON line for each line `{"kind", "seed", "case", "keep"}` until input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    noise = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
    os.dup2(noise.fileno(), 1)
    os.dup2(noise.fileno(), 2)
    torch.set_num_threads(1)
    logging.getLogger("alexnet").addHandler(logging.NullHandler())  # remarks are for the caller
    originals = Originals(real)
    for kind in KINDS:
        originals.of(kind)
    _limit(limit_mb)
    print(json.dumps({"ready": True}), file=answers)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        os.environ["ALEXNET_CACHE"] = str(Path(place) / "cache")
        for line in sys.stdin:
            asked = json.loads(line)
            answer = _answer(asked, originals, Path(place) / f"case-{asked['case']}")
            sys.stdout.flush()
            sys.stderr.flush()
            answer["noise"] = _taken(noise)
            print(json.dumps(answer), file=answers)


def _limit(limit_mb: int) -> None:
    """Allow so much more memory than the process has now."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    most = now + (limit_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _answer(asked: dict[str, Any], originals: Originals, folder: Path) -> dict[str, Any]:
    """Make a case, read it, and return what came of it."""
    kind, every = asked["kind"], originals.of(asked["kind"])
    rng = np.random.default_rng([asked["seed"], asked["case"]])
    original = every[rng.integers(len(every))]
    files = damaged(kind, original, every, rng)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    if asked.get("keep"):
        _keep(Path(asked["keep"]), asked, files)
    untouched = files == original.files and kind != "pth"
    before = _peak_mb(reset=True)
    start = time.process_time()
    answer = {
        "case": asked["case"],
        "digest": digest(files),
        **_outcome(kind, folder, files, every),
    }
    if untouched and answer["outcome"] != "read":
        answer = {**answer, "outcome": "refused an original"}
    answer["seconds"] = time.process_time() - start
    answer["peak_mb"] = _peak_mb() - before
    left = [
        each.name for each in folder.parent.iterdir() if each.name not in (folder.name, "cache")
    ]
    if left:
        answer = {**answer, "outcome": f"wrote {left} outside of its folder"}
    _remove(folder)
    return answer


def _outcome(kind: str, folder: Path, files: dict[str, bytes], every: list[Any]) -> dict[str, Any]:
    try:
        read(kind, folder, files, every)
    except AlexNetError as error:
        return {"outcome": "sentence", "said": str(error)[:300]}
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"[:300]
        return {"outcome": "raised", "said": said, "traceback": traceback.format_exc()[-6000:]}
    return {"outcome": "read", "said": ""}


def _peak_mb(*, reset: bool = False) -> float:
    """Return the most memory that was held since the last reset; what is held now, after one."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _taken(noise: Any) -> str:
    """Return what was written since the last call."""
    noise.seek(0)
    data = noise.read(4000)
    noise.seek(0)
    noise.truncate()
    return data.decode("utf-8", "replace")


def _keep(place: Path, asked: dict[str, Any], files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = place / f"{asked['kind']}-{asked['case']}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)
