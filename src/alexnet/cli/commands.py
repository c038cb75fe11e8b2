"""The table of verbs: the name, the help and the function that prints the record of each.

Nothing is imported here: a verb's module is when the verb is chosen, torch inside the verb.
"""

from __future__ import annotations

from dataclasses import dataclass
from keyword import iskeyword

__all__ = ["VERBS", "Verb"]

_PACKAGES = ("weights",)  # that have the name of a verb


@dataclass(frozen=True)
class Verb:
    """One verb: `alexnet NAME` calls the function NAME of `alexnet.commands.NAME`.

    Where it is a keyword of Python or the name of a package here, both end in an underscore.
    """

    name: str
    help: str  # the first sentence of the function's docstring
    render: str  # "module:function" that prints the verb's record on a console
    usage: str = ""  # its arguments, where the first may be left out and the last may not

    @property
    def python(self) -> str:
        """The name of its function and module."""
        return f"{self.name}_" if iskeyword(self.name) or self.name in _PACKAGES else self.name

    @property
    def function(self) -> str:
        """Its function as "module:function"."""
        return f"alexnet.commands.{self.python}:{self.python}"


_VERBS = (
    Verb(
        "train",
        "Train a classifier on a folder, an archive, a table or a pack of labeled images.",
        "alexnet.cli.console.training:render_train",
    ),
    Verb(
        "evaluate",
        "Measure weights on labeled images: top-1, top-5, loss, each class, the confusion matrix.",
        "alexnet.cli.console.evaluation:render_results",
    ),
    Verb(
        "predict",
        "Predict images: the most probable classes of each, in the order given.",
        "alexnet.cli.console.evaluation:render_predictions",
        usage="[WEIGHTS] IMAGES...",
    ),
    Verb(
        "features",
        "Write the output of a layer for each image, with its path, class and split.",
        "alexnet.cli.console.evaluation:render_features",
        usage="[WEIGHTS] SOURCE --out PATH",
    ),
    Verb(
        "finetune",
        "Go on from trained weights on the images and classes of another source.",
        "alexnet.cli.console.training:render_finetune",
        usage="[WEIGHTS] SOURCE",
    ),
    Verb(
        "compare",
        "Compare trainings on the same images: which is better, and whether it was chance.",
        "alexnet.cli.console.comparison:render_comparison",
        usage="RUN RUN...",
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
        "Decode and resize every image once, into a folder that trainings map into memory.",
        "alexnet.cli.console.data:render_pack",
    ),
    Verb(
        "check",
        "Find broken images, duplicates and missing classes in a source.",
        "alexnet.cli.console.data:render_check",
    ),
    Verb(
        "cache",
        "List the packs and graphs in the cache folder, or remove some.",
        "alexnet.cli.console.data:render_cache",
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
        "Write trained weights in a format that other programs run, and check it on images.",
        "alexnet.cli.console.models:render_export",
    ),
    Verb(
        "weights",
        "List published weights, or download some and make them ready for use by their name.",
        "alexnet.cli.console.weights:render_weights",
    ),
    Verb(
        "bench",
        "Measure how fast a model is here, how far from this machine's limits, and what to do.",
        "alexnet.cli.console.benchmarking:render_bench",
    ),
    Verb(
        "demo",
        "Train, evaluate and predict on handwritten digits, and draw the report.",
        "alexnet.cli.console.training:render_demo",
    ),
)

VERBS: dict[str, Verb] = {verb.name: verb for verb in _VERBS}
"""Every verb by its name, in the order in which help lists them."""
