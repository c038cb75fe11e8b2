from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alexnet.data.loading import loader as loader_module
from alexnet.data.loading.augmentation import Augmentation
from alexnet.data.loading.loader import TrainLoader
from alexnet.data.loading.statistics import ColorPCA
from alexnet.errors import RecipeError, SourceError
from alexnet.images import Preprocessing
from alexnet.images.crops import crop_and_resize

SIDE, CROP = 8, 6
COLORS = ColorPCA(np.eye(3), np.array([60.0, 20.0, 10.0]))


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (50, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture
def pack(pack_of_pixels, pixels):
    return pack_of_pixels(pixels, np.array([0] * 40 + [1] * 8 + [2] * 2))


def rule(mean=None):
    return Preprocessing(image_px=SIDE, crop_px=CROP, mean=mean, mean_at="crop", std=None)


@pytest.fixture
def make(pack):
    def make(indices=None, *, batch_size=8, seed=1, sampling="shuffle", mean=None, **augmentation):
        options = {"color_jitter": 0.1, "color_pca": COLORS, "seed": seed, **augmentation}
        return TrainLoader(
            pack,
            np.arange(50) if indices is None else indices,
            rule(mean),
            Augmentation(**options),
            batch_size=batch_size,
            seed=seed,
            sampling=sampling,
        )

    return make


def by_image(batches):
    """What each image looked like: index -> (3, c, c)."""
    return {
        int(index): image
        for batch in batches
        for index, image in zip(batch.indices, batch.images, strict=True)
    }


def test_batches_are_what_a_network_takes(make, pack):
    batches = list(make(batch_size=8).epoch(0))
    assert [len(each.labels) for each in batches] == [8] * 6 + [2]  # the short one is kept
    for batch in batches:
        assert batch.images.dtype == torch.float32
        assert batch.images.shape[1:] == (3, CROP, CROP)
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
        assert batch.labels.dtype == torch.int64
        assert batch.labels.tolist() == pack.labels[batch.indices].tolist()
        assert batch.indices.dtype == np.int64


@pytest.mark.parametrize(("count", "batch_size", "steps"), [(50, 8, 7), (48, 8, 6), (3, 8, 1)])
def test_steps_of_an_epoch_are_counted_with_the_short_one(make, count, batch_size, steps):
    loader = make(np.arange(count), batch_size=batch_size)
    assert loader.steps_per_epoch == steps == len(list(loader.epoch(0)))


def test_each_training_image_comes_once_in_another_order_each_epoch(make):
    train = np.arange(5, 45)
    loader = make(train)
    orders = [np.concatenate([b.indices for b in loader.epoch(epoch)]) for epoch in range(3)]
    for order in orders:
        assert sorted(order) == list(train)
    assert (orders[0] != orders[1]).any()
    assert (orders[1] != orders[2]).any()


def test_an_epoch_is_the_same_bits_whenever_it_is_asked_for(make):
    first = list(make().epoch(3))
    loader = make()
    list(loader.epoch(0))
    for one, other in zip(first, loader.epoch(3), strict=True):
        assert torch.equal(one.images, other.images)
        assert np.array_equal(one.indices, other.indices)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.integers(0, 8),
    batch_size=st.integers(5, 20),
    sampling=st.sampled_from(["shuffle", "balanced"]),
)
def test_an_epoch_entered_in_the_middle_goes_on_as_it_would_have(make, start, batch_size, sampling):
    loader = make(batch_size=batch_size, sampling=sampling, crop_group=3)
    whole = list(loader.epoch(1))
    rest = list(loader.epoch(1, start))
    assert len(rest) == max(len(whole) - start, 0)
    for one, other in zip(whole[start:], rest, strict=True):
        assert torch.equal(one.images, other.images)
        assert np.array_equal(one.indices, other.indices)


def test_images_do_not_depend_on_how_they_are_grouped(make):
    small, large = by_image(make(batch_size=7).epoch(2)), by_image(make(batch_size=50).epoch(2))
    assert small.keys() == large.keys()
    for index, image in small.items():
        assert torch.equal(image, large[index])


def test_images_do_not_depend_on_which_others_are_trained_on(make):
    some, all_ = by_image(make(np.arange(0, 50, 3)).epoch(2)), by_image(make().epoch(2))
    for index, image in some.items():
        assert torch.equal(image, all_[index])


