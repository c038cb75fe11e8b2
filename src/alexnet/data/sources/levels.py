"""On which level of some folders the splits lie, and on which the classes.

Names alone do not tell: `test` may be a class, and `training_set` a split. The structure does:
folders that are splits hold folders of the same names, folders that are classes do not.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alexnet.data.sources.names import (
    SPLITS,
    alike_key,
    decorated_split_code,
    is_generic,
    is_image_folder,
    split_code,
    words_without_split,
)
from alexnet.errors import SourceError
from alexnet.text import quote_names

__all__ = ["Levels", "find_levels", "require_class_depth"]

_log = logging.getLogger(__name__)

_VAL, _TEST = SPLITS.index("val"), SPLITS.index("test")
_EVALUATION = ("eval", "evaluation")  # is the test set where there is another val

_MAX_CLASS_DEPTH = 20

_DATE = re.compile(
    r"(19|20)[0-9]{2}([-_. ]?[0-9]{1,2}){0,2}|[0-9]{1,2}[-_.][0-9]{1,2}[-_.][0-9]{4}"
)


@dataclass
class _Folder:
    """A folder with images in it or below it."""

    has_files: bool = False  # images that lie in no deeper folder
    inner: dict[str, _Folder] = field(default_factory=dict[str, "_Folder"])


@dataclass(frozen=True)
class Levels:
    """Which folders hold classes, and which split the images in them belong to."""

    base: str  # the folder that holds the splits or the classes, below any wrappers
    roots: Mapping[str, int]  # folders whose folders are the classes, with their splits' codes
    inner_splits: Mapping[str, int] = field(default_factory=dict[str, int])
    """Codes of the folders in each class folder, where those are the splits."""
    copy: str | None = None  # a folder that holds the class folders beside it once more

    def class_and_split(self, folder: str) -> tuple[str, int] | None:
        """Return class and split of the files in a folder; None: it lies in no class folder."""
        parts = _parts(folder)
        if self.copy is not None and f"{folder}/".startswith(f"{self.copy}/"):
            return None
        for depth, name in enumerate(parts):
            code = self.roots.get("/".join(parts[:depth]))
            if code is not None and self.inner_splits:
                inner = parts[depth + 1] if depth + 1 < len(parts) else ""
                return (name, self.inner_splits[inner]) if inner in self.inner_splits else None
            if code is not None:
                return name, code
        return None


def require_class_depth(class_depth: int | None) -> None:
    """Raise SourceError for a depth at which no class folder can lie."""
    if class_depth is not None and not 1 <= class_depth <= _MAX_CLASS_DEPTH:
        raise SourceError(
            f"class_depth must be between 1 (the top folders are the classes) and "
            f"{_MAX_CLASS_DEPTH}; got {class_depth}."
        )


def find_levels(where: Path, folders: Iterable[str], class_depth: int | None = None) -> Levels:
    """Tell splits from classes.

    Args:
        where: the source, for what is said of it.
        folders: those that hold images; "" is the top.
        class_depth: on which level the class folders lie, 1 for the top folders; None: as names
            and structure say.

    Raises:
        SourceError: a folder may be a split or a class; both readings are named.
    """
    tree = _tree(folders)
    base, top = _unwrap(where, tree)
    if class_depth is not None:
        return Levels(base, _roots_at(base, top, class_depth - 1))
    copy = _leave_out_copy(where, top)
    splits = _find_splits(where, top)
    if splits is None and (codes := _splits_in_classes(top)):
        _say_splits(where, codes, "in each class folder ")
        return Levels(base, {base: 0}, codes)
    roots = {base: 0} if splits is None else _split_roots(base, top, splits)
    for root in roots:
        depth = len(_parts(root)) - len(_parts(base))
        _require_classes(where, _below(tree, root), depth)
    return Levels(base, roots, copy=None if copy is None else _join(base, copy))


def _leave_out_copy(where: Path, top: _Folder) -> str | None:
    """Take away a folder that holds all folders beside it once more, as some archives do."""
    for name, child in top.inner.items():
        others = {*top.inner} - {name}
        is_copy = len(others) > 1 and others == {*child.inner} and not child.has_files
        if is_copy and _code(name) is None:
            _log.warning(
                "%s: %s left out: it holds the folders beside it once more.",
                where,
                quote_names([name]),
            )
            del top.inner[name]
            return name
    return None


def _parts(folder: str) -> list[str]:
    """Return the names that a folder's path consists of; none for the top."""
    return folder.split("/") if folder else []


def _tree(folders: Iterable[str]) -> _Folder:
    top = _Folder()
    for path in folders:
        folder = top
        for name in _parts(path):
            folder = folder.inner.setdefault(name, _Folder())
        folder.has_files = True
    return top


