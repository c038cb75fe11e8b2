"""How fast is it here, how far from what the machine can do, and what to do about it."""

from alexnet.speed.bench import measure_speed

__all__ = ["measure_speed"]
