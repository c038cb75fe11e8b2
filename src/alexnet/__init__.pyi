from .commands.bench import bench
from .commands.cache import cache
from .commands.check import check
from .commands.compare import compare
from .commands.demo import demo
from .commands.describe import describe
from .commands.evaluate import evaluate
from .commands.export import export
from .commands.features import features
from .commands.finetune import finetune
from .commands.import_ import import_
from .commands.pack import pack
from .commands.predict import predict
from .commands.search import search
from .commands.train import train
from .commands.tune import tune
from .commands.weights_ import weights_
from .data.packs.pack import open_pack
from .data.sources.source import open_source
from .errors import (
    AlexNetError,
    Diverged,
    Interrupted,
    RecipeError,
    RunError,
    SourceError,
    WeightsError,
)
from .evaluation.predictor import Predictor
from .images.preprocessing import Preprocessing
from .models.network import Network
from .models.zoo.registry import MODELS, build_model
from .recipe.recipe import Recipe
from .recipes import RECIPES, choose_recipe
from .records.evaluation import Predictions, Results
from .records.training import TrainReport
from .transfer.sklearn import AlexNetClassifier, AlexNetFeatures
from .trust import trusting
from .weights.file import load_weights, save_weights
from .weights.weights import Weights

__version__: str

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
    "Predictor",
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
    "compare",
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
