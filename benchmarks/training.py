"""How fast a network trains, end to end from images, beside what one would write today.

    python benchmarks/training.py                           the paper's network
    python benchmarks/training.py --model cifar_26pct       one of the CIFAR nets
    python benchmarks/training.py --precision fp32 --before ../old/src      beside an older package

Contenders, in turns on the same images: ours from a pack; ours from the plain folder with a warm
cache; ours without its normalization; ours with torch's convolutions; its convolutions alone, as
torch has them, without data; an older package; Keras on TensorFlow and on JAX; and the plain script
of peers/plain.py, as it is, on numbers that lie ready, and there by torch.compile. Prints medians
and ratios and keeps them in benchmarks/results.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from steps import begun, endless, prepared
from turns import Contender, arguments, compete, keep, rates, ratio, serve, table

PLAIN = Path(__file__).resolve().parent / "peers" / "plain.py"
_SIZES = {"alexnet": (500, 375)}  # of the images that are made where no source is named


def main() -> None:
    parser = arguments(__doc__, seconds=12.0)
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--source", type=Path, help="JPEG files in one folder per class")
    parser.add_argument("--images", type=int, default=1024, help="made where no source is named")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--precision", default="auto", help="of ours: auto, fp32 or bf16")
    parser.add_argument("--before", type=Path, help="the src folder of an older checkout")
    parser.add_argument("--peer-python", type=Path, help="a Python that has Keras and its engines")
    parser.add_argument("--pack", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.role:
        ROLES[asked.role](asked)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.source or make_images(
            Path(scratch, "images"), asked.images, _SIZES.get(asked.model, (32, 32))
        )
        run(asked, folder, Path(scratch, "pack"))


def run(asked: argparse.Namespace, folder: Path, pack: Path) -> None:
    """Let the contenders compete on the images of a folder and say what came out."""
    import alexnet
    from alexnet.models import build_model

    image_px = build_model(asked.model, classes=10).image_px
    alexnet.pack(folder, pack, image_px=image_px)
    own = ["--model", asked.model, "--batch-size", str(asked.batch_size)]
    precise = ["--precision", asked.precision]
    places = ["--source", str(folder), "--pack", str(pack)]
    contenders = [
        Contender(role, [sys.executable, __file__, "--role", role, *own, *precise, *places])
        for role in ROLES
    ]
    if asked.before:
        older = Contender("ours before", contenders[0].command)
        older.environment["PYTHONPATH"] = str(asked.before.resolve())
        contenders.append(older)
    own += ["--classes", str(sum(each.is_dir() for each in folder.iterdir()))]
    contenders += peers(asked, own[2:])
    plain = [sys.executable, str(PLAIN), str(folder), *own]
    contenders.append(Contender("plain, numbers ready", [*plain, "--ready"]))
    contenders.append(
        Contender("plain, compiled, numbers ready", [*plain, "--ready", "--compiled"])
    )
    contenders.append(Contender("plain", plain))
    if asked.only:
        contenders = [each for each in contenders if each.name in asked.only]
    compete(contenders, rounds=asked.rounds, seconds=asked.seconds)
    print(table(contenders, contenders[-1]))
    ours = contenders[0]
    for other in contenders[1:]:
        print(f"{ours.name} is {ratio(ours, other):.3f} times as fast as {other.name}")
    print(keep(f"training {asked.model}", rates(contenders)))


def peers(asked: argparse.Namespace, sizes: list[str]) -> list[Contender]:
    """Return the paper's network in Keras on each engine, where there is a Python for it."""
    if asked.peer_python is None or asked.model != "alexnet":
        return []
    program = PLAIN.with_name("keras_net.py")
    command = [str(asked.peer_python), str(program), *sizes]
    return [
        Contender(f"Keras on {name}", command, environment={"KERAS_BACKEND": engine})
        for name, engine in (("TensorFlow", "tensorflow"), ("JAX", "jax"))
    ]


def make_images(folder: Path, count: int, size: tuple[int, int], octaves: int = 6) -> Path:
    """Write JPEG images with the statistics of photographs: noise of all scales, two classes."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = np.zeros((size[1], size[0], 3))
        for octave in range(octaves):
            small = rng.normal(size=(3 * 2**octave, 4 * 2**octave, 3)) * 60 / (octave + 1)
            for channel in range(3):
                layer = Image.fromarray(small[..., channel].astype(np.float32))
                pixels[..., channel] += layer.resize(size, Image.Resampling.BICUBIC)
        place = folder / str(number % 2) / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels + 120).clip(0, 255).astype(np.uint8)).save(place, quality=85)
    return folder


def ours(
    asked: argparse.Namespace, *, packed: bool = True, norm: bool = True, exact: bool = False
) -> None:
    """Serve whole steps of our training."""
    from torch import nn

    from alexnet.data import open_pack, open_source
    from alexnet.nn import ResponseNorm, norm_backend

    source = open_pack(asked.pack) if packed else open_source(asked.source)
    job = prepared(source, asked.model, asked.batch_size, asked.precision, exact=exact)
    if not norm:
        for name, layer in list(job.network.named_children()):
            if isinstance(layer, ResponseNorm):
                setattr(job.network, name, nn.Identity())
    training = begun(job)
    device, batches = training.device, endless(training.batches)

    def step() -> int:
        return training.step(next(batches))

    has_norm = any(isinstance(layer, ResponseNorm) for layer in job.network.modules())
    form = f", normalization {norm_backend(device.kind)}" if has_norm else ""
    how = getattr(device, "convolutions", "torch")  # an older package has but one form
    note = f"{device.precision}, convolutions {how}, {device.threads} threads{form}"
    serve(step, note=note)


def convolutions(asked: argparse.Namespace) -> None:
    """Serve forward and backward passes of the convolutions alone, on numbers that lie ready."""
    import torch

    from alexnet.devices import choose_device
    from alexnet.models import build_model

    device = choose_device(asked.precision)
    network = device.place(build_model(asked.model, classes=10))
    x = torch.randn(asked.batch_size, 3, network.crop_px, network.crop_px)
    layers = []
    with torch.no_grad():
        for name, layer in network.named_children():
            if name.startswith("conv"):
                layers.append((layer, x.contiguous(memory_format=torch.channels_last)))
            x = layer(x)
    gradients = [torch.randn_like(layer(each)) for layer, each in layers]
    for _, each in layers[1:]:
        each.requires_grad_()

    def step() -> int:
        for (layer, each), gradient in zip(layers, gradients, strict=True):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=device.precision == "bf16"):
                y = layer(each)
            y.backward(gradient.to(y.dtype))
            each.grad = layer.weight.grad = layer.bias.grad = None
        return asked.batch_size

    serve(step, note=f"{device.precision}, as torch has them")


ROLES = {
    "ours": ours,
    "ours from the folder": lambda asked: ours(asked, packed=False),
    "ours without normalization": lambda asked: ours(asked, norm=False),
    "ours, torch's convolutions": lambda asked: ours(asked, exact=True),
    "convolutions alone": convolutions,
}

if __name__ == "__main__":
    main()
