"""The verbs of the command line: what each says of itself, and who writes its answer.

Nothing is imported here: a verb's module is when the verb is chosen, torch inside the verb.
"""

from __future__ import annotations

from dataclasses import dataclass
from keyword import iskeyword

__all__ = ["VERBS", "Verb"]

_ROOMS = ("weights",)  # that have the name of a verb: `alexnet.weights` is the room


@dataclass(frozen=True)
class Verb:
    """One verb: `alexnet NAME` calls the function NAME of `alexnet.cli.NAME`.

    Where Python, or a room of this package, has the name, both get a stroke behind it.
    """

    name: str
    help: str  # the first sentence of the function's docstring
    show: str  # "module:function" that is called with the verb's record and a console

    @property
    def python(self) -> str:
        """What its function and module are called."""
        return f"{self.name}_" if iskeyword(self.name) or self.name in _ROOMS else self.name

    @property
    def function(self) -> str:
        """Where the function is: "module:function"."""
        return f"alexnet.cli.{self.python}:{self.python}"


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
        "alexnet.cli.show_features:render",
    ),
    Verb(
        "finetune",
        "Go on from trained weights on the pictures and classes of another source.",
        "alexnet.cli.show_finetune:render",
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
        "check",
        "Look at every picture of a source and say what is broken, twice there or missing.",
        "alexnet.cli.show_check:render",
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
        "import",
        "Make weights of a model that another program trained.",
        "alexnet.cli.show_import:render",
    ),
    Verb(
        "export",
        "Write trained weights in a form that other programs run, and check it on pictures.",
        "alexnet.cli.show_export:render",
    ),
    Verb(
        "weights",
        "List published weights that fit a network here, or download some.",
        "alexnet.cli.show_weights:render",
    ),
    Verb(
        "bench",
        "Measure how fast a model is here, how far from this machine's limits, and what to do.",
        "alexnet.cli.show_bench:render",
    ),
    Verb(
        "demo",
        "Train, evaluate and predict on handwritten digits, and draw the report.",
        "alexnet.cli.show_demo:render",
    ),
)

VERBS: dict[str, Verb] = {verb.name: verb for verb in _VERBS}
"""Every verb by its name, in the order in which help lists them."""
