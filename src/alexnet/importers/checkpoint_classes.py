"""Names of classes that training programs write beside the tensors of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

__all__ = ["classes_beside"]

_KEYS = (
    *("classes", "CLASSES", "class_names", "class_to_idx", "idx_to_class"),
    *("id2label", "label2id", "label_names", "labels"),
)
_AROUND = ("", "meta", "dataset_meta", "hyper_parameters", "args", "config")


def classes_beside(found: object, count: int) -> tuple[tuple[str, ...], str] | None:
    """Return the classes that a checkpoint names, in the order of the outputs.

    Args:
        found: what `read_checkpoint` returned.
        count: outputs of the network.

    Returns:
        The names and the key where they stand; None: none, or not one for each output.
    """
    for around in _AROUND:
        mapping = _get(found, around) if around else found
        for key in _KEYS:
            names = _names(_get(mapping, key))
            if len(names) == count and len(set(names)) == count:
                return names, f"{around}.{key}".lstrip(".")
    return None


def _get(found: object, key: str) -> object:
    return cast("Mapping[object, object]", found).get(key) if isinstance(found, dict) else None


def _names(value: object) -> tuple[str, ...]:
    """Read a list of names, or a mapping between names and 0, 1, 2, ... in either direction."""
    if isinstance(value, list | tuple):
        listed = cast("list[object] | tuple[object, ...]", value)
        return tuple(each for each in listed if isinstance(each, str) and each.strip())
    if not isinstance(value, dict):
        return ()
    pairs: dict[int, str] = {}
    for left, right in cast("Mapping[object, object]", value).items():
        name, number = (left, right) if isinstance(left, str) else (right, left)
        if not isinstance(name, str) or not isinstance(number, int):
            return ()
        pairs[number] = name
    return (
        tuple(pairs[i] for i in range(len(pairs))) if set(pairs) == set(range(len(pairs))) else ()
    )
