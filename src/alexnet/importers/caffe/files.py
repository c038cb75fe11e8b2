"""The files of a request by what they are, told by what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alexnet.errors import WeightsError
from alexnet.importers.caffe.prototxt import read_prototxt
from alexnet.importers.caffe.solver import is_solver
from alexnet.importers.file_kinds import FileKind, file_kind
from alexnet.importers.request import ImportRequest
from alexnet.text import quote_names

__all__ = ["CaffeFiles", "sort_files"]

_ROLES: dict[FileKind, str] = {
    "prototxt": "description",
    "caffemodel": "trained",
    "hdf5": "trained",
    "compressed": "trained",
    "binaryproto": "mean",
    "npy": "mean",
}


@dataclass(frozen=True)
class CaffeFiles:
    """The description, the trained arrays, and the mean where one is among the files."""

    description: Path
    trained: Path
    mean: Path | None


def sort_files(request: ImportRequest) -> CaffeFiles:
    """Tell the files of a request apart.

    A solver beside the network's description is left out.

    Raises:
        WeightsError: a file of no known kind, or more or less than one of a kind.
    """
    by_role: dict[str, list[Path]] = {"description": [], "trained": [], "mean": []}
    for path in request.files:
        role = _ROLES.get(file_kind(path))
        if role is None:
            raise WeightsError(
                f"{path} is no file of Caffe's. A network is a .prototxt and a .caffemodel (or "
                ".caffemodel.h5); its mean is a .binaryproto or a .npy, and its classes stand in a "
                "text: --classes."
            )
        by_role[role].append(path)
    by_role["description"] = _without_solvers(by_role["description"])
    for role, what, suffix in (
        ("description", "description", ".prototxt"),
        ("trained", "file of weights", ".caffemodel"),
    ):
        if len(by_role[role]) != 1:
            given = len(by_role[role])
            raise WeightsError(
                f"A network of Caffe's has one {what}, such as {suffix}; {given or 'none'} "
                f"{'were' if given else 'was'} given{_listed(by_role[role])}. Name it beside the "
                "other file."
            )
    if len(by_role["mean"]) + (request.mean is not None) > 1:
        raise WeightsError("More than one mean is given; a network has one.")
    mean = next(iter(by_role["mean"]), None)
    return CaffeFiles(by_role["description"][0], by_role["trained"][0], mean)


def _without_solvers(paths: list[Path]) -> list[Path]:
    if len(paths) < 2:
        return paths
    return [path for path in paths if not is_solver(read_prototxt(path))] or paths


def _listed(paths: list[Path]) -> str:
    return f" ({quote_names(map(str, paths))})" if paths else ""