def _below(folder: _Folder, path: str) -> _Folder:
    for name in _parts(path):
        folder = folder.inner[name]
    return folder


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _unwrap(where: Path, folder: _Folder) -> tuple[str, _Folder]:
    """Go down where one folder holds everything; return its path and the folder."""
    base = ""
    while name := _wrapper(folder):
        others = [other for other in folder.inner if other != name]
        if others:
            _log.warning(
                "%s: %s left out: the class folders lie in %s.",
                where,
                quote_names(others),
                quote_names([name]),
            )
        base, folder = _join(base, name), folder.inner[name]
    return base, folder


def _wrapper(folder: _Folder) -> str | None:
    """Return the folder that holds all classes: the only one, or the only one with folders in it.

    Of several it can be one only where their names say nothing (images, thumbnails of `set`).
    """
    if any(split_code(name) is not None for name in folder.inner):
        return None
    names = [
        name
        for name, child in folder.inner.items()
        if len(child.inner) > (1 if child.has_files else 0)
    ]
    if len(names) != 1:
        return None
    if len(folder.inner) == 1:
        return names[0]
    plain = all(is_generic(name) and decorated_split_code(name) is None for name in folder.inner)
    holds = len(folder.inner[names[0]].inner) > 1 and not folder.inner[names[0]].has_files
    return names[0] if plain and holds else None


def _roots_at(base: str, top: _Folder, depth: int) -> dict[str, int]:
    """Return the folders at a depth below the base, with the splits that their paths name."""
    level = {base: (top, 0)}
    for _ in range(depth):
        level = {
            _join(path, name): (inner, code or _code(name) or 0)
            for path, (folder, code) in level.items()
            for name, inner in folder.inner.items()
        }
    return {path: code for path, (_, code) in level.items()}


def _code(name: str) -> int | None:
    code = split_code(name)
    return decorated_split_code(name) if code is None else code


def _class_root(name: str, folder: _Folder) -> tuple[str, _Folder]:
    """Go down in a split where it holds itself again, or a folder of images: train/images/ant."""
    path = name
    while len(folder.inner) == 1 and not folder.has_files:
        inner, child = next(iter(folder.inner.items()))
        again = alike_key(inner) == alike_key(path.rpartition("/")[2])
        leaf = child.has_files and not child.inner and (again or is_image_folder(inner))
        if not leaf and (not child.inner or child.has_files or not (again or is_generic(inner))):
            break
        path, folder = _join(path, inner), child
    return path, folder


def _split_roots(base: str, top: _Folder, splits: Mapping[str, int]) -> dict[str, int]:
    return {
        _join(base, _class_root(name, top.inner[name])[0]): code for name, code in splits.items()
    }


def _find_splits(where: Path, top: _Folder) -> dict[str, int] | None:
    """Return the folders that are splits, with their codes; None: all folders are classes."""
    exact = {name: code for name in top.inner if (code := split_code(name)) is not None}
    decorated = _decorated_splits(where, top, exact)
    codes = {name: code for name in top.inner if (code := {**exact, **decorated}.get(name))}
    others = [name for name in top.inner if name not in codes]
    with_folders = [name for name in codes if top.inner[name].inner]
    if codes and others and not with_folders:
        _log.warning(
            "%s: %s is taken for a class, for it lies beside %s and holds no class folders.",
            where,
            quote_names(codes),
            quote_names(others),
        )
        return None
    if others and len({codes[name] for name in with_folders}) == 1:
        raise SourceError(
            f"{where} has {quote_names(with_folders)} beside {quote_names(others)}, and "
            "nobody can tell whether that is a split or a class. Splits are called "
            f"{', '.join(SPLITS[1:])}: rename the folders, or move away what does not belong there."
        )
    if decorated:
        _say_splits(where, {name: codes[name] for name in codes if name in decorated}, "")
    if codes and others:
        _log.warning("%s: %s left out: splits have other names.", where, quote_names(others))
    return codes or None


def _decorated_splits(where: Path, top: _Folder, exact: Mapping[str, int]) -> dict[str, int]:
    """Return the folders whose names hold a word of a split and whose content agrees."""
    named = {
        name: code
        for name in top.inner
        if name not in exact and (code := decorated_split_code(name)) is not None
    }
    inner = {name: _class_keys(name, folder) for name, folder in top.inner.items()}
    codes = {**exact, **named}
    if len(codes) == len(top.inner) and not any(inner.values()) and named:
        _require_one_reading(where, codes, exact)
        return _with_evaluation(named, codes) if all(map(is_generic, named)) else {}
    holders = [name for name in codes if inner[name]]
    shared = {
        name: code
        for name, code in named.items()
        if any(inner[name] & inner[other] for other in inner if other != name)
        or inner[name] & {alike_key(other) for other in top.inner if other != name}
        or (is_generic(name) and len({*codes.values()}) > 1 and holders)
        or (holders and _has_partner(name, codes))
    }
    return _with_evaluation(shared, {**exact, **shared})


def _has_partner(name: str, codes: Mapping[str, int]) -> bool:
    """Whether a folder of another split has the same other words: pets_train, pets_test."""
    rest = words_without_split(name)
    return any(
        code != codes[name] and words_without_split(other) == rest for other, code in codes.items()
    )


