"""A folder of images in, a measured classifier out: the network of 2012, exact and fast."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alexnet.cli.bench import bench
    from alexnet.cli.cache import cache
    from alexnet.cli.check import check
    from alexnet.cli.demo import demo
    from alexnet.cli.describe import describe
    from alexnet.cli.evaluate import evaluate
    from alexnet.cli.export import export
    from alexnet.cli.features import features
    from alexnet.cli.finetune import finetune
    from alexnet.cli.import_ import import_
    from alexnet.cli.pack import pack
    from alexnet.cli.predict import predict
    from alexnet.cli.search import search
    from alexnet.cli.train import train
    from alexnet.cli.tune import tune
    from alexnet.cli.weights_ import weights_
    from alexnet.data import open_pack, open_source
    from alexnet.errors import (
        AlexNetError,
        Diverged,
        Interrupted,
        RecipeError,
        RunError,
        SourceError,
        WeightsError,
    )
    from alexnet.images import Preprocessing
    from alexnet.models import MODELS, Network, build_model
    from alexnet.recipe import Recipe
    from alexnet.recipes import RECIPES, choose_recipe
    from alexnet.records import Predictions, Results, TrainReport
    from alexnet.transfer.estimators import AlexNetClassifier, AlexNetFeatures
    from alexnet.trust import trusting
    from alexnet.weights import Weights, load_weights, save_weights

__version__ = "0.1.0"

__all__ = [
    "MODELS",
    "RECIPES",
    "AlexNetClassifier",
    "AlexNetError",
    "AlexNetFeatures",
    "Diverged",
    "Interrupted",
    "Network",
    "Predictions",
    "Preprocessing",
    "Recipe",
    "RecipeError",
    "Results",
    "RunError",
    "SourceError",
    "TrainReport",
    "Weights",
    "WeightsError",
    "bench",
    "build_model",
    "cache",
    "check",
    "choose_recipe",
    "demo",
    "describe",
    "evaluate",
    "export",
    "features",
    "finetune",
    "import_",
    "load_weights",
    "open_pack",
    "open_source",
    "pack",
    "predict",
    "save_weights",
    "search",
    "train",
    "trusting",
    "tune",
    "weights_",
]

_VERBS = (
    "train evaluate predict features finetune search tune pack check cache describe import_ "
    "export weights_ bench demo"
)
_NAMES = {
    **{f"alexnet.cli.{verb}": verb for verb in _VERBS.split()},
    "alexnet.data": "open_pack open_source",
    "alexnet.errors": (
        "AlexNetError Diverged Interrupted RecipeError RunError SourceError WeightsError"
    ),
    "alexnet.images": "Preprocessing",
    "alexnet.models": "MODELS Network build_model",
    "alexnet.recipe": "Recipe",
    "alexnet.recipes": "RECIPES choose_recipe",
    "alexnet.records": "Predictions Results TrainReport",
    "alexnet.transfer.estimators": "AlexNetClassifier AlexNetFeatures",
    "alexnet.trust": "trusting",
    "alexnet.weights": "Weights load_weights save_weights",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: `import alexnet` alone loads no torch."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULE_OF[name]), name)
    return value


class _Package(ModuleType):
    """This package, in which a verb stays a function where a room has the same name (`search`)."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _VERBS.split() and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
