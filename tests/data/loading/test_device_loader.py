"""Batches for a device, here a processor: the bits that the loader for a processor gives."""

from __future__ import annotations

import contextlib
import threading

import numpy as np
import pytest
import torch

from alexnet.data.loading import device_loader as feeding
from alexnet.data.loading.augmentation import Augmentation
from alexnet.data.loading.device_loader import Feeder
from alexnet.data.loading.loader import TrainLoader
from alexnet.data.loading.statistics import PrincipalColours
from alexnet.devices import finish
from alexnet.images import Preprocessing
from alexnet.images import device as finishing

SIDE, CROP = 9, 6
COLOURS = PrincipalColours(np.eye(3), np.array([60.0, 20.0, 10.0]))
TRAIN = np.random.default_rng(3).permutation(50)[:41]


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (50, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture
def pack(pack_of_pixels, pixels):
    return pack_of_pixels(pixels, np.arange(50) % 3)


def rule(mean="image", order="RGB"):
    image = np.random.default_rng(1).uniform(0, 255, (SIDE, SIDE, 3)).astype(np.float32)
    return Preprocessing(
        image_px=SIDE,
        crop_px=CROP,
        mean={"none": None, "channel": image[0, 0]}.get(mean, image),
        mean_at="centre" if mean == "centre" else "crop",
        scale=np.array([50, 60, 70], dtype=np.float32),
        order=order,
    )


@pytest.fixture
def make(pack):
    """A loader, and the same one with a feeder for a device that is this processor."""

    def make(preprocessing=None, *, area=1.0, sampling="shuffle", batch=12):
        preprocessing = preprocessing or rule()
        augmentation = Augmentation(
            colour="program", colour_noise=0.1, principal=COLOURS, seed=1, area=area
        )
        plain, fed = (
            TrainLoader(
                pack, TRAIN, preprocessing, augmentation, batch=batch, seed=1, sampling=sampling
            )
            for _ in range(2)
        )
        fed._feeder = Feeder(pack, TRAIN, preprocessing, "cpu", boxes=area < 1)
        return plain, fed

    return make


@pytest.fixture(params=["torch", "triton"])
def form(request, monkeypatch):
    """Which form finishes the batches."""
    if request.param == "triton":
        pytest.importorskip("triton", reason="the kernel needs triton")
        if torch.cuda.is_available():
            pytest.skip("on a GPU Triton's interpreter is off")
        from alexnet.kernels import triton_crops as triton_cutting

        monkeypatch.setattr(finishing, "kernels_of", lambda kind: triton_cutting)
    return request.param


@pytest.fixture
def room(monkeypatch):
    """Say how much memory the device has left."""
    return lambda size: monkeypatch.setattr(feeding, "free_bytes", lambda kind: size)


NEEDED = len(TRAIN) * 3 * SIDE * SIDE


def same(one, other):
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first.images, second.images)
        assert second.images.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(first.labels, second.labels)
        assert np.array_equal(first.indices, second.indices)


@pytest.mark.parametrize("size", [2 * NEEDED, 2 * NEEDED - 1], ids=["fits", "does not"])
@pytest.mark.parametrize("mean", ["none", "image", "centre", "channel"])
def test_the_bits_are_those_of_the_loader_for_a_processor(make, room, form, size, mean):
    room(size)
    plain, fed = make(rule(mean, order="BGR" if mean == "image" else "RGB"))
    same(plain.epoch(4), fed.epoch(4))
    assert fed.on_device == (size == 2 * NEEDED)
    assert not plain.on_device
    same(plain.epoch(2, 2), fed.epoch(2, 2))


def test_boxes_are_cut_by_the_cores_to_the_same_bits(make, room, form):
    room(2 * NEEDED)
    plain, fed = make(area=0.4)
    same(plain.epoch(1), fed.epoch(1))
    assert not fed.on_device


def test_balanced_batches_are_the_same_bits(make, room):
    room(2 * NEEDED)
    plain, fed = make(sampling="balanced")
    same(plain.epoch(1), fed.epoch(1))