def _with_evaluation(named: Mapping[str, int], codes: Mapping[str, int]) -> dict[str, int]:
    """Take a folder called eval for the test set where there is a val and no test beside it."""
    is_eval = {name for name in named if any(word in name.casefold() for word in _EVALUATION)}
    rest = {code for name, code in codes.items() if name not in is_eval}
    if _VAL in rest and _TEST not in rest:
        return {name: _TEST if name in is_eval else code for name, code in named.items()}
    return dict(named)


def _require_one_reading(where: Path, codes: Mapping[str, int], exact: Mapping[str, int]) -> None:
    """Raise SourceError for splits and classes in one name: train_cat, test_cat, trainA."""
    mixed = [name for name in codes if name not in exact and not is_generic(name)]
    if mixed and len(set(codes.values())) > 1:
        raise SourceError(
            f"{where} has {quote_names(codes)}, each with images and no folders in it. If the "
            "names hold split and class, make a folder for each split with the classes in it "
            "(train/cat, test/cat). If each of them is a class: --class-depth 1."
        )


def _class_keys(name: str, folder: _Folder) -> set[str]:
    return {alike_key(inner) for inner in _class_root(name, folder)[1].inner}


def _say_splits(where: Path, codes: Mapping[str, int], place: str) -> None:
    read = [f'"{name}" as {SPLITS[code]}' for name, code in codes.items()]
    _log.info("%s: %sread %s.", where, place, ", ".join(read))


def _splits_in_classes(top: _Folder) -> dict[str, int]:
    """Return the folders in each class that are splits: ant/train, ant/test; or none."""
    names = {name for folder in top.inner.values() for name in folder.inner}
    codes = {name: code for name in names if (code := _code(name)) and is_generic(name)}
    complete = len(codes) == len(names) and len(set(codes.values())) > 1
    every = all(folder.inner and not folder.has_files for folder in top.inner.values())
    return dict(sorted(codes.items(), key=lambda item: item[1])) if complete and every else {}


def _require_classes(where: Path, holder: _Folder, depth: int) -> None:
    """Raise SourceError where the folders that would be classes all hold the same folders.

    Then they may be years, subjects or folds, and the classes those below.

    Args:
        where: the source.
        holder: the folder that holds those folders.
        depth: of the holder, below the base.
    """
    tops = {name: _class_root_of_any(folder) for name, folder in holder.inner.items()}
    inner = {name: [*folder.inner] for name, (_, folder) in tops.items()}
    counts = Counter(alike_key(each) for names in inner.values() for each in {*names})
    if len(tops) < 2:
        return
    if any(folder.has_files for _, folder in tops.values()):
        _warn_of_uneven_depth(where, holder, depth)
        return
    below = list(dict.fromkeys(each for names in inner.values() for each in names))
    if not all(_mostly_shared(names, counts) for names in inner.values()):
        if all(len(names) > 1 for names in inner.values()):
            text = "%s: %s are taken for the classes. If their folders (%s) are: --class-depth %d."
            _log.info(text, where, quote_names(tops), quote_names(below), depth + 2)
        return
    if all(map(_DATE.fullmatch, below)) and not all(map(_DATE.fullmatch, tops)):
        return
    deeper = depth + 2 + next(iter(tops.values()))[0]
    raise SourceError(
        f"{where}: the folders {quote_names(tops)} hold folders of the same names "
        f"({quote_names(below)}), so either may be the classes. If the classes are "
        f"{quote_names(below)}, wherever they lie: --class-depth {deeper}, or rename "
        f"{quote_names(tops)} to {', '.join(SPLITS[1:])} where they are splits. If the classes are "
        f"{quote_names(tops)}: --class-depth {depth + 1}."
    )


def _warn_of_uneven_depth(where: Path, holder: _Folder, depth: int) -> None:
    """Warn where one folder holds class folders, it seems, and the others hold images."""
    plain = [name for name, child in holder.inner.items() if child.has_files]
    deep = [
        name
        for name, child in holder.inner.items()
        if not child.has_files and len(child.inner) > 1 and is_generic(name)
    ]
    if deep and plain:
        _log.warning(
            "%s: %s is taken for one class, with all that its folders (%s) hold, for it lies "
            "beside %s. If those are the classes: --class-depth %d, or name %s as the source.",
            where,
            quote_names(deep),
            quote_names(holder.inner[deep[0]].inner),
            quote_names(plain),
            depth + 2,
            quote_names(deep[:1]),
        )


def _mostly_shared(names: Sequence[str], counts: Mapping[str, int]) -> bool:
    """Whether at least two and at least half of some folders are also in another place."""
    shared = sum(counts[alike_key(name)] > 1 for name in names)
    return shared >= 2 and 2 * shared >= len(names)


def _class_root_of_any(folder: _Folder) -> tuple[int, _Folder]:
    """Go down where a folder holds one folder alone; return how far, and where that ends."""
    depth = 0
    while len(folder.inner) == 1 and not folder.has_files:
        child = next(iter(folder.inner.values()))
        if not child.inner:
            break
        depth, folder = depth + 1, child
    return depth, folder
