"""What holds for every test: which kinds wait to be asked for, real images, odd names."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

# Before torch is imported: workers that share cores and spin while they wait for each other are
# slower by an order of magnitude than workers of one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Before Triton is imported: where there is no GPU its interpreter runs our kernels on a processor.
if not Path("/dev/nvidiactl").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")

pytest_plugins = ["fixtures.command_line", "fixtures.transfer", "fixtures.weights"]

# Few examples while one works and in CI, many every night: HYPOTHESIS_PROFILE=thorough.
settings.register_profile("default", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

_ASKED = {
    "slow": "takes long: run it with --slow",
    "network": "needs the internet: run it with --network",
}


def pytest_addoption(parser):
    for name in _ASKED:
        parser.addoption(f"--{name}", action="store_true", help=f"also run tests marked {name}")


def pytest_collection_modifyitems(config, items):
    for item in items:
        for name, reason in _ASKED.items():
            if item.get_closest_marker(name) and not config.getoption(f"--{name}"):
                item.add_marker(pytest.mark.skip(reason=reason))
        if item.get_closest_marker("gpu") and not _has_accelerator():
            item.add_marker(pytest.mark.skip(reason="needs an accelerator, and there is none"))


def _has_accelerator() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(autouse=True)
def known_speeds(monkeypatch) -> None:
    """Speeds of this machine's convolutions that are the same for every test: Winograd's wins.

    Measured ones would choose the form by chance, and another one for each worker.
    """
    from alexnet.devices.speeds import Speeds

    speeds = Speeds(fp32=10.0, winograd=20.0, bf16=5.0, processor_share=1.0, measured_at=0.0)
    monkeypatch.setattr("alexnet.devices.machine.remembered_speeds", lambda cached, kind: speeds)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images, where there is one."""
    beside = Path(__file__).parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("ALEXNET_TEST_DATA") or beside)
    if not folder.is_dir():
        pytest.skip("no real images: neither ALEXNET_TEST_DATA nor ../shared/data is there")
    return folder


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory) -> Path:
    """A folder of weights in place of those that come with the package: small, never trained."""
    from alexnet.images import Preprocessing
    from alexnet.models import build_model
    from alexnet.weights import Weights, save_weights

    classes = ("n01443537", "n01629819", "n02099601")
    network = build_model("alexnet_small", classes=3, image_px=28, crop_px=24, seed=4)
    weights = Weights(
        model=network.model,
        arguments=network.arguments,
        state=network.state_dict(),
        classes=classes,
        class_words=dict(zip(classes, ("goldfish", "salamander", "retriever"), strict=True)),
        preprocessing=Preprocessing(image_px=28, crop_px=24),
        results={"top1": 0.36, "top5": 0.62, "crops": 10},
    )
    folder = tmp_path_factory.mktemp("bundled")
    save_weights(folder / "small-200.safetensors", weights, dtype="float16")
    return folder


@pytest.fixture
def bundled(stand_in, monkeypatch) -> Path:
    """The stand-in's file, taken for the weights that come with the package."""
    monkeypatch.setattr("alexnet.weights.location.FOLDER", stand_in)
    return stand_in / "small-200.safetensors"


@pytest.fixture(scope="session")
def faults() -> ModuleType:
    """The module of disks that fail."""
    return importlib.import_module("fixtures.faults")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Write captured names that are no text with escapes: workers can only send text."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report
