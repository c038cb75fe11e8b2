"""What each form and precision of exported weights takes, answers and costs.

    python benchmarks/export.py WEIGHTS SOURCE [--split val] [--images 400] [--batch-size 32]

Exports the weights in every form and precision, calibrated and checked on the source: bytes, right
answers, largest difference. Then all of them, and our own network beside them, compute in turns,
each in a process of its own, from stored images to probabilities. Keeps what it found in
benchmarks/results.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from turns import Contender, compete, keep, rates, serve, table

FORMS = (
    ("onnx", ".onnx", ("fp32", "fp16", "int8")),
    ("openvino", ".xml", ("fp32", "fp16", "int8")),
    ("torchscript", ".pt", ("fp32", "fp16")),
    ("safetensors", ".safetensors", ("fp32", "fp16")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("--split")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each turn")
    parser.add_argument("--role", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.role:
        answer(asked)
        return
    with tempfile.TemporaryDirectory() as scratch:
        run(asked, Path(scratch))


def run(asked: argparse.Namespace, scratch: Path) -> None:
    """Export, say what came out, and let the files compete."""
    from alexnet import export

    contenders, file_metadata = [], {}
    print("| form | MB | right answers | of the weights | largest difference | probability moved |")
    print("| --- | --- | --- | --- | --- | --- |")
    for form, suffix, precisions in FORMS:
        for precision in precisions:
            out = scratch / f"{precision}{suffix}"
            told = export(
                asked.weights,
                to=form,
                out=out,
                precision=precision,
                calibrate=asked.source if precision == "int8" else None,
                check=asked.source,
                split=asked.split,
                images=asked.images,
            )
            name = f"{form} {precision}"
            file_metadata[name] = {**told.to_json(), "out": out.name}
            share = ["" if x is None else f"{x:.2%}" for x in (told.top1_after, told.top1_before)]
            print(
                f"| {name} | {told.bytes / 1e6:.2f} | {share[0]} | {share[1]} | "
                f"{told.max_difference:.2g} | {told.probability_shift:.2g} |",
                flush=True,
            )
            own = [sys.executable, __file__, str(out), str(asked.source), "--role", form]
            if form != "safetensors":
                contenders.append(Contender(name, [*own, "--batch-size", str(asked.batch_size)]))
            elif precision == "fp32":
                contenders.append(
                    Contender("alexnet itself", [*own, "--batch-size", str(asked.batch_size)])
                )
    compete(contenders, rounds=asked.rounds, seconds=asked.seconds)
    print(table(contenders, contenders[-1]))
    print(keep(f"export {asked.weights.stem}", {"files": file_metadata, **rates(contenders)}))


def answer(asked: argparse.Namespace) -> None:
    """Serve batches of one file."""
    from alexnet.evaluation import Member, probabilities
    from alexnet.exporters import open_onnx, open_openvino, open_torchscript

    if asked.role == "safetensors":
        from alexnet import load_weights

        weights = load_weights(asked.weights)
        member = Member(weights.network(), weights.preprocessing)
        side, note = weights.preprocessing.image_px, "alexnet"

        def ask(images: np.ndarray) -> object:
            return probabilities(member, images)
    else:
        opens = {"onnx": open_onnx, "openvino": open_openvino, "torchscript": open_torchscript}
        opened = opens[asked.role](asked.weights)
        side, ask, note = side_of(asked), opened.run, opened.runtime
    shape = (asked.batch_size, side, side, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    def step() -> int:
        ask(images)
        return asked.batch_size

    serve(step, note=note)


def side_of(asked: argparse.Namespace) -> int:
    """Return the side of the images that a file takes; each says it in its own way."""
    if asked.role == "onnx":
        import onnxruntime

        return onnxruntime.InferenceSession(str(asked.weights)).get_inputs()[0].shape[1]
    if asked.role == "openvino":
        import openvino

        return openvino.Core().read_model(str(asked.weights)).input(0).partial_shape[1].get_length()
    import json

    import torch

    file_metadata = {"alexnet.json": ""}
    torch.jit.load(str(asked.weights), _extra_files=file_metadata)
    return json.loads(json.loads(file_metadata["alexnet.json"])["preprocessing"])["image_px"]


if __name__ == "__main__":
    main()
