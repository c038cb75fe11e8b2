"""Which programs read each exported kind of layer as it is meant.

    python benchmarks/readers.py                                    those that are installed here
    python benchmarks/readers.py --python "OpenCV 5=venv/bin/python" --python MNN=other/bin/python

Writes each kind of layer as an ONNX file of its own, has every reader run it on random and on large
numbers, and prints a table in Markdown: "yes" where the largest difference from what the layer
computes here is under 1e-4 of the largest number, else that share, or "no" where the reader refuses
the file or makes another shape of it. Readers of other versions, or that this environment does not
have, run in the Python that `--python` names for them. Keeps what it found in benchmarks/results.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from peers.kinds import KINDS, Kind
from peers.reading import READERS
from turns import keep

ALIKE = 1e-4  # of the largest number
TIMEOUT_S = 1800
WORKER = Path(__file__).parent / "peers" / "reading.py"
MODULES = {"ONNX Runtime": "onnxruntime", "OpenVINO": "openvino", "OpenCV 4": "cv2"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append", default=[], metavar="READER=PYTHON")
    parser.add_argument("--reasons", action="store_true", help="why readers refuse files")
    parser.add_argument("--only", nargs="+", choices=READERS, help="these readers")
    asked = parser.parse_args()
    pythons = {
        reader: sys.executable for reader, name in MODULES.items() if importlib.util.find_spec(name)
    }
    pythons |= dict(each.split("=", 1) for each in asked.python)
    if asked.only:
        pythons = {reader: python for reader, python in pythons.items() if reader in asked.only}
    with tempfile.TemporaryDirectory() as scratch:
        wanted = {kind.name: write(kind, Path(scratch), i) for i, kind in enumerate(KINDS)}
        found = {
            reader: read(reader, pythons[reader], Path(scratch), wanted)
            for reader in READERS
            if reader in pythons
        }
    print(table(found))
    if asked.reasons:
        for reader, (_, cells) in found.items():
            for name, cell in cells.items():
                if isinstance(cell, str):
                    print(f"{reader}, {name}: {cell}")
    print(
        keep(
            "readers", {reader: facts(cells, version) for reader, (version, cells) in found.items()}
        )
    )


def write(kind: Kind, folder: Path, number: int) -> tuple[str, np.ndarray]:
    """Write a layer and inputs for it; return the file's name and what the layer makes of them."""
    from alexnet.exporters.onnx.graph import OnnxGraph, Value
    from alexnet.exporters.onnx.layers import write_layer

    graph = OnnxGraph(plain=kind.plain)
    names = [graph.name(f"x{i}") for i in range(len(kind.shapes))]
    values = [Value(name, shape) for name, shape in zip(names, kind.shapes, strict=True)]
    made = graph.node(
        "Identity", [write_layer(graph, "layer", kind.layer.eval(), values)], "output"
    )
    calls = [list(numbers(kind, size)) for size in kind.sizes]
    with torch.inference_mode():
        outputs = np.stack([kind.layer(*call).numpy() for call in calls])
    model = graph.model(
        input=("x0", "float32", kind.shapes[0]), output=(made, 1), title=kind.name, metadata={}
    )
    described(model, kind, outputs[0])
    file = f"{number:02}"
    (folder / f"{file}.onnx").write_bytes(as_requested(model, kind, calls))
    arrays = {f"{n}/x{i}": x.numpy() for n, call in enumerate(calls) for i, x in enumerate(call)}
    np.savez(folder / f"{file}.npz", **arrays)
    return file, outputs


def numbers(kind: Kind, size: float) -> Iterator[torch.Tensor]:
    """Draw the inputs of one call, of a deviation of `size`."""
    for i, shape in enumerate(kind.shapes):
        draw = np.random.default_rng(i).normal(0, size, (1, *shape)).astype(np.float32)
        yield torch.from_numpy(np.abs(draw) if kind.positive else draw)


