"""Finding a known network among the tensors of a file, whatever was wrapped around its names.

DataParallel writes "module." before each name, and PyTorch's own ImageNet example inside of them
("features.module.0.weight"); torch.compile writes "_orig_mod.", and training programs the name of
the attribute that held the network ("model.", "net.", "backbone.").
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from alexnet.errors import WeightsError
from alexnet.importers.checkpoint import Unread, tensor_groups
from alexnet.text import format_count, quote_names

__all__ = ["FoundTensors", "find_tensors"]

_WRAPPERS = frozenset(("module", "_orig_mod"))
"""Parts of a name that wrappers of torch write anywhere in it."""

_MOST_NUMBERS = 1 << 28
"""Of one tensor: a few bytes may say a shape of any size. AlexNet's largest has 38 million."""

_AVERAGED = ("ema", "average", "swa", "teacher", "momentum_encoder", "target")
"""Words in the keys of a second copy of the weights; the trained one itself is taken first."""


@dataclass(frozen=True)
class FoundTensors:
    """The tensors of the network by the names that it gives them, and what was left.

    Attributes:
        tensors: by name.
        remarks: what was passed over, in sentences.
    """

    tensors: dict[str, Tensor]
    remarks: tuple[str, ...] = ()


@dataclass
class _Candidate:
    """A mapping of the file and a beginning of names, under which the network may stand."""

    keys: str
    prefix: str
    tensors: dict[str, object] = field(default_factory=dict[str, object])
    others: list[str] = field(default_factory=list[str])

    def surplus(self, wanted: Collection[str]) -> list[str]:
        """Return what is neither of the network nor a single number, as a count of steps is."""
        return [
            name
            for name, each in self.tensors.items()
            if name not in wanted and not (isinstance(each, Tensor) and each.ndim == 0)
        ]

    @property
    def place(self) -> str:
        """What a person calls it: the keys, and the beginning of the names."""
        return ".".join(part for part in (self.keys, self.prefix.rstrip(".")) if part)


def find_tensors(found: object, wanted: Collection[str], path: Path, what: str) -> FoundTensors:
    """Return the tensors that a network wants, out of all that a file holds.

    Args:
        found: what `read_checkpoint` returned.
        wanted: every name of the network's tensors.
        path: the file, for errors.
        what: the network, for errors.

    Raises:
        WeightsError: no tensors, tensors that are missing or too many, or no numbers.
    """
    candidates = [
        candidate
        for keys, entries in tensor_groups(found)
        for candidate in _candidates(keys, entries, wanted)
    ]
    if not any(isinstance(each, Tensor) for one in candidates for each in one.tensors.values()):
        _require_nothing_unread(found, path)
        raise WeightsError(f"{path} holds no state dict: names with tensors are expected.")
    complete = [each for each in candidates if each.tensors.keys() >= set(wanted)]
    ordered = sorted(complete, key=lambda each: any(word in each.place for word in _AVERAGED))
    best = ordered[0] if ordered else max(candidates, key=lambda each: _overlap(each, wanted))
    _require_exact(best, wanted, path, what)
    remarks: list[str] = []
    if len(ordered) > 1:
        others = quote_names(each.place or "the file itself" for each in ordered[1:])
        remarks.append(
            f'The network stands in the file more than once; "{best.place}" is taken, not {others}.'
        )
    if best.others and best.prefix:
        remarks.append(f"Beside the network stand {quote_names(best.others)}, which are not taken.")
    return FoundTensors({name: _tensor(best, name, path) for name in wanted}, tuple(remarks))


def _candidates(
    keys: str, entries: Mapping[str, object], wanted: Collection[str]
) -> list[_Candidate]:
    """Return every beginning of names under which a name of the network stands."""
    plain = {_without_wrappers(name): value for name, value in entries.items()}
    plain = {k: v for k, v in plain.items() if isinstance(v, Tensor | Unread)}
    prefixes = dict.fromkeys(
        name.removesuffix(end)
        for name in plain
        for end in wanted
        if name == end or name.endswith(f".{end}")
    )
    return [_candidate(keys, prefix, plain) for prefix in prefixes or ("",)]


def _candidate(keys: str, prefix: str, plain: Mapping[str, object]) -> _Candidate:
    found = _Candidate(keys, prefix)
    for name, value in plain.items():
        if name.startswith(prefix):
            found.tensors[name.removeprefix(prefix)] = value
        else:
            found.others.append(name)
    return found


def _without_wrappers(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _overlap(candidate: _Candidate, wanted: Collection[str]) -> int:
    return sum(name in candidate.tensors for name in wanted)


def _require_exact(best: _Candidate, wanted: Collection[str], path: Path, what: str) -> None:
    missing = [name for name in sorted(wanted) if name not in best.tensors]
    more = sorted(best.surplus(wanted))
    if missing or more:
        said = f"lacks {quote_names(missing)}" if missing else f"also holds {quote_names(more)}"
        if missing and more:
            said += f", and holds {quote_names(more)} instead"
        raise WeightsError(
            f"{path} is not a state dict of {what}: it {said}. Known by their "
            "tensors are torchvision's AlexNet, ResNet, VGG and SqueezeNet and timm's plain "
            "ResNets; other networks come in with Caffe's description of them."
        )


def _require_nothing_unread(found: object, path: Path) -> None:
    """Raise where the network itself was saved as an object, or what stands for its tensors."""
    inside = (each for _, entries in tensor_groups(found) for each in entries.values())
    for value in (found, *inside):
        if isinstance(value, Unread):
            raise WeightsError(
                f"{path} cannot be read as tensors alone: it holds an object of the type "
                f"{value.type_name}. It holds more than tensors, which is never run. Where it was "
                "trained, save the network's tensors: torch.save(network.state_dict(), FILE)."
            )


def _tensor(best: _Candidate, name: str, path: Path) -> Tensor:
    value = best.tensors[name]
    if isinstance(value, Unread):
        _require_nothing_unread(value, path)
    assert isinstance(value, Tensor)
    reason = _unusable(value)
    if reason is not None:
        raise WeightsError(f'The tensor "{name}" of {path} {reason}.')
    return value


def _unusable(value: Tensor) -> str | None:
    """Say why a tensor is no array of numbers that could be taken as it is; None: it is one."""
    if value.device.type == "meta":
        return "has a shape and no numbers. Save the network after its weights were loaded"
    if value.is_quantized:
        return f"holds {value.dtype}. Save the network as it was before it was quantized"
    if value.layout != torch.strided:
        return f"is stored as {value.layout}. Save it dense: tensor.to_dense()"
    if not value.is_floating_point():
        return f"holds {value.dtype}. Save the weights as floating point: tensor.float()"
    if value.numel() > _MOST_NUMBERS:
        return f"has {value.numel():,} numbers, which is no layer of {_MOST_NUMBERS:,} at most"
    if wrong := int((~value.float().isfinite()).sum()):
        return (
            f"holds {format_count(wrong, 'number')} that {'is' if wrong == 1 else 'are'} not "
            "finite, as after a training that diverged. Take an earlier checkpoint"
        )
    return None
