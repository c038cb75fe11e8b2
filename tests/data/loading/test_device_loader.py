"""Batches for a device, here a processor: the bits that the loader for a processor gives."""

from __future__ import annotations

import contextlib
import threading

import numpy as np
import pytest
import torch

from alexnet.data.loading import device_loader
from alexnet.data.loading.augmentation import Augmentation
from alexnet.data.loading.device_loader import DeviceLoader
from alexnet.data.loading.loader import TrainLoader
from alexnet.data.loading.statistics import ColorPCA
from alexnet.devices import synchronize
from alexnet.images import Preprocessing, device_preprocessing

SIDE, CROP = 9, 6
COLORS = ColorPCA(np.eye(3), np.array([60.0, 20.0, 10.0]))
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
        mean_at="center" if mean == "center" else "crop",
        std=np.array([50, 60, 70], dtype=np.float32),
        order=order,
    )


@pytest.fixture
def make(pack):
    """A loader, and the same one for a device that is this processor."""

    def make(preprocessing=None, *, random_resized_crop=1.0, sampling="shuffle", batch_size=12):
        preprocessing = preprocessing or rule()
        augmentation = Augmentation(
            color_jitter_form="program",
            color_jitter=0.1,
            color_pca=COLORS,
            seed=1,
            random_resized_crop=random_resized_crop,
        )
        plain, on_device = (
            TrainLoader(
                pack,
                TRAIN,
                preprocessing,
                augmentation,
                batch_size=batch_size,
                seed=1,
                sampling=sampling,
            )
            for _ in range(2)
        )
        on_device._device_loader = DeviceLoader(
            pack, TRAIN, preprocessing, "cpu", boxes=random_resized_crop < 1
        )
        return plain, on_device

    return make


@pytest.fixture(params=["torch", "triton"])
def implementation(request, monkeypatch):
    """What normalizes the batches."""
    if request.param == "triton":
        pytest.importorskip("triton", reason="the kernel needs triton")
        if torch.cuda.is_available():
            pytest.skip("on a GPU Triton's interpreter is off")
        from alexnet.kernels import triton_crops

        monkeypatch.setattr(device_preprocessing, "device_kernels", lambda kind: triton_crops)
    return request.param


@pytest.fixture
def room(monkeypatch):
    """Say how much memory the device has left."""
    return lambda size: monkeypatch.setattr(device_loader, "free_bytes", lambda kind: size)


NEEDED = len(TRAIN) * 3 * SIDE * SIDE


def same(one, other):
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first.images, second.images)
        assert second.images.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(first.labels, second.labels)
        assert np.array_equal(first.indices, second.indices)


@pytest.mark.parametrize("size", [2 * NEEDED, 2 * NEEDED - 1], ids=["fits", "does not"])
@pytest.mark.parametrize("mean", ["none", "image", "center", "channel"])
def test_the_bits_are_those_of_the_loader_for_a_processor(make, room, implementation, size, mean):
    room(size)
    plain, on_device = make(rule(mean, order="BGR" if mean == "image" else "RGB"))
    same(plain.epoch(4), on_device.epoch(4))
    assert on_device.on_device == (size == 2 * NEEDED)
    assert not plain.on_device
    same(plain.epoch(2, 2), on_device.epoch(2, 2))


def test_random_resized_crops_are_made_by_the_cores_to_the_same_bits(make, room, implementation):
    room(2 * NEEDED)
    plain, on_device = make(random_resized_crop=0.4)
    same(plain.epoch(1), on_device.epoch(1))
    assert not on_device.on_device


def test_balanced_batches_are_the_same_bits(make, room):
    room(2 * NEEDED)
    plain, on_device = make(sampling="balanced")
    same(plain.epoch(1), on_device.epoch(1))


def test_images_are_copied_once_in_pieces_and_only_those_that_are_trained_on(
    make, pack, room, monkeypatch
):
    room(2 * NEEDED)
    monkeypatch.setattr(device_loader, "_COPY_BYTES", 7 * 3 * SIDE * SIDE)
    stored, asked = pack.pixels.stored, []

    def reading(self, indices):
        asked.append(indices)
        return stored(indices)

    plain, on_device = make()
    expected = list(plain.epoch(0))
    monkeypatch.setattr(type(pack.pixels), "stored", reading)
    same(expected, on_device.epoch(0))
    list(on_device.epoch(1))
    assert [len(each) for each in asked] == [7] * 5 + [6]
    assert np.concatenate(asked).tolist() == sorted(TRAIN)  # as they lie in the shards


