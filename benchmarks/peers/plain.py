"""The plain way, to be compared with: what a PyTorch user would write today.

Float32, torch's own layers in torch's own layout, `local_response_norm`, Pillow, and a DataLoader
with two workers. The networks are the same as ours, layer by layer.

    python benchmarks/peers/plain.py FOLDER --model alexnet     (serves benchmarks/training.py)
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from turns import serve


class Images(Dataset):
    """A folder with one folder per class: resized, cropped, mirrored, less the mean color."""

    def __init__(self, folder: Path, image_px: int, crop_px: int) -> None:
        classes = sorted(each for each in folder.iterdir() if each.is_dir())
        self.files = [
            (path, k) for k, each in enumerate(classes) for path in sorted(each.iterdir())
        ]
        self.image_px, self.crop_px = image_px, crop_px

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self.files[index]
        image = Image.open(path).convert("RGB")
        side = self.image_px
        if image.size != (side, side):
            scale = side / min(image.size)
            image = image.resize(
                (round(image.width * scale), round(image.height * scale)),
                Image.Resampling.BILINEAR,
            )
            left, top = (image.width - side) // 2, (image.height - side) // 2
            image = image.crop((left, top, left + side, top + side))
        margin = side - self.crop_px
        left, top = random.randint(0, margin), random.randint(0, margin)
        image = image.crop((left, top, left + self.crop_px, top + self.crop_px))
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
        return pixels - 120.0, label


def alexnet(classes: int) -> nn.Module:
    """The paper's network: two groups, normalization after ReLU, overlapping pooling."""
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2),
        nn.ReLU(),
        nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Flatten(),
        nn.Linear(9216, 4096),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(4096, classes),
    )


def three_convolutions(classes: int, *, norm: bool) -> nn.Module:
    """The nets of 26 % and 18 %; torch has no normalization inside a map, so it is written out."""
    layers: list[nn.Module] = []
    for n, (before, maps, pool) in enumerate(
        (
            (3, 32, nn.MaxPool2d(3, 2, ceil_mode=True)),
            (32, 32, nn.AvgPool2d(3, 2, ceil_mode=True)),
            (32, 64, nn.AvgPool2d(3, 2, ceil_mode=True)),
        )
    ):
        layers += [nn.Conv2d(before, maps, 5, padding=2), nn.ReLU(), pool]
        if norm and n < 2:
            layers.append(WithinMaps())
    layers.append(nn.Flatten())
    if norm:
        return nn.Sequential(*layers, nn.Linear(64 * 16, classes))
    return nn.Sequential(*layers, nn.Linear(64 * 16, 64), nn.ReLU(), nn.Linear(64, classes))


class WithinMaps(nn.Module):
    """Normalization over 3 x 3 positions of the same map."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = nn.functional.avg_pool2d(x * x, 3, stride=1, padding=1)
        return x * (1 + 5e-5 * mean) ** -0.75


class LocallyConnected(nn.Module):
    """3 x 3 windows with padding 1, each position with weights of its own."""

    def __init__(self, before: int, maps: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.04 * torch.randn(side * side, before * 9, maps))
        self.bias = nn.Parameter(torch.zeros(1, maps, side, side))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = nn.functional.unfold(x, 3, padding=1)  # (N, before * 9, positions)
        y = torch.einsum("nip,pio->nop", patches, self.weight)
        return y.reshape(len(x), -1, *x.shape[2:]) + self.bias


def eleven_percent(classes: int) -> nn.Module:
    """The net of 11 %, on crops of 24 pixels."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0),
        nn.Conv2d(64, 64, 5, padding=2),
        nn.ReLU(),
        nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        LocallyConnected(64, 64, 6),
        nn.ReLU(),
        LocallyConnected(64, 32, 6),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 36, classes),
    )


MODELS = {
    "alexnet": (alexnet, 256, 224),
    "cifar_26pct": (lambda classes: three_convolutions(classes, norm=False), 32, 32),
    "cifar_18pct": (lambda classes: three_convolutions(classes, norm=True), 32, 32),
    "cifar_11pct": (eleven_percent, 32, 24),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", choices=MODELS, default="alexnet")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--ready", action="store_true", help="train on one batch that lies ready")
    parser.add_argument("--compiled", action="store_true", help="by torch.compile")
    asked = parser.parse_args()
    build, image_px, crop_px = MODELS[asked.model]
    dataset = Images(asked.folder, image_px, crop_px)
    loader = DataLoader(
        dataset,
        asked.batch_size,
        shuffle=True,
        num_workers=2,
        drop_last=True,
        persistent_workers=True,
    )
    network = build(asked.classes)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    how = "Pillow, DataLoader with 2 workers"
    if asked.ready:
        images = torch.randn(asked.batch_size, 3, crop_px, crop_px)
        batches = itertools.repeat((images, torch.arange(asked.batch_size) % asked.classes))
        how = "numbers ready"
    if asked.compiled:
        network.compile()
        how += ", torch.compile"

    def step() -> int:
        images, labels = next(batches)
        loss = nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return len(labels)

    serve(step, note=f"fp32, torch's layers, {how}")


if __name__ == "__main__":
    main()
