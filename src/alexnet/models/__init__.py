"""Named networks and their geometry: flat sequences of layers, readable stage by stage."""

from alexnet.models.catalogue import MODELS, build_model
from alexnet.models.geometry import geometry, model_list, network_geometry, usual_classes
from alexnet.models.graph import GRAPH, INPUT, VERSION, GraphNetwork, add_layer, free_name
from alexnet.models.graph_layers import Node, Shape
from alexnet.models.imagenet import TORCHVISION_NAMES
from alexnet.models.network import Network

__all__ = [
    "GRAPH",
    "INPUT",
    "MODELS",
    "TORCHVISION_NAMES",
    "VERSION",
    "GraphNetwork",
    "Network",
    "Node",
    "Shape",
    "add_layer",
    "build_model",
    "free_name",
    "geometry",
    "model_list",
    "network_geometry",
    "usual_classes",
]