def test_open_says_where_batches_are_made(make, room):
    plain, on_device = make()
    assert plain.open() == "images cropped by one thread, two batches ahead"
    room(0)
    assert on_device.open() == (
        "crops copied two batches ahead from pinned memory, normalized by torch's operators"
    )
    room(1 << 40)
    _, on_device = make()
    assert on_device.open() == "images on the device, 9.96 kB, cropped there by torch's operators"
    _, boxed = make(random_resized_crop=0.5)
    assert boxed.open().startswith("crops copied two batches ahead")


def test_memory_that_is_gone_after_all_is_a_warning(make, room, monkeypatch, caplog):
    room(1 << 40)

    def gone(*shape, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    plain, on_device = make()
    with monkeypatch.context() as patch:
        patch.setattr(device_loader, "empty_pinned", gone)
        assert on_device.open().startswith("crops copied two batches ahead")
    assert "The images (9.96 kB) did not fit on the device after all" in caplog.text
    same(plain.epoch(0), on_device.epoch(0))


class Watched:
    """Stands in for the side stream: writes down who asked for what, and where."""

    def __init__(self, said):
        self.said, self.inside = said, threading.local()

    @contextlib.contextmanager
    def context(self):
        self.inside.yes = True
        yield
        self.inside.yes = False

    def make_available(self, made, tensors):
        assert threading.current_thread() is threading.main_thread()
        assert all(isinstance(each, torch.Tensor) for each in tensors)
        self.said.append(f"handed over: {made}")

    def mark(self, kind):
        if getattr(self.inside, "yes", False):
            assert threading.current_thread() is not threading.main_thread()
            return "made on the stream"
        self.said.append("used")
        return f"used {self.said.count('used')}"


@pytest.mark.parametrize("size", [2 * NEEDED, 0], ids=["fits", "does not"])
def test_work_goes_to_the_side_stream_and_few_batches_are_under_way(make, room, monkeypatch, size):
    room(size)
    said = []
    _, on_device = make(batch_size=4)
    stream = Watched(said)
    on_device._device_loader._stream = stream
    monkeypatch.setattr(device_loader, "record_event", stream.mark)
    monkeypatch.setattr(device_loader, "wait_event", lambda found: said.append(f"reached: {found}"))
    monkeypatch.setattr(device_loader, "_MAX_UNDER_WAY", 2)
    said.extend("a step" for _ in on_device.epoch(0))
    one = ["handed over: made on the stream", "a step", "used"]
    rest = [line for i in range(1, 9) for line in (f"reached: used {i}", *one)]
    assert said == [*one * 3, *rest, "reached: used 9"]


def test_stopping_early_leaves_no_thread(make, room):
    before = threading.active_count()
    for size in (0, 2 * NEEDED):
        room(size)
        _, on_device = make()
        stream = on_device.epoch(1)
        next(stream)
        stream.close()
        del stream
        assert threading.active_count() == before


@pytest.mark.gpu
@pytest.mark.parametrize("share", [0.5, 0.0], ids=["fits", "does not"])
def test_on_a_gpu_the_bits_are_the_same(pack, monkeypatch, share):
    monkeypatch.setattr(device_loader, "_MEMORY_SHARE", share)
    augmentation = Augmentation(
        color_jitter=0.1, color_pca=COLORS, seed=1, color_jitter_form="program"
    )
    here, there = (
        TrainLoader(pack, TRAIN, rule(), augmentation, batch_size=7, seed=1, device_kind=kind)
        for kind in ("cpu", "cuda")
    )
    for epoch in range(3):
        for one, other in zip(here.epoch(epoch), there.epoch(epoch), strict=True):
            assert other.images.device.type == other.labels.device.type == "cuda"
            assert torch.equal(one.images, other.images.cpu())
            assert torch.equal(one.labels, other.labels.cpu())
    assert there.on_device == (share > 0)
    synchronize("cuda")
