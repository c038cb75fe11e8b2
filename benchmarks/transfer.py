"""What trained weights are worth on another set: from scratch, a head on features, fine-tuned.

    python benchmarks/transfer.py images.tar                     with the weights that ship
    python benchmarks/transfer.py cifar10.zip --per-class 50       of the training images
    python benchmarks/transfer.py images.tar --weights W.safetensors --seeds 5

Runs `alexnet finetune --compare` for each seed, on the same images and crops, and prints mean
and standard deviation over the seeds of the share of right answers, what teaching took, and how
many images a second became features. A seed is another draw of first weights, of the order and,
where the source has no validation images of its own, of the split; `--per-class` takes the first
images of a zip's training classes. Given again, it reads back what is there.
"""

from __future__ import annotations

import argparse
import statistics
import time
import zipfile
from collections import Counter
from pathlib import Path

from alexnet import features, finetune
from alexnet.devices import cores, processor, share_cores
from alexnet.records import FinetuneReport
from turns import keep


def main() -> None:
    share_cores()  # as the command line does
    asked = _arguments()
    source = asked.source
    if asked.per_class:
        source = some_of_each(source, asked.out / "images", asked.per_class)
    print(f"{processor()}, {cores()} cores", flush=True)
    reports = [run(asked, source, seed) for seed in range(asked.seeds)]
    first = next(each.results for each in reports[0].baselines if each.results)
    print(f"\n{first.images} held-out images, {first.crops} crops, {asked.seeds} seeds\n")
    print("| way | right | each seed | taught in s, median |")
    print("| --- | --- | --- | --- |")
    facts = {}
    for name in [each.name for each in reports[0].baselines]:
        ways = [each for report in reports for each in report.baselines if each.name == name]
        right = [100 * each.results.top1 for each in ways if each.results]
        spread = f" ± {statistics.stdev(right):.1f}" if len(right) > 1 else ""
        mean = f"{statistics.mean(right):.1f}{spread} %" if right else "none got off the ground"
        seconds = statistics.median(each.seconds for each in ways)
        singly = ", ".join(f"{each:.1f}" for each in right)
        print(f"| {name} | {mean} | {singly} | {seconds:,.0f} |")
        facts[name] = {"right": right, "seconds": [each.seconds for each in ways]}
    facts["features"] = features_a_second(asked, source)
    words = f"{asked.source.name}{f', {asked.per_class} a class' if asked.per_class else ''}"
    print(keep(f"transfer, {words}", facts))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--weights", default="small-200", help="a file, or a name that ships")
    parser.add_argument("--per-class", type=int, help="training images of each class")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--crops", type=int, default=10)
    parser.add_argument("--flip", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path, default=Path("runs/transfer"))
    return parser.parse_args()


def run(asked: argparse.Namespace, source: Path, seed: int) -> FinetuneReport:
    """Go all three ways with one seed."""
    folder = asked.out / f"seed-{seed}"
    return finetune(
        asked.weights,
        source,
        run_dir=folder,
        compare=True,
        crops=asked.crops,
        seed=seed,
        flip=asked.flip,
    )


def features_a_second(asked: argparse.Namespace, source: Path) -> float:
    """Print how fast files become features, decoding included, and return it."""
    started = time.perf_counter()
    report = features(asked.weights, source, out=asked.out / "features.npz")
    rate = report.images / (time.perf_counter() - started)
    print(f"\n{report.images} images, {report.layer}: {rate:,.0f} a second, from files to features")
    return rate


def some_of_each(archive: Path, folder: Path, number: int) -> Path:
    """Write a zip's first images of each training class, and its others, to a folder."""
    if folder.is_dir():
        return folder
    taken: Counter[str] = Counter()
    with zipfile.ZipFile(archive) as file:
        for name in sorted(each for each in file.namelist() if not each.endswith("/")):
            place = str(Path(name).parent)
            taken[place] += 1
            if "train" in Path(name).parts and taken[place] > number:
                continue
            file.extract(name, folder.with_suffix(".part"))
    return folder.with_suffix(".part").rename(folder)


if __name__ == "__main__":
    main()
