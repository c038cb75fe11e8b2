from .activation import (
    PROGRAM_ACTIVATIONS,
    ProgramActivation,
    activation_layer,
    program_activation_layer,
)
from .broadcast import (
    AxisResize,
    Broadcast,
    BroadcastOperation,
    ChannelBias,
    Permute,
    axis_weights,
)
from .contrast_norm import ContrastNorm
from .convolution import Convolution
from .dropout import Dropout
from .fully_connected import FullyConnected
from .initialization import gaussian, he, uniform
from .local import LocallyConnected
from .norm_and_pool import norm_and_pool
from .pointwise import (
    Absolute,
    Exponential,
    Logarithm,
    Power,
    ScaledSwish,
    StepFunction,
)
from .pooling import (
    AdaptiveAvgPool,
    AvgPool,
    CaffePool,
    CaffePoolKind,
    MaxPool,
    OffsetPool,
    OffsetPoolKind,
)
from .portable import PortableLocallyConnected, PortableResponseNorm, replace_with_portable
from .response_norm import (
    Region,
    ResponseNorm,
    describe_normalization,
    norm_backend,
)
from .shape import (
    ChannelScale,
    Concat,
    Eltwise,
    EltwiseOperation,
    Grayscale,
    Reshape,
    Slice,
)
from .windows import Window

__all__ = [
    "PROGRAM_ACTIVATIONS",
    "Absolute",
    "AdaptiveAvgPool",
    "AvgPool",
    "AxisResize",
    "Broadcast",
    "BroadcastOperation",
    "CaffePool",
    "CaffePoolKind",
    "ChannelBias",
    "ChannelScale",
    "Concat",
    "ContrastNorm",
    "Convolution",
    "Dropout",
    "Eltwise",
    "EltwiseOperation",
    "Exponential",
    "FullyConnected",
    "Grayscale",
    "LocallyConnected",
    "Logarithm",
    "MaxPool",
    "OffsetPool",
    "OffsetPoolKind",
    "Permute",
    "PortableLocallyConnected",
    "PortableResponseNorm",
    "Power",
    "ProgramActivation",
    "Region",
    "Reshape",
    "ResponseNorm",
    "ScaledSwish",
    "Slice",
    "StepFunction",
    "Window",
    "activation_layer",
    "axis_weights",
    "describe_normalization",
    "gaussian",
    "he",
    "norm_and_pool",
    "norm_backend",
    "program_activation_layer",
    "replace_with_portable",
    "uniform",
]
