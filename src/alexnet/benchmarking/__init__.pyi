from .bench import measure_speed
from .shared_steps import measure_shared_steps

__all__ = [
    "measure_shared_steps",
    "measure_speed",
]
