"""One, two, three and four real processes: the same numbers, whatever their number."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

WORKERS = Path(__file__).with_name("workers.py")
MODELS = ("alexnet", "alexnet_small", "cifar_11pct")

FOUR = pytest.param(4, marks=pytest.mark.slow)
SIZES = pytest.mark.parametrize("size", [2, 3, FOUR])


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """A folder of all workers of pytest: processes take seconds to start."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "processes"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def images(shared) -> Path:
    """Three classes of unequal size, 41 images: the last batch of 10 has one."""
    folder, draw = shared / "photos", np.random.default_rng(0)
    with FileLock(shared / "lock"):
        if folder.exists():
            return folder
        for name, count, level in (("ant", 20, 60), ("bee", 14, 120), ("cat", 7, 180)):
            (folder / name).mkdir(parents=True)
            for number in range(count):
                pixels = draw.normal(level, 40, (72, 72, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def results(images, shared):
    """What some processes come to; each number of them is started once."""
    known: dict[int, dict] = {}

    def get(size: int) -> dict:
        if size not in known:
            out = shared / f"{size}.json"
            with FileLock(shared / f"lock-{size}"):
                if not out.exists():
                    start(size, images, out)
            known[size] = json.loads(out.read_text())
        return known[size]

    return get


def start(size: int, images: Path, out: Path) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={size}"]
    models = MODELS if size < 4 else ("cifar_11pct",)
    words = [sys.executable, *(launcher if size > 1 else []), WORKERS, images, out, *models]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        list(map(str, words)), env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-5000:]


def flat(values) -> np.ndarray:
    return np.array(values, dtype=np.float64)


@SIZES
def test_processes_tell_each_other_what_they_mean(results, size):
    for rank, told in enumerate(results(size)["talk"]):
        assert told["first"] == {"from": 0}
        assert told["all"] == list(range(size))
        assert told["any"] == [[True, False], [False, False]]
        assert told["exchanged"] == [[10.0 * other + rank] * 2 for other in range(size)]
        assert told["sum"] == [size * n + size * (size - 1) / 2 for n in range(3)]
        # gloo would add up memory, in the order in which it lies
        assert told["strided"] == (size * np.arange(6.0).reshape(2, 3).T).tolist()


@SIZES
@pytest.mark.parametrize("count", ["7", "2"])
def test_batch_norm_goes_by_the_whole_batch(results, size, count):
    """Also where there are fewer images than processes."""
    found, alone = results(size)["norm"][count], results(1)["norm"][count]
    for name, values in alone.items():
        np.testing.assert_allclose(flat(found[name]), flat(values), rtol=2e-5, atol=2e-5)


@SIZES
@pytest.mark.parametrize("count", ["7", "1"])
def test_masks_are_parts_of_one_draw(results, size, count):
    assert results(size)["mask"][count] == results(1)["mask"][count]
    assert 0 < np.mean(results(1)["mask"]["7"]) < 1


@pytest.mark.parametrize(
    ("size", "model", "way"),
    [
        *((2, "alexnet", way) for way in ("data", "hybrid", "towers")),
        *((3, "alexnet", way) for way in ("data", "hybrid")),
        *((size, "alexnet_small", "data") for size in (2, 3)),
        *((size, "cifar_11pct", "data") for size in (2, 3)),
        pytest.param(4, "cifar_11pct", "data", marks=pytest.mark.slow),
    ],
)
def test_losses_are_those_of_one_process(results, size, model, way):
    found, alone = results(size)[model][way], results(1)[model]["None"]
    assert found["seen"] == alone["seen"] == [10, 10, 10, 10, 1, 10]
    np.testing.assert_allclose(flat(found["losses"]), flat(alone["losses"]), rtol=1e-5)


@pytest.mark.parametrize(
    ("size", "way"), [(2, "data"), (2, "hybrid"), (2, "towers"), (3, "hybrid")]
)
def test_as_many_bytes_are_sent_as_was_foretold(results, size, way):
    foretold, counted = results(size)["alexnet"][way]["sent"]
    assert counted == pytest.approx(foretold, rel=0.01)


def test_hybrid_sends_a_tenth_of_data(results):
    """At batch 10 of small images; docs/cluster.md has the paper's sizes."""
    ways = results(2)["alexnet"]
    assert ways["hybrid"]["sent"][1] < ways["data"]["sent"][1] / 8
