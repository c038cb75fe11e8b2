from .bench import measure_speed

__all__ = [
    "measure_speed",
]
