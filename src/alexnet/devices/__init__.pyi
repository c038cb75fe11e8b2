from .convolution_form import ConvolutionForm, convolution_form, convolving
from .cuda import (
    SideStream,
    accelerator_name,
    empty_pinned,
    free_bytes,
    record_event,
    synchronize,
    wait_event,
)
from .forking import is_forked, usable_threads
from .machine import (
    Device,
    Precision,
    choose_device,
    cores,
    default_threads,
    peak_memory_mb,
    processor,
    return_freed_memory,
    share_cores,
)
from .speeds import has_winograd, supports_bf16

__all__ = [
    "ConvolutionForm",
    "Device",
    "Precision",
    "SideStream",
    "accelerator_name",
    "choose_device",
    "convolution_form",
    "convolving",
    "cores",
    "default_threads",
    "empty_pinned",
    "free_bytes",
    "has_winograd",
    "is_forked",
    "peak_memory_mb",
    "processor",
    "record_event",
    "return_freed_memory",
    "share_cores",
    "supports_bf16",
    "synchronize",
    "usable_threads",
    "wait_event",
]
