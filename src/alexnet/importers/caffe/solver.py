"""Solvers: descriptions of how to train, which hold the network or name its file."""

from __future__ import annotations

from pathlib import Path

from alexnet.errors import WeightsError
from alexnet.importers.caffe.message import Message
from alexnet.importers.caffe.prototxt import read_prototxt

__all__ = ["is_solver", "network_of_solver"]

_INSIDE = ("test_net_param", "net_param", "train_net_param")
_NAMED = ("test_net", "net", "train_net")
_HOW = ("base_lr", "max_iter", "lr_policy", "solver_mode", "snapshot_prefix", "test_iter")
_MOST_FOLDERS = 8


def is_solver(top: Message) -> bool:
    """Say whether a description is about training, not a network."""
    return any(top.has(name) for name in (*_INSIDE, *_NAMED, *_HOW))


def network_of_solver(top: Message, path: Path) -> tuple[Message, Path]:
    """Return the network that a solver tests, or else trains, and the file that it stands in.

    A name of a file is taken from the solver's folder and from those above it, since Caffe takes
    it from where it was started, and at last as a file beside the solver.

    Args:
        top: the solver.
        path: its file.

    Raises:
        WeightsError: it has none, or the file is not there.
    """
    for name in _INSIDE:
        if top.has(name):
            return top.messages(name)[0], path
    named = next((top.texts(name)[0] for name in _NAMED if top.texts(name)), None)
    if named is None:
        raise WeightsError(
            f"{path} describes how to train (a solver), and neither holds a network nor names the "
            "file of one. Give the .prototxt of the network."
        )
    for place in _places(named, path):
        if place.is_file() and place.resolve() != path.resolve():
            return read_prototxt(place), place
    raise WeightsError(
        f"{path} describes how to train (a solver), and the network that it names, {named}, is "
        "not there. Give that file in place of the solver."
    )


def _places(named: str, path: Path) -> list[Path]:
    folders = list(path.resolve().parents)[:_MOST_FOLDERS]
    if Path(named).is_absolute() or len(Path(named).parts) == 1:
        folders = []  # a bare name higher up would be somebody else's file
    relative = [folder / named for folder in folders]
    return [*relative, path.parent / Path(named.replace("\\", "/")).name]
