"""The cache of graphs: networks as ONNX Runtime runs them, for a few images without torch.

    graphs/<weights>/<output>.json      what it was made of, and the checksums of all that it needs
    graphs/<weights>/<output>.onnx      the graph, without tensors
    graphs/<weights>/<output>.tensors   tensors that do not lie in the weights file as they are

<weights> is a digest of the header of the weights file, which holds the digest of its tensors. A
graph is used only for a file that was read in full once and has not changed since; whatever else is
the case, there is no graph, and the network is loaded as it always was.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import alexnet
from alexnet.errors import AlexNetError, SourceError
from alexnet.files import cache_folder, disk_errors, replace_file, write_json
from alexnet.records import CachedGraph
from alexnet.weights.mapped import FileIdentity, MappedWeights, checksum, map_file

__all__ = [
    "MAX_BYTES",
    "PROBABILITIES",
    "GraphEntry",
    "TensorPlace",
    "cached_graphs",
    "clear_graphs",
    "entry_path",
    "find_entry",
    "graphs_folder",
    "read_entry",
    "remember_file",
    "write_entry",
]

PROBABILITIES = "probabilities"
"""The output of a graph that predicts."""

MAX_BYTES = 1 << 30
"""Of all cached graphs; those that were used last are kept."""

_FORMAT = 1
_MOST_FILES = 16  # copies of one weights file that are remembered
_MOST_ENTRY_BYTES = 4 << 20


@dataclass(frozen=True)
class TensorPlace:
    """Where a float32 tensor of a graph lies."""

    name: str
    in_weights: bool  # in the weights file; else beside the graph
    offset: int  # bytes
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class GraphEntry:
    """What is known of a cached graph."""

    weights: str  # path of the weights file it was made of, for people
    model: str
    output: str  # "probabilities", or the name of a layer
    reason: str | None = None  # why there is no graph; None: there is one
    runtime: str = ""  # version of ONNX Runtime that checked it
    files: tuple[FileIdentity, ...] = ()  # that were read in full and hold these weights
    weights_checksum: str = ""
    graph_digest: str = ""
    tensors_checksum: str = ""  # "": there is no file of tensors
    tensors: tuple[TensorPlace, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"format": _FORMAT, "alexnet": alexnet.__version__, **asdict(self)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> GraphEntry:
        """Read what `to_json` gave.

        Raises:
            ValueError, TypeError, KeyError: it is of another version, or damaged.
        """
        if (values.pop("format"), values.pop("alexnet")) != (_FORMAT, alexnet.__version__):
            raise ValueError("it is of another version")
        values["files"] = tuple(FileIdentity(**each) for each in values["files"])
        values["tensors"] = tuple(
            TensorPlace(each["name"], each["in_weights"], each["offset"], tuple(each["shape"]))
            for each in values["tensors"]
        )
        return cls(**values)


def graphs_folder() -> Path:
    """Return the folder that holds one folder for each weights file."""
    return cache_folder() / "graphs"


def entry_path(weights: MappedWeights, output: str) -> Path:
    """Return where the entry of a graph lies, or would.

    Args:
        weights: what it is of.
        output: "probabilities"; or "features", or "features:LAYER".
    """
    name = hashlib.blake2b(output.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return graphs_folder() / weights.header_digest[:16] / f"{output.partition(':')[0]}-{name}.json"


def read_entry(path: Path) -> GraphEntry | None:
    """Read an entry; None: there is none that can be used here.

    What another user wrote is not used: whoever writes graphs decides what is predicted.
    """
    try:
        if hasattr(os, "getuid") and path.parent.stat().st_uid != os.getuid():
            return None
        if path.stat().st_size > _MOST_ENTRY_BYTES:
            return None
        return GraphEntry.from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def find_entry(weights: MappedWeights, output: str) -> GraphEntry | None:
    """Return the entry of a graph for weights that have not changed since they were read in full.

    An entry without a graph says for which reason none can be made.
    """
    path = entry_path(weights, output)
    entry = read_entry(path)
    if entry is None or (entry.reason is None and weights.identity not in entry.files):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # its time says when the graph was used last
    return entry


def remember_file(weights: MappedWeights, output: str, runtime: str) -> bool:
    """Note that another file holds the weights of a graph; return whether there was one for it.

    Args:
        weights: just read in full, its tensors held against their digest, and unchanged since.
        output: as for `entry_path`.
        runtime: version of ONNX Runtime; a graph that another one checked does not count.
    """
    path = entry_path(weights, output)
    entry = read_entry(path)
    if entry is None or entry.runtime != runtime:
        return False
    if entry.reason is not None:
        return True
    if not _is_whole(path, entry) or entry.weights_checksum != checksum(weights.data):
        return False
    known = [each for each in entry.files if each != weights.identity][-_MOST_FILES + 1 :]
    files = (*known, weights.identity)
    write_json(path, replace(entry, files=files, weights=str(weights.path.absolute())).to_json())
    return True


def write_entry(path: Path, entry: GraphEntry, graph: bytes, tensors: Sequence[Any]) -> None:
    """Keep a graph, and remove those that were used longest ago where there are too many.

    Args:
        path: of the entry.
        entry: what is known of it; digest and checksums are filled in.
        graph: the ONNX file without its tensors.
        tensors: the arrays that lie beside it, one behind the other.

    Raises:
        RunError: the disk refuses.
    """
    if entry.reason is None:
        beside = path.with_suffix(".tensors")
        if tensors:
            replace_file(beside, lambda file: [file.write(each.data) for each in tensors])
            entry = replace(entry, tensors_checksum=checksum(map_file(beside)))
        replace_file(path.with_suffix(".onnx"), lambda file: file.write(graph))
        entry = replace(entry, graph_digest=graph_digest(graph))
    write_json(path, entry.to_json())
    _remove_oldest()


def graph_digest(graph: bytes) -> str:
    """Return 32 hex digits that change with any bit of a graph."""
    return hashlib.blake2b(graph, digest_size=16).hexdigest()


def cached_graphs() -> list[CachedGraph]:
    """Return what the cache holds, last used first: one for each weights file."""
    root = graphs_folder()
    folders = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    graphs = [_describe(folder) for folder in folders]
    return sorted(graphs, key=lambda graph: graph.last_used, reverse=True)


def clear_graphs(name: str) -> list[CachedGraph]:
    """Remove the graphs of one weights file, or all; return what was removed.

    Args:
        name: as `cached_graphs` names it, or "all".

    Raises:
        SourceError: the disk refuses.
    """
    removed = [graph for graph in cached_graphs() if name in (graph.name, "all")]
    for graph in removed:
        folder = Path(graph.folder)
        with disk_errors(folder, SourceError):
            shutil.rmtree(folder)
    return removed


def _is_whole(path: Path, entry: GraphEntry) -> bool:
    try:
        if graph_digest(path.with_suffix(".onnx").read_bytes()) != entry.graph_digest:
            return False
        beside = path.with_suffix(".tensors")
        return not entry.tensors_checksum or checksum(map_file(beside)) == entry.tensors_checksum
    except (OSError, ValueError):  # an empty file cannot be mapped
        return False


def _describe(folder: Path) -> CachedGraph:
    entries = [entry for path in _entries(folder) if (entry := read_entry(path)) is not None]
    used = [_modified(path) for path in _entries(folder)]
    return CachedGraph(
        name=folder.name,
        folder=str(folder),
        weights=entries[0].weights if entries else None,
        outputs=sorted({entry.output for entry in entries if entry.reason is None}),
        bytes=sum(_size(path) for path in folder.iterdir()),
        last_used=max(used, default=0.0),
    )


def _entries(folder: Path) -> Iterator[Path]:
    return folder.glob("*.json")


def _modified(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def _remove_oldest() -> None:
    """Remove the graphs of the weights that were used longest ago until the rest is small enough.

    A process that has one of them mapped goes on with it.
    """
    kept = 0
    for number, graph in enumerate(cached_graphs()):
        kept += graph.bytes
        if number and kept > MAX_BYTES:
            with contextlib.suppress(AlexNetError):
                clear_graphs(graph.name)
