"""Tensors out of the files that training programs of torch save, and nothing else of them.

A pickle can run whatever its author wrote, so it is read by torch's restricted reader alone. What
lies beside the tensors (options, numbers, schedules) is never made: each such type is stood in for
by an empty object of ours, so that a checkpoint isn't refused for what nobody asked for.
"""

from __future__ import annotations

import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from alexnet.errors import WeightsError
from alexnet.importers.file_kinds import file_kind
from alexnet.locks import own_warning_filters
from alexnet.weights.file import require_readable_size

__all__ = ["Unread", "read_checkpoint", "tensor_groups"]

_MAX_TYPES = 200  # of external types in one file; an ordinary checkpoint has five
_MAX_DEPTH = 5
_MAX_GROUPS = 10_000
_UNSUPPORTED = re.compile(r"Unsupported (?:global: GLOBAL|class) ([\w.]+)")
_BLOCKED = re.compile(r"unsupported GLOBAL ([\w.]+) whose module")
_FILLED = re.compile(
    r"Can only (?P<how>SETITEMS?|append|extend)\b.*but got <class '[\w.]*?(?P<name>Unread_\w+)'>"
)


class Unread:
    """Stands for an object of a file that is neither tensor nor plain value; it is never made.

    Attributes:
        type_name: of the object, as the file has it.
    """

    type_name = "an unknown type"

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def read_checkpoint(path: Path) -> object:
    """Return what a file of torch's or safetensors holds: tensors and plain values.

    Args:
        path: a file of `torch.save`, of any suffix, or of safetensors.

    Returns:
        Mappings, lists, tensors, numbers and texts; every other object is an `Unread`.

    Raises:
        WeightsError: it cannot be read so.
    """
    try:
        if file_kind(path) == "safetensors":
            require_readable_size(path)
            return load_file(path, device="cpu")
        return _unpickled(path)
    except OSError as error:
        raise WeightsError(f"Could not read {path}: {error.strerror or error}.") from error
    except WeightsError:
        raise
    except Exception as error:  # whatever a damaged file makes the readers stumble over
        raise WeightsError(
            f"{path} cannot be read as tensors alone: {_reason(error)}. It was cut or damaged, or "
            "holds more than tensors, which is never run. Where it was trained, save the network's "
            "tensors: torch.save(network.state_dict(), FILE)."
        ) from error


def tensor_groups(found: object) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield every mapping of a file that holds a tensor, outermost first, with the keys to it.

    Args:
        found: what `read_checkpoint` returned.

    Yields:
        The keys with dots between them ("" for the file itself), and the mapping.
    """
    waiting: list[tuple[str, object, int]] = [("", found, 0)]
    for _ in range(_MAX_GROUPS):
        if not waiting:
            return
        keys, value, depth = waiting.pop(0)
        if not isinstance(value, dict):
            continue
        entries = {
            name: each
            for name, each in cast("dict[object, object]", value).items()
            if isinstance(name, str)
        }
        if any(isinstance(each, Tensor | Unread) for each in entries.values()):
            yield keys, entries
        if depth < _MAX_DEPTH:
            prefix = f"{keys}." if keys else ""
            waiting += [(f"{prefix}{name}", each, depth + 1) for name, each in entries.items()]


def _unpickled(path: Path) -> object:
    """Read with a stand-in for each external type that the restricted reader stops at.

    It names one at a time, and whether one is filled as a mapping or a list shows when it is.
    """
    stand_ins: dict[str, Any] = {}
    while True:
        try:
            # The filters and torch's list are the process's: one thread after another is let in.
            with own_warning_filters(), torch.serialization.safe_globals(_named(stand_ins)):
                warnings.simplefilter("ignore")
                return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            if len(stand_ins) >= _MAX_TYPES or not _added(stand_ins, str(error)):
                raise


def _added(stand_ins: dict[str, Any], said: str) -> bool:
    """Add or change the stand-in that the reader's error asks for; False: it asks for none."""
    if name := _UNSUPPORTED.search(said):
        return stand_ins.setdefault(name[1], made := _stand_in(name[1], Unread)) is made
    if filled := _FILLED.search(said):
        kind = OrderedDict if filled["how"].startswith("SETITEM") else list
        for name, stand_in in stand_ins.items():
            if stand_in.__name__ == filled["name"]:
                stand_ins[name] = _stand_in(name, kind)
                return True
    return False


def _stand_in(name: str, kind: type[Any]) -> type[Any]:
    """Return a type whose every object is an empty one of `kind`, whatever it is made with."""

    def make(cls: type[Any], *_: object, **__: object) -> Any:
        return kind() if kind is not Unread else object.__new__(cls)

    unique = f"Unread_{re.sub(r'[^A-Za-z0-9]', '_', name)}"
    return type(unique, (Unread,), {"__new__": make, "type_name": name})


def _named(stand_ins: dict[str, Any]) -> list[Any]:
    return [
        (stand_in, name if "." in name else f"builtins.{name}")
        for name, stand_in in stand_ins.items()
    ]


def _reason(error: Exception) -> str:
    """Say why in words of ours: torch's own advise to load the file unsafely."""
    said = str(error)
    if name := _UNSUPPORTED.search(said) or _BLOCKED.search(said):
        return f"it asks for the type or function {name[1]}"
    if "central directory" in said or "PytorchStreamReader" in said:
        return "the archive is incomplete"
    if "header" in said.lower():
        return "its header is no header of safetensors"
    return "its bytes are no pickle of tensors"
