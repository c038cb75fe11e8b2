"""Whether decoding and computing overlap where photographs are answered.

    python benchmarks/predicting.py                          the paper's network
    python benchmarks/predicting.py --model cifar_26pct      one that is faster than decoding

Contenders, in turns on the same photographs: decoding and resizing alone, the network alone on
images that are ready, and both as `alexnet predict` does them. Prints medians, and how much longer
both take than the longer of the two, and than the two one after the other.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from alexnet.devices import share_cores
from training import make_images
from turns import Contender, compete, keep, rates, serve, table

DISTINCT = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, nargs=2, default=(500, 375))
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.role:
        share_cores()  # as the command line does
        role(asked)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_images(Path(scratch, "images"), DISTINCT, tuple(asked.size))
        own = ["--model", asked.model, "--images", str(asked.images), "--folder", str(folder)]
        contenders = [
            Contender(name, [sys.executable, __file__, "--role", name, *own]) for name in ROLES
        ]
        compete(contenders, rounds=asked.rounds, seconds=0.001)  # one pass over all images a turn
    print(table(contenders, contenders[-1]))
    decoding, network, both = (each.rates for each in contenders)
    longer, total = (
        statistics.median(
            combine(1 / a, 1 / b) * c for a, b, c in zip(decoding, network, both, strict=True)
        )
        for combine in (max, lambda a, b: a + b)
    )
    print(f"both reach {longer:.3f} of the slower one alone, {total:.3f} of one after the other")
    print(keep(f"predicting {asked.model}", rates(contenders)))


def role(asked: argparse.Namespace) -> None:
    """Serve one contender: each step is all of the images once."""
    from alexnet.data import open_source
    from alexnet.devices import choose_device
    from alexnet.evaluation import Member
    from alexnet.images import Preprocessing
    from alexnet.models import build_model

    device = choose_device("fp32")
    network = device.place(build_model(asked.model, classes=1000, initialization="he")).eval()
    rule = Preprocessing(image_px=network.image_px, crop_px=network.crop_px)
    source = open_source(asked.folder, fewest_classes=1)
    indices = np.resize(np.arange(len(source.paths)), asked.images)
    step = ROLES[asked.role](Member(network, rule), source, indices)
    serve(step, note=f"{device.threads} threads")


def decoding(member: Any, source: Any, indices: Any) -> Callable[[], int]:
    """Return reading, decoding and resizing, and nothing else."""
    from alexnet.evaluation import stored_images

    rules = [member.preprocessing]
    return lambda: sum(len(each.indices) for each in stored_images(rules, source, indices))


def answering(member: Any, source: Any, indices: Any) -> Callable[[], int]:
    """Return predictions for a batch that was decoded before, as often as there are batches."""
    from alexnet.evaluation import BATCH, make_predictor, probabilities, stored_images

    ready = next(iter(stored_images([member.preprocessing], source, indices[:BATCH])))
    predictor = make_predictor(member)

    def step() -> int:
        for start in range(0, len(indices), BATCH):
            images = ready.images[0][: len(indices) - start]
            probabilities(member, images, predictor=predictor)
        return len(indices)

    return step


def predicting(member: Any, source: Any, indices: Any) -> Callable[[], int]:
    """Return what `predict`, `evaluate` and `features` do."""
    from alexnet.evaluation import predict_batches

    return lambda: sum(len(each.indices) for each in predict_batches([member], source, indices))


ROLES: dict[str, Callable[..., Callable[[], int]]] = {
    "decoding": decoding,
    "the network": answering,
    "both": predicting,
}

if __name__ == "__main__":
    main()
