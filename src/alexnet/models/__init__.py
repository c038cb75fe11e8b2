"""Named networks and their geometry: flat sequences of layers, readable stage by stage."""

from alexnet.models.catalogue import MODELS, build_model, is_layer_file
from alexnet.models.cuda_convnet import file_rates, read_layer_files
from alexnet.models.foreign import ForeignNetwork, is_foreign, needs_trust
from alexnet.models.geometry import geometry, model_list, network_geometry, usual_classes
from alexnet.models.graph import GRAPH, INPUT, VERSION, GraphNetwork, add_layer, free_name
from alexnet.models.graph_layers import Node, Shape
from alexnet.models.headed import HeadedNetwork, bare
from alexnet.models.heads import HEADS, Head, make_head
from alexnet.models.imagenet import TORCHVISION_NAMES
from alexnet.models.inference import Exactness, for_inference
from alexnet.models.network import Network
from alexnet.models.wiring import PICTURES, Grouped, Summed, Wired

__all__ = [
    "GRAPH",
    "HEADS",
    "INPUT",
    "MODELS",
    "PICTURES",
    "TORCHVISION_NAMES",
    "VERSION",
    "Exactness",
    "ForeignNetwork",
    "GraphNetwork",
    "Grouped",
    "Head",
    "HeadedNetwork",
    "Network",
    "Node",
    "Shape",
    "Summed",
    "Wired",
    "add_layer",
    "bare",
    "build_model",
    "file_rates",
    "for_inference",
    "free_name",
    "geometry",
    "is_foreign",
    "is_layer_file",
    "make_head",
    "model_list",
    "needs_trust",
    "network_geometry",
    "read_layer_files",
    "usual_classes",
]
