"""What `import` made, as text for a console."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.records import ImportReport

__all__ = ["render"]


def render(record: ImportReport, console: Console) -> None:
    """Print what was read, how pictures are prepared for it, and what was taken for granted."""
    classes = len(record.classes)
    console.print(
        Text(
            f"{record.name} ({record.format}) as {record.model}: {record.parameters:,} numbers, "
            f"{classes:,} class{'' if classes == 1 else 'es'}, written to {record.out}."
        )
    )
    mean = {None: "no mean", "image": "less a mean image", "channel": "less a mean"}[record.mean]
    times = "" if record.scale is None else f", times {record.scale:g}"
    console.print(
        Text(
            f"Pictures: {record.fit} to {record.image_px} pixels, crop of {record.crop_px}, "
            f"{record.order}, {mean}{times}."
        )
    )
    for each in record.remarks:
        grid = Table.grid(padding=(0, 1))
        grid.add_row("-", Text(each))
        console.print(grid)
    console.print(Text(f"Measure it: alexnet evaluate {record.out} SOURCE"))
