"""What verbs write by an executor, some shards kept from a call that was stopped, and without."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import alexnet
from alexnet.cluster import LocalExecutor, TaskOutcome
from alexnet.data.packs import writer
from alexnet.errors import Interrupted
from alexnet.evaluation import batch_shards


class StoppedOnce(LocalExecutor):
    """Is stopped by the keyboard when a shard is done, the first time."""

    computed = 0

    def wait(self, timeout_s: float) -> TaskOutcome | None:
        self.computed += 1
        if self.computed == 2:
            raise KeyboardInterrupt
        return super().wait(timeout_s)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for number in range(80):
        path = root / f"class{number % 2}" / f"{number:03}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)).save(path)
    (root / "class0" / "002.png").write_bytes(b"no image")
    return root


def content(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(path.iterdir())
    return {file.name: file.read_bytes() for file in files if "lock" not in file.name}


def call(verb: str, images: Path, folder: Path, cluster: LocalExecutor | None) -> Path:
    folder.mkdir(exist_ok=True)
    if verb == "pack":
        alexnet.pack(images, folder / "out", image_px=8, cluster=cluster)  # type: ignore[arg-type]
        return folder / "out"
    out = folder / ("out.csv" if verb == "predict" else "out.npz")
    options = {"batch_size": 16, "cluster": cluster, "exact_convolutions": True}
    if verb == "predict":
        alexnet.predict(None, images, csv=out, **options)  # type: ignore[arg-type]
    else:
        alexnet.features(None, images, out=out, **options)  # type: ignore[arg-type]
    return out


@pytest.mark.parametrize("verb", ["pack", "predict", "features"])
def test_an_executor_writes_the_same_bytes_also_after_a_stop(
    verb: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_shards, "_SHARD_IMAGES", 32)
    monkeypatch.setattr(writer, "SHARD_BYTES", 30 * 3 * 8**2)
    executor = StoppedOnce()
    with pytest.raises(Interrupted, match=r"1 of 3 shards are kept .*The same command goes on"):
        call(verb, images, tmp_path / "cluster", executor)
    out = call(verb, images, tmp_path / "cluster", executor)
    assert executor.computed == 4  # one, the stop, and the other two
    assert content(out) == content(call(verb, images, tmp_path / "one", None))
    assert not [*out.parent.glob("*.shards")]


def test_check_by_an_executor_finds_the_same(images: Path, tmp_path: Path) -> None:
    one = alexnet.check(images, report=tmp_path / "one")
    two = alexnet.check(images, report=tmp_path / "two", cluster=LocalExecutor())  # type: ignore[arg-type]
    for name in ("issues", "duplicates", "near_duplicates", "sizes", "exclude", "classes"):
        assert getattr(one, name) == getattr(two, name)


def test_evaluate_by_an_executor_gives_the_same_figures(trained, monkeypatch) -> None:
    monkeypatch.setattr(batch_shards, "_SHARD_IMAGES", 4)
    options = {"split": "all", "batch_size": 2, "exact_convolutions": True}
    one = alexnet.evaluate(trained.run, trained.images, **options)  # type: ignore[arg-type]
    two = alexnet.evaluate(trained.run, trained.images, cluster=LocalExecutor(), **options)  # type: ignore[arg-type]
    assert one == two
    assert one.images == 16