def test_images_are_cut_mirrored_and_shifted_as_drawn(make, pixels):
    mean = np.random.default_rng(1).uniform(0, 255, (SIDE, SIDE, 3)).astype(np.float32)
    loader = make(mean=mean, color_jitter_form="program")
    batch = next(iter(loader.epoch(0)))
    augmentation = Augmentation(
        color_jitter=0.1, color_pca=COLORS, seed=1, color_jitter_form="program"
    )
    params = augmentation.sample(0, np.arange(8), batch.indices, rule())
    assert params.mirror.any() and not params.mirror.all()
    for i, index in enumerate(batch.indices):
        window = np.s_[params.top[i] : params.top[i] + CROP, params.left[i] : params.left[i] + CROP]
        expected = pixels[index][window].astype(np.float64) - mean[window]
        expected = expected[:, ::-1] if params.mirror[i] else expected
        expected = (expected + params.shift[i]) / 1.1
        assert batch.images[i].permute(1, 2, 0).numpy() == pytest.approx(expected, abs=1e-3)


def test_boxes_are_resized_and_mirrored_as_drawn(make, pixels):
    loader = make(random_resized_crop=0.3, color_jitter=0.0)
    augmentation = Augmentation(random_resized_crop=0.3, seed=1)
    everything = np.arange(50)
    params = augmentation.sample(3, everything, everything, rule())
    crops = crop_and_resize(pixels, params.boxes, CROP)
    for index, image in by_image(loader.epoch(3)).items():
        expected = crops[index][:, ::-1] if params.mirror[index] else crops[index]
        assert np.array_equal(image.permute(1, 2, 0).numpy(), expected)


def test_crops_are_cut_by_several_threads_and_leave_none(make):
    before = threading.active_count()
    crops = list(make(batch_size=20).crops(1))
    assert [tuple(each.crops.shape) for each in crops] == [(20, CROP, CROP, 3)] * 2 + [
        (10, CROP, CROP, 3)
    ]
    assert sorted(np.concatenate([each.indices for each in crops])) == list(range(50))
    stream = make(batch_size=20).crops(1)
    assert (next(stream).crops == crops[0].crops).all()
    stream.close()
    del stream
    assert threading.active_count() == before


def test_balanced_sampling_shows_rare_classes_as_often_with_other_crops(make, pack):
    batches = list(make(sampling="balanced", batch_size=50).epoch(0))
    (batch,) = batches
    assert sorted(np.bincount(batch.labels.numpy())) == [16, 17, 17]
    same = np.flatnonzero(batch.indices == 49)
    assert len(same) >= 8
    assert len({batch.images[i].numpy().tobytes() for i in same}) == len(same)


def test_an_error_while_a_batch_is_made_arrives_at_its_step(make, pack, monkeypatch):
    loader = make(batch_size=10)
    stored, calls = pack.pixels.stored, []

    def failing(indices):
        calls.append(1)
        if len(calls) == 3:
            raise SourceError("shard-00001.u8 is damaged")
        return stored(indices)

    monkeypatch.setattr(type(pack.pixels), "stored", lambda self, indices: failing(indices))
    stream = loader.epoch(0)
    next(stream)
    next(stream)
    with pytest.raises(SourceError, match=r"shard-00001\.u8 is damaged"):
        next(stream)


def test_stopping_early_leaves_no_thread(make):
    before = threading.active_count()
    for batch in make().epoch(0):
        assert len(batch.labels) == 8
        break
    stream = make().epoch(1)
    next(stream)
    stream.close()
    assert threading.active_count() == before


def test_two_batches_are_made_ahead(make, monkeypatch):
    asked = []
    monkeypatch.setattr(
        loader_module, "prefetch", lambda items, ahead: asked.append(ahead) or iter(items)
    )
    list(make().epoch(0))
    assert asked == [2]


def test_what_cannot_be_loaded_is_refused(make, pack):
    with pytest.raises(SourceError, match="images has no training images"):
        make(np.arange(0))
    with pytest.raises(RecipeError, match="batch_size must be at least 1 image; got 0"):
        make(batch_size=0)
    with pytest.raises(RecipeError, match='"shuffle" or "balanced"; got "random"'):
        make(sampling="random")
    other = Preprocessing(
        image_px=9,
        crop_px=9,
        resize_mode="crop",
        order="RGB",
        mean=None,
        mean_at="crop",
        std=None,
    )
    with pytest.raises(SourceError, match=r"holds images of 8 pixels .* expects 9\. Pack"):
        TrainLoader(pack, np.arange(5), other, Augmentation(), batch_size=2, seed=0)
