from .collectives import (
    Traffic,
    add_in_order,
    add_up,
    any_of,
    broadcast,
    exchange,
    gather_parts,
    slices,
    start_gathering,
    traffic,
)
from .device import device_of_all
from .joining import TIMEOUT, join_world, launched, leave_world, together
from .launch import REPORT, forget_outcome, launch, write_outcome
from .link import Link, measure_link
from .shares import BatchShare, batch_share, holding, part_sizes, share_of, shares_of
from .world import EndedByAnother, OthersLost, World, alone, world

__all__ = [
    "REPORT",
    "TIMEOUT",
    "BatchShare",
    "EndedByAnother",
    "Link",
    "OthersLost",
    "Traffic",
    "World",
    "add_in_order",
    "add_up",
    "alone",
    "any_of",
    "batch_share",
    "broadcast",
    "device_of_all",
    "exchange",
    "forget_outcome",
    "gather_parts",
    "holding",
    "join_world",
    "launch",
    "launched",
    "leave_world",
    "measure_link",
    "part_sizes",
    "share_of",
    "shares_of",
    "slices",
    "start_gathering",
    "together",
    "traffic",
    "world",
    "write_outcome",
]
