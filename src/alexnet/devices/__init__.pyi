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
    peak_memory_mb,
    processor,
    share_cores,
    supports_bf16,
)

__all__ = [
    "Device",
    "Precision",
    "SideStream",
    "accelerator_name",
    "choose_device",
    "cores",
    "empty_pinned",
    "free_bytes",
    "is_forked",
    "peak_memory_mb",
    "processor",
    "record_event",
    "share_cores",
    "supports_bf16",
    "synchronize",
    "usable_threads",
    "wait_event",
]
