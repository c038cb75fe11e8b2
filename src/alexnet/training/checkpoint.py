"""Checkpoints: all that shapes the rest of a run, checksummed, the newest two kept.

A file is a 16-byte mark, a 32-byte BLAKE2b digest of the rest, and the rest: one safetensors block
whose header carries the plain state as JSON.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from alexnet.errors import RunError
from alexnet.files import replace_file

__all__ = ["Checkpoint", "newest_checkpoint", "save_checkpoint"]

_MARK = b"alexnet-ckpt-01\n"
_NAME = re.compile(r"step-(\d{9})\.checkpoint")
_log = logging.getLogger(__name__)


@dataclass
class Checkpoint:
    """Tensors by name, and a state of plain values that JSON can hold exactly."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]


def save_checkpoint(folder: Path, step: int, checkpoint: Checkpoint, *, keep: int = 2) -> Path:
    """Write `folder/step-<step>.checkpoint` beside and rename it; then prune all but `keep`.

    Raises:
        RunError: the disk refuses; the checkpoints before are untouched.
    """
    tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
    block = save(tensors, metadata={"state": json.dumps(checkpoint.state)})
    digest = hashlib.blake2b(block, digest_size=32).digest()
    path = folder / f"step-{step:09d}.checkpoint"
    replace_file(path, lambda file: file.writelines([_MARK, digest, block]))
    for old in _found(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """Read the newest whole checkpoint; one that is damaged is passed over, with a warning.

    Raises:
        RunError: there are checkpoints, and not one of them is whole.
    """
    found = _found(folder)
    for path in reversed(found):
        try:
            return _read(path)
        except RunError as error:
            _log.warning("%s The one before it is used.", error)
    if found:
        raise RunError(
            f"None of the {len(found)} checkpoints in {folder} is whole, so this run cannot go on. "
            "Restore one, or start a new run in another folder."
        )
    return None


def _found(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def _read(path: Path) -> Checkpoint:
    content = path.read_bytes()
    digest, block = content[len(_MARK) : len(_MARK) + 32], content[len(_MARK) + 32 :]
    whole = hashlib.blake2b(block, digest_size=32).digest() == digest
    if not (content.startswith(_MARK) and whole):
        raise RunError(f"The checkpoint {path} is damaged: its checksum does not fit.")
    header = json.loads(block[8 : 8 + int.from_bytes(block[:8], "little")])
    return Checkpoint(load(block), json.loads(header["__metadata__"]["state"]))
