from .activation import (
    PROGRAM_ACTIVATIONS,
    ProgramActivation,
    activation_layer,
    program_activation_layer,
)
from .contrast_norm import ContrastNorm
from .convolution import Convolution, FullyConnected
from .dropout import Dropout
from .initialization import gaussian, he, uniform
from .local import LocallyConnected
from .norm_and_pool import norm_and_pool
from .pooling import (
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
    "AvgPool",
    "CaffePool",
    "CaffePoolKind",
    "ChannelScale",
    "Concat",
    "ContrastNorm",
    "Convolution",
    "Dropout",
    "Eltwise",
    "EltwiseOperation",
    "FullyConnected",
    "Grayscale",
    "LocallyConnected",
    "MaxPool",
    "OffsetPool",
    "OffsetPoolKind",
    "PortableLocallyConnected",
    "PortableResponseNorm",
    "ProgramActivation",
    "Region",
    "Reshape",
    "ResponseNorm",
    "Slice",
    "Window",
    "activation_layer",
    "describe_normalization",
    "gaussian",
    "he",
    "norm_and_pool",
    "norm_backend",
    "program_activation_layer",
    "replace_with_portable",
    "uniform",
]
