from .convolution_forms import describe_convolutions
from .cuda_convnet.files import read_layer_files
from .cuda_convnet.hyperparameters import layer_file_hyperparameters
from .cuda_convnet.network import (
    IMAGES,
    GroupedLayers,
    LayerFileNetwork,
    SummedLayers,
)
from .evaluation_mode import evaluating
from .external import ExternalNetwork, is_external, needs_trust
from .graph.network import (
    GRAPH,
    INPUT,
    VERSION,
    GraphNetwork,
    add_layer,
    unused_name,
)
from .graph.new_classes import without_bent_scores
from .graph.operations import Node, Shape
from .headed_network import HeadedNetwork, backbone_of, default_features
from .heads import HEADS, Head, make_head
from .inference import FullyConnected, InferencePrecision, for_inference
from .network import Network
from .pooled_features import Block, PooledFeatures, default_blocks
from .sharding import (
    PARALLEL,
    Parallel,
    Sharding,
    shard,
    share_batch_norms,
    synchronize,
)
from .summary import (
    default_classes,
    model_list,
    summarize_model,
    summarize_network,
)
from .traffic import possible_ways, sent_bytes
from .zoo.imagenet import TORCHVISION_NAMES
from .zoo.registry import MODELS, build_model, is_layer_file

__all__ = [
    "GRAPH",
    "HEADS",
    "IMAGES",
    "INPUT",
    "MODELS",
    "PARALLEL",
    "TORCHVISION_NAMES",
    "VERSION",
    "Block",
    "ExternalNetwork",
    "FullyConnected",
    "GraphNetwork",
    "GroupedLayers",
    "Head",
    "HeadedNetwork",
    "InferencePrecision",
    "LayerFileNetwork",
    "Network",
    "Node",
    "Parallel",
    "PooledFeatures",
    "Shape",
    "Sharding",
    "SummedLayers",
    "add_layer",
    "backbone_of",
    "build_model",
    "default_blocks",
    "default_classes",
    "default_features",
    "describe_convolutions",
    "evaluating",
    "for_inference",
    "is_external",
    "is_layer_file",
    "layer_file_hyperparameters",
    "make_head",
    "model_list",
    "needs_trust",
    "possible_ways",
    "read_layer_files",
    "sent_bytes",
    "shard",
    "share_batch_norms",
    "summarize_model",
    "summarize_network",
    "synchronize",
    "unused_name",
    "without_bent_scores",
]
