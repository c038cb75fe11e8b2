from .cuda_convnet.files import read_layer_files
from .cuda_convnet.rates import file_rates
from .cuda_convnet.wiring import (
    PICTURES,
    Grouped,
    Summed,
    Wired,
)
from .external import ForeignNetwork, is_foreign, needs_trust
from .graph.network import (
    GRAPH,
    INPUT,
    VERSION,
    GraphNetwork,
    add_layer,
    free_name,
)
from .graph.operations import Node, Shape
from .heads import (
    HEADS,
    Head,
    HeadedNetwork,
    bare,
    make_head,
)
from .inference import Exactness, for_inference
from .network import Network
from .summary import (
    geometry,
    model_list,
    network_geometry,
    usual_classes,
)
from .zoo.imagenet import TORCHVISION_NAMES
from .zoo.registry import MODELS, build_model, is_layer_file

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
