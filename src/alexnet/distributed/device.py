"""The device of several processes: its arithmetic is the same in all of them."""

from __future__ import annotations

from dataclasses import replace

from alexnet.devices import Device, Precision, choose_device
from alexnet.distributed.world import world

__all__ = ["device_of_all"]


def device_of_all(
    precision: Precision, threads: int | None = None, *, exact_convolutions: bool = False
) -> Device:
    """Return the device that `choose_device` gives, with process 0's arithmetic in every process.

    Processes that measured side by side would disturb each other, and might choose differently.
    """
    group = world()
    own = (
        choose_device(precision, threads, exact_convolutions=exact_convolutions)
        if group.first
        else None
    )
    told = group.from_first(own.to_json() if own else None)
    if own is not None:
        return own
    device = choose_device(told["precision"], threads, exact_convolutions=True)
    return replace(device, convolutions=told["convolutions"], reason="as process 0 chose")
