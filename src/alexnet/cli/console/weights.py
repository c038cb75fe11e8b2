"""Reports of `weights` on a console of 100 columns."""

from __future__ import annotations

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from alexnet.cli.console.models import print_list
from alexnet.records import PublishedWeights, WeightsDownload, WeightsList
from alexnet.text import format_count

__all__ = ["render_weights"]

_NO_HASH = " *"


def render_weights(report: WeightsList | WeightsDownload, console: Console) -> None:
    """Print the published weights as a table, one of them in full, or what was downloaded."""
    if isinstance(report, WeightsDownload):
        _print_download(report, console)
    elif len(report.weights) == 1:
        _print_published(report.weights[0], console)
    else:
        _print_table(report.weights, console)


def _print_table(listed: list[PublishedWeights], console: Console) -> None:
    table = Table("name", box=None, pad_edge=False)
    for name in ("classes", "pixels", "top-1", "top-5", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("license")
    for weights in listed:
        known = weights.format == "alexnet" or weights.sha256
        table.add_row(
            Text(weights.name if known else weights.name + _NO_HASH, no_wrap=True),
            f"{weights.classes:,}",
            str(weights.input_px or ""),
            *("" if each is None else f"{each:.1%}" for each in (weights.top1, weights.top5)),
            _megabytes(weights),
            Text(weights.license.partition(";")[0]),
        )
    console.print(table)
    for line in (
        "Accuracy: as the publisher prints it. *: no hash is published, get it with --unverified.",
        "All that is known of one: alexnet weights show NAME",
        "Get one: alexnet weights get NAME. Then NAME stands for it: alexnet finetune NAME photos",
    ):
        console.print(Text(line))
    console.print(
        Text(
            "From the model hub: alexnet weights get timm/NAME, where NAME is a ResNet of timm's "
            "in its plain form (resnet18 to resnet152, such as timm/resnet18.a1_in1k).",
            style="dim",
        )
    )


def _print_published(weights: PublishedWeights, console: Console) -> None:
    console.print(Text(weights.name, style="bold"))
    for name, value in (
        ("task", weights.task),
        ("model", weights.model),
        ("takes", f"{weights.input_px} x {weights.input_px} pixels" if weights.input_px else ""),
        ("accuracy", _accuracy(weights)),
        ("size", _published_size(weights)),
        ("license", weights.license),
        ("source", weights.source),
        ("hash", _published_hash(weights.sha256)),
    ):
        if value:
            # An address stays in one piece, however narrow the console is: it is to be copied.
            whole = name in ("source", "hash")
            console.print(Text(f"  {name:<8} {value}"), soft_wrap=whole)


def _accuracy(weights: PublishedWeights) -> str:
    shares = ((weights.top1, "top-1"), (weights.top5, "top-5"))
    figures = ", ".join(f"{share:.1%} {kind}" for share, kind in shares if share is not None)
    if not figures:
        return "not published"
    crops = f"{format_count(weights.crops, 'crop')}; " if weights.crops else ""
    return f"{figures} ({crops}{weights.figures_from or 'the publisher'})"


def _megabytes(weights: PublishedWeights) -> str:
    return f"{weights.size_mb:,.0f} MB" if weights.size_mb >= 10 else f"{weights.size_mb:.1f} MB"


def _published_size(weights: PublishedWeights) -> str:
    size = _megabytes(weights)
    return size if weights.size_known else f"about {size} (counted from its weights)"


def _published_hash(digest: str) -> str:
    """Say what of a file's hash was published."""
    from alexnet.weights.published_hash import PublishedHash

    known = PublishedHash.parse(digest)
    return known.words if known else "none is published: get it with --unverified"


def _print_download(report: WeightsDownload, console: Console) -> None:
    size = f"{decimal(report.downloaded)} downloaded" if report.downloaded else "it was there"
    console.print(Text(f"{report.file} ({decimal(report.bytes)}, {size})"))
    console.print(Text(f"SHA-256 {report.sha256}"))
    if report.weights:
        console.print(Text(f"Weights: {report.weights}"))
        print_list(report.remarks, console)
        console.print(Text(f"Use it: alexnet finetune {report.name} SOURCE"))
    else:
        console.print(Text(f"{_BY_HAND[report.format].format(report.file)}"))
    console.print(Text(f"License: {report.license}"))


_BY_HAND = {
    "archive": (
        "It is an archive: unpack it (tar xf {}), and name the .prototxt, .caffemodel and mean "
        "that lie in it: alexnet import FILES --out weights.safetensors"
    ),
    "caffe alone": (
        "Its description (deploy.prototxt) is published apart, without a hash. Fetch that too, "
        "then: alexnet import {} deploy.prototxt --mean 103.939,116.779,123.68 "
        "--out weights.safetensors"
    ),
}
"""What to do with files that are not taken in by themselves, by their format."""
