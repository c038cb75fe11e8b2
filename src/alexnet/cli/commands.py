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
    """One verb: `alexnet NAME` calls the function NAME of `alexnet.commands.NAME`.

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
        return f"alexnet.commands.{self.python}:{self.python}"


_VERBS = (
    Verb(
        "train",
        "Train a classifier on a folder, an archive, a table or a pack of labelled pictures.",
        "alexnet.cli.console.training:render_train",
    ),
    Verb(
        "evaluate",
        "Measure weights on labelled pictures: top-1, top-5, loss, each class, what is mixed up.",
        "alexnet.cli.console.predictions:render_results",
    ),
    Verb(
        "predict",
        "Say what is in pictures: the most probable classes of each, in the order given.",
        "alexnet.cli.console.predictions:render_results",
    ),
    Verb(
        "features",
        "Write what a layer says about each picture, with its path, class and split.",
        "alexnet.cli.console.predictions:render_features",
    ),
    Verb(
        "finetune",
        "Go on from trained weights on the pictures and classes of another source.",
        "alexnet.cli.console.training:render_finetune",
    ),
    Verb(
        "search",
        "Search for the fields of a recipe that give the lowest validation error.",
        "alexnet.cli.console.search:render_search",
    ),
    Verb(
        "tune",
        "Find a learning rate by the range test: it rises over one short pass.",
        "alexnet.cli.console.search:render_tune",
    ),
    Verb(
        "pack",
        "Decode and resize every picture once, into a folder that trainings map into memory.",
        "alexnet.cli.console.data:render_pack",
    ),
    Verb(
        "check",
        "Look at every picture of a source and say what is broken, twice there or missing.",
        "alexnet.cli.console.data:render_check",
    ),
    Verb(
        "cache",
        "List the packs that trainings left in the cache folder, or remove some.",
        "alexnet.cli.console.data:render_pack",
    ),
    Verb(
        "describe",
        "Show a network layer by layer: windows, shapes, neurons, parameters, multiply-adds.",
        "alexnet.cli.console.models:render_describe",
    ),
    Verb(
        "import",
        "Make weights of a model that another program trained.",
        "alexnet.cli.console.models:render_import",
    ),
    Verb(
        "export",
        "Write trained weights in a form that other programs run, and check it on pictures.",
        "alexnet.cli.console.models:render_export",
    ),
    Verb(
        "weights",
        "List published weights that fit a network here, or download some.",
        "alexnet.cli.console.models:render_weights",
    ),
    Verb(
        "bench",
        "Measure how fast a model is here, how far from this machine's limits, and what to do.",
        "alexnet.cli.console.models:render_bench",
    ),
    Verb(
        "demo",
        "Train, evaluate and predict on handwritten digits, and draw the report.",
        "alexnet.cli.console.training:render_demo",
    ),
)

VERBS: dict[str, Verb] = {verb.name: verb for verb in _VERBS}
"""Every verb by its name, in the order in which help lists them."""
