"""The verbs of the command line: what each says of itself, and who writes its answer.

Nothing is imported here: a verb's module is when the verb is chosen, torch inside the verb.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["VERBS", "Verb"]


@dataclass(frozen=True)
class Verb:
    """One verb: `alexnet NAME` calls the function NAME of `alexnet.cli.NAME`."""

    name: str
    help: str  # the first sentence of the function's docstring
    show: str  # "module:function" that is called with the verb's record and a console

    @property
    def function(self) -> str:
        """Where the function is: "module:function"."""
        return f"alexnet.cli.{self.name}:{self.name}"


_VERBS = (
    Verb(
        "train",
        "Train a classifier on a folder, an archive, a table or a pack of labelled pictures.",
        "alexnet.cli.show_train:render",
    ),
    Verb(
        "evaluate",
        "Measure weights on labelled pictures: top-1, top-5, loss, each class, what is mixed up.",
        "alexnet.cli.show_results:render",
    ),
    Verb(
        "predict",
        "Say what is in pictures: the most probable classes of each, in the order given.",
        "alexnet.cli.show_results:render",
    ),
    Verb(
        "features",
        "Write what a layer says about each picture, with its path, class and split.",
        "alexnet.cli.show_results:render",
    ),
    Verb(
        "finetune",
        "Go on from trained weights on the pictures and classes of another source.",
        "alexnet.cli.show_train:render",
    ),
    Verb(
        "search",
        "Search for the fields of a recipe that give the lowest validation error.",
        "alexnet.cli.show_search:render",
    ),
    Verb(
        "tune",
        "Find a learning rate by the range test: it rises over one short pass.",
        "alexnet.cli.show_tune:render",
    ),
    Verb(
        "pack",
        "Decode and resize every picture once, into a folder that trainings map into memory.",
        "alexnet.cli.show_pack:render",
    ),
    Verb(
        "cache",
        "List the packs that trainings left in the cache folder, or remove some.",
        "alexnet.cli.show_pack:render",
    ),
    Verb(
        "describe",
        "Show a network layer by layer: windows, shapes, neurons, parameters, multiply-adds.",
        "alexnet.cli.show_describe:render",
    ),
    Verb(
        "demo",
        "Train, evaluate and predict on handwritten digits, and draw the report.",
        "alexnet.cli.show_demo:render",
    ),
)

VERBS: dict[str, Verb] = {verb.name: verb for verb in _VERBS}
"""Every verb by its name, in the order in which help lists them."""
