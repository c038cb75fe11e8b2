"""timm's models on the model hub: what a repository says of itself, and its file's whole SHA-256.

Large files of the hub are stored by Git LFS, whose pointer (three lines of text) has size and
SHA-256 of the file. config.json names architecture, classes and the numbers of the preprocessing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from alexnet.errors import WeightsError
from alexnet.files import read_json, replace_file
from alexnet.records import PublishedWeights
from alexnet.text import shorten
from alexnet.weights.connection import Connection, ConnectionLost, NoConnection, mirrored

__all__ = [
    "HUB_MODELS",
    "find_hub_model",
    "hub_config_file",
    "hub_file_name",
    "is_hub_name",
    "read_hub_config",
]

_HUB = "https://huggingface.co"
_NAME = re.compile(r"timm/[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}")
_POINTER = re.compile(
    r"version https://git-lfs\.github\.com/spec/v1\s+oid sha256:([0-9a-f]{64})\s+size (\d{1,12})\s*"
)
_MOST_TEXT = 1 << 20
_MOST_BYTES = 4 << 30
_TIMEOUT_S = 30.0

HUB_MODELS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
"""Architectures of timm whose tensors and graph are those of torchvision's of the same name."""


def is_hub_name(name: str) -> bool:
    """Whether a name is one of timm's on the hub."""
    return name.startswith("timm/")


def hub_file_name(name: str) -> str:
    """Return what the model's file is called here."""
    return f"{name.replace('/', '--')}-model.safetensors"


def hub_config_file(name: str, folder: Path) -> Path:
    """Return where the description of a model that was asked for lies."""
    return folder / f"{name.replace('/', '--')}-config.json"


def find_hub_model(name: str, folder: Path) -> PublishedWeights:
    """Ask the hub what a model of timm's is; its config.json is kept in `folder`.

    Args:
        name: timm/NAME.
        folder: made where missing.

    Raises:
        WeightsError: no such model, one of another architecture, no connection, or nonsense.
    """
    if not _NAME.fullmatch(name):
        raise WeightsError(
            f'"{shorten(name)}" is no name of a model of timm\'s on the hub, such as '
            "timm/resnet18.a1_in1k."
        )
    file = hub_config_file(name, folder)
    text = _fetch(f"{_HUB}/{name}/raw/main/config.json", file.name)
    replace_file(file, lambda out: out.write(text))
    config = read_hub_config(file)
    pointer = _fetch(f"{_HUB}/{name}/raw/main/model.safetensors", f"{hub_file_name(name)}.pointer")
    found = _POINTER.fullmatch(pointer.decode("ascii", "replace"))
    if found is None or int(found[2]) > _MOST_BYTES:
        raise WeightsError(
            f"The hub gives no size and SHA-256 of the file of {name}: it may not be there in this "
            "form. Fetch model.safetensors yourself, and: alexnet import model.safetensors"
        )
    cfg = cast("Mapping[str, Any]", config.get("pretrained_cfg", {}))
    return PublishedWeights(
        name=name,
        task=f"{config['num_classes']:,} classes, as the model's page says",
        model="graph",
        classes=config["num_classes"],
        top1=None,
        top5=None,
        crops=None,
        size_mb=int(found[2]) / 2**20,
        license=str(cfg.get("license") or "as the model's page says"),
        source=f"{_HUB}/{name}/resolve/main/model.safetensors",
        sha256=found[1],
        format="timm",
        input_px=224,
    )


def read_hub_config(file: Path) -> dict[str, Any]:
    """Return the description of a model, checked.

    Raises:
        WeightsError: not one of `HUB_MODELS`, or no description.
    """
    config: object = read_json(file, WeightsError, most=_MOST_TEXT)
    fields = cast("dict[str, Any]", config) if isinstance(config, dict) else {}
    architecture, classes = fields.get("architecture"), fields.get("num_classes")
    if architecture not in HUB_MODELS:
        raise WeightsError(
            f'The model is of the architecture "{shorten(str(architecture))}", which is not taken '
            f"in here. Those of timm that are: {', '.join(HUB_MODELS)}."
        )
    if type(classes) is not int or not 1 <= classes <= 1_000_000:
        raise WeightsError(f"{file} does not say how many classes the model has. Use another.")
    cfg: object = fields.setdefault("pretrained_cfg", {})
    if not isinstance(cfg, dict):
        raise WeightsError(f"{file} has no pretrained_cfg as timm writes it. Use another.")
    return fields


def _fetch(url: str, name: str) -> bytes:
    """Return a small text of the hub."""
    connection = Connection(
        mirrored(url, name),
        {"User-Agent": "alexnet", "Accept-Encoding": "identity"},
        timeout_s=_TIMEOUT_S,
        end=time.monotonic() + 4 * _TIMEOUT_S,
    )
    data = b""
    try:
        with connection.response() as response:
            while chunk := connection.read(response, 1 << 16):
                data += chunk
                if len(data) > _MOST_TEXT:
                    raise WeightsError(f"{connection.url} is no small text. Use another model.")
    except (ConnectionLost, NoConnection) as error:
        raise WeightsError(
            f"{connection.url} cannot be had ({error}). Connect to the network, and try again."
        ) from error
    return data