def described(model: Any, kind: Kind, output: np.ndarray) -> None:
    """Add the inputs after the first, and the output's shape, for one image as for any number."""
    from onnx import helper

    for i, shape in enumerate(kind.shapes[1:], 1):
        model.graph.input.append(helper.make_tensor_value_info(f"x{i}", 1, ["N", *shape]))
    del model.graph.output[:]
    shape = ["N", *output.shape[1:]]
    model.graph.output.append(helper.make_tensor_value_info("output", 1, shape))


def as_requested(model: Any, kind: Kind, calls: list[list[torch.Tensor]]) -> bytes:
    """Return the file's bytes, int8 where the kind is."""
    from alexnet.exporters.onnx.quantize import quantized

    if kind.int8:
        model = quantized(model, (call[0].numpy() for call in calls))
    return model.SerializeToString()


def read(
    reader: str, python: str, folder: Path, wanted: dict[str, tuple[str, np.ndarray]]
) -> tuple[str, dict[str, float | str]]:
    """Have a reader run all files, from the next one on again where it ended with one.

    Returns:
        Its version; and by kind how far it is off, or why there is nothing.
    """
    print(f"{reader} reads", file=sys.stderr, flush=True)
    version, reasons = "", dict[str, str | None]()
    files = [file for file, _ in wanted.values()]
    while left := [file for file in files if file not in reasons]:
        command = [python, str(WORKER), reader, str(folder), *left]
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        lines = [json.loads(line) for line in ended.stdout.splitlines() if line[:2] == '{"']
        version = next((line["version"] for line in lines if "version" in line), version)
        reasons |= {line["name"]: line["reason"] for line in lines if "name" in line}
        started = [line["starts"] for line in lines if "starts" in line]
        if not started:
            raise SystemExit(f"{reader} does not start: {ended.stderr[-500:]}")
        if started[-1] not in reasons:
            reasons[started[-1]] = "its process ended"
    cells = {}
    for name, (file, outputs) in wanted.items():
        reason = reasons[file]
        cells[name] = reason or difference(outputs, np.load(folder / f"{file}.{reader}.npy"))
    return version, cells


def difference(wanted: np.ndarray, found: np.ndarray) -> float | str:
    """Return the largest difference over the largest number, of the worse of the calls."""
    if [side for side in wanted.shape if side > 1] == [side for side in found.shape if side > 1]:
        found = found.reshape(wanted.shape)  # ncnn has axes of length 1 more or less
    if wanted.shape != found.shape:
        return f"shape {found.shape[1:]} in place of {wanted.shape[1:]}"
    axes = tuple(range(1, wanted.ndim))
    largest = np.maximum(np.abs(wanted).max(axes), 1e-30)
    off = np.nan_to_num(np.abs(wanted - found.astype(np.float64)), nan=np.inf, posinf=np.inf).max(
        axes
    )
    return float((off / largest).max())


def table(found: dict[str, tuple[str, dict[str, float | str]]]) -> str:
    """Return a row for each kind of layer, a column for each reader."""
    heads = [
        f"{reader.split()[0]} {found[reader][0]}"
        if reader[-1].isdigit()
        else f"{reader} {found[reader][0]}"
        for reader in found
    ]
    version = torch.__version__.partition("+")[0]
    lines = [
        f"Seen on {datetime.date.today().isoformat()} with torch {version}.",
        "",
        f"| layer | {' | '.join(heads)} |",
        f"| --- |{' --- |' * len(found)}",
    ]
    for kind in KINDS:
        cells = [cell(found[reader][1][kind.name], kind) for reader in found]
        lines.append(f"| {kind.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(value: float | str, kind: Kind) -> str:
    if isinstance(value, str):
        return "no"
    if not np.isfinite(value):
        return "not finite"
    return "yes" if value <= kind.alike else f"off by {value:.1g}"


def facts(cells: dict[str, float | str], version: str) -> dict[str, Any]:
    return {"version": version, "kinds": cells}


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
