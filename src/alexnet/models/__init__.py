"""Named networks and their geometry: flat sequences of layers, readable stage by stage."""

from alexnet.models.catalogue import MODELS, build_model, is_layer_file
from alexnet.models.cuda_convnet import file_rates, read_layer_files
from alexnet.models.foreign import ForeignNetwork, is_foreign, needs_trust
from alexnet.models.geometry import geometry, model_list, usual_classes
from alexnet.models.imagenet import TORCHVISION_NAMES
from alexnet.models.network import Network
from alexnet.models.wiring import Wired

__all__ = [
    "MODELS",
    "TORCHVISION_NAMES",
    "ForeignNetwork",
    "Network",
    "Wired",
    "build_model",
    "file_rates",
    "geometry",
    "is_foreign",
    "is_layer_file",
    "model_list",
    "needs_trust",
    "read_layer_files",
    "usual_classes",
]
