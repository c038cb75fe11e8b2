from .cuda import (
    Lane,
    accelerator_name,
    finish,
    free_bytes,
    mark,
    pinned,
    reach,
)
from .machine import (
    Device,
    Precision,
    choose_device,
    cores,
    multiplies_bf16,
    peak_memory_mb,
    processor,
    share_cores,
)

__all__ = [
    "Device",
    "Lane",
    "Precision",
    "accelerator_name",
    "choose_device",
    "cores",
    "finish",
    "free_bytes",
    "mark",
    "multiplies_bf16",
    "peak_memory_mb",
    "pinned",
    "processor",
    "reach",
    "share_cores",
]
