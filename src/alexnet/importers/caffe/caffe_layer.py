"""One layer of a description, under the names of today's Caffe."""

from __future__ import annotations

from dataclasses import dataclass

from alexnet.errors import WeightsError
from alexnet.importers.caffe.message import Message
from alexnet.text import shorten

__all__ = ["CaffeLayer"]


@dataclass(frozen=True)
class CaffeLayer:
    """One layer by its names of today; `message` holds its parameters under today's names."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    message: Message

    def error(self, said: str) -> WeightsError:
        """Return an error that begins with file, line and layer."""
        return self.message.error(f"the {self.title} {said}")

    @property
    def title(self) -> str:
        """What an error calls it."""
        return f'layer "{shorten(self.name)}" ({shorten(self.type)})'