def test_pictures_are_copied_once_in_pieces_and_only_those_that_are_trained_on(
    make, pack, room, monkeypatch
):
    room(2 * NEEDED)
    monkeypatch.setattr(feeding, "_PIECE", 7 * 3 * SIDE * SIDE)
    stored, asked = pack.pixels.stored, []

    def reading(self, indices):
        asked.append(indices)
        return stored(indices)

    plain, fed = make()
    wanted = list(plain.epoch(0))
    monkeypatch.setattr(type(pack.pixels), "stored", reading)
    same(wanted, fed.epoch(0))
    list(fed.epoch(1))
    assert [len(each) for each in asked] == [7] * 5 + [6]
    assert np.concatenate(asked).tolist() == sorted(TRAIN)  # as they lie in the shards


def test_where_batches_are_cut_is_said(make, room):
    plain, fed = make()
    assert plain.open() == "pictures cut by one thread, two batches ahead"
    room(0)
    assert fed.open() == (
        "pictures copied two batches ahead from pinned memory, finished by torch's operators"
    )
    room(1 << 40)
    _, fed = make()
    assert fed.open() == "pictures on the device, 9.96 kB, cut there by torch's operators"
    _, boxed = make(area=0.5)
    assert boxed.open().startswith("pictures copied two batches ahead")


def test_memory_that_is_gone_after_all_is_a_warning(make, room, monkeypatch, caplog):
    room(1 << 40)

    def gone(*shape, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    plain, fed = make()
    with monkeypatch.context() as patch:
        patch.setattr(feeding, "pinned", gone)
        assert fed.open().startswith("pictures copied two batches ahead")
    assert "The pictures (9.96 kB) did not fit on the device after all" in caplog.text
    same(plain.epoch(0), fed.epoch(0))


class Watched:
    """Stands in for the lane: writes down who asked for what, and where."""

    def __init__(self, said):
        self.said, self.inside = said, threading.local()

    @contextlib.contextmanager
    def beside(self):
        self.inside.yes = True
        yield
        self.inside.yes = False

    def hand_over(self, made, tensors):
        assert threading.current_thread() is threading.main_thread()
        assert all(isinstance(each, torch.Tensor) for each in tensors)
        self.said.append(f"handed over: {made}")

    def mark(self, kind):
        if getattr(self.inside, "yes", False):
            assert threading.current_thread() is not threading.main_thread()
            return "made on the lane"
        self.said.append("used")
        return f"used {self.said.count('used')}"


@pytest.mark.parametrize("size", [2 * NEEDED, 0], ids=["fits", "does not"])
def test_work_goes_to_the_lane_and_the_program_is_few_batches_ahead(make, room, monkeypatch, size):
    room(size)
    said = []
    _, fed = make(batch=4)
    lane = Watched(said)
    fed._feeder._lane = lane
    monkeypatch.setattr(feeding, "mark", lane.mark)
    monkeypatch.setattr(feeding, "reach", lambda found: said.append(f"reached: {found}"))
    monkeypatch.setattr(feeding, "_BEHIND", 2)
    said.extend("a step" for _ in fed.epoch(0))
    one = ["handed over: made on the lane", "a step", "used"]
    rest = [line for i in range(1, 9) for line in (f"reached: used {i}", *one)]
    assert said == [*one * 3, *rest, "reached: used 9"]


def test_stopping_early_leaves_no_thread(make, room):
    before = threading.active_count()
    for size in (0, 2 * NEEDED):
        room(size)
        _, fed = make()
        stream = fed.epoch(1)
        next(stream)
        stream.close()
        del stream
        assert threading.active_count() == before


@pytest.mark.gpu
@pytest.mark.parametrize("share", [0.5, 0.0], ids=["fits", "does not"])
def test_on_a_gpu_the_bits_are_the_same(pack, monkeypatch, share):
    monkeypatch.setattr(feeding, "_SHARE", share)
    augmentation = Augmentation(colour_noise=0.1, principal=COLOURS, seed=1, colour="program")
    here, there = (
        TrainLoader(pack, TRAIN, rule(), augmentation, batch=7, seed=1, device_kind=kind)
        for kind in ("cpu", "cuda")
    )
    for epoch in range(3):
        for one, other in zip(here.epoch(epoch), there.epoch(epoch), strict=True):
            assert other.images.device.type == other.labels.device.type == "cuda"
            assert torch.equal(one.images, other.images.cpu())
            assert torch.equal(one.labels, other.labels.cpu())
    assert there.on_device == (share > 0)
    finish("cuda")
