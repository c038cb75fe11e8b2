"""Named networks and their geometry: flat sequences of layers, readable stage by stage."""

from alexnet.models.catalogue import MODELS, build_model
from alexnet.models.geometry import geometry, model_list, usual_classes
from alexnet.models.imagenet import TORCHVISION_NAMES
from alexnet.models.inference import Exactness, for_inference
from alexnet.models.network import Network

__all__ = [
    "MODELS",
    "TORCHVISION_NAMES",
    "Exactness",
    "Network",
    "build_model",
    "for_inference",
    "geometry",
    "model_list",
    "usual_classes",
]
