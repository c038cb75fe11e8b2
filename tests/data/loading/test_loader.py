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
from alexnet.data.loading.statistics import PrincipalColours
from alexnet.errors import RecipeError, SourceError
from alexnet.images import Preprocessing
from alexnet.images.crops import cut_boxes

SIDE, CROP = 8, 6
COLOURS = PrincipalColours(np.eye(3), np.array([60.0, 20.0, 10.0]))


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (50, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture
def pack(pack_of_pixels, pixels):
    return pack_of_pixels(pixels, np.array([0] * 40 + [1] * 8 + [2] * 2))


def rule(mean=None):
    return Preprocessing(image_px=SIDE, crop_px=CROP, mean=mean, mean_at="crop", scale=None)


@pytest.fixture
def make(pack):
    def make(indices=None, *, batch=8, seed=1, sampling="shuffle", mean=None, **augmentation):
        options = {"colour_noise": 0.1, "principal": COLOURS, "seed": seed, **augmentation}
        return TrainLoader(
            pack,
            np.arange(50) if indices is None else indices,
            rule(mean),
            Augmentation(**options),
            batch=batch,
            seed=seed,
            sampling=sampling,
        )

    return make


def by_picture(batches):
    """What each picture looked like: index -> (3, c, c)."""
    return {
        int(index): image
        for batch in batches
        for index, image in zip(batch.indices, batch.images, strict=True)
    }


def test_batches_are_what_a_network_takes(make, pack):
    batches = list(make(batch=8).epoch(0))
    assert [len(each.labels) for each in batches] == [8] * 6 + [2]  # the short one is kept
    for batch in batches:
        assert batch.images.dtype == torch.float32
        assert batch.images.shape[1:] == (3, CROP, CROP)
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
        assert batch.labels.dtype == torch.int64
        assert batch.labels.tolist() == pack.labels[batch.indices].tolist()
        assert batch.indices.dtype == np.int64


@pytest.mark.parametrize(("count", "batch", "steps"), [(50, 8, 7), (48, 8, 6), (3, 8, 1)])
def test_steps_of_an_epoch_are_counted_with_the_short_one(make, count, batch, steps):
    loader = make(np.arange(count), batch=batch)
    assert loader.steps_per_epoch == steps == len(list(loader.epoch(0)))


def test_each_training_picture_comes_once_in_another_order_each_epoch(make):
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
    batch=st.integers(5, 20),
    sampling=st.sampled_from(["shuffle", "balanced"]),
)
def test_an_epoch_entered_in_the_middle_goes_on_as_it_would_have(make, start, batch, sampling):
    loader = make(batch=batch, sampling=sampling, crop_group=3)
    whole = list(loader.epoch(1))
    rest = list(loader.epoch(1, start))
    assert len(rest) == max(len(whole) - start, 0)
    for one, other in zip(whole[start:], rest, strict=True):
        assert torch.equal(one.images, other.images)
        assert np.array_equal(one.indices, other.indices)


def test_pictures_do_not_depend_on_how_they_are_grouped(make):
    small, large = by_picture(make(batch=7).epoch(2)), by_picture(make(batch=50).epoch(2))
    assert small.keys() == large.keys()
    for index, image in small.items():
        assert torch.equal(image, large[index])


def test_pictures_do_not_depend_on_which_others_are_trained_on(make):
    some, all_ = by_picture(make(np.arange(0, 50, 3)).epoch(2)), by_picture(make().epoch(2))
    for index, image in some.items():
        assert torch.equal(image, all_[index])


def test_pictures_are_cut_mirrored_and_shifted_as_drawn(make, pixels):
    mean = np.random.default_rng(1).uniform(0, 255, (SIDE, SIDE, 3)).astype(np.float32)
    loader = make(mean=mean, colour="program")
    batch = next(iter(loader.epoch(0)))
    augmentation = Augmentation(colour_noise=0.1, principal=COLOURS, seed=1, colour="program")
    draw = augmentation.draw(0, np.arange(8), batch.indices, rule())
    assert draw.mirror.any() and not draw.mirror.all()
    for i, index in enumerate(batch.indices):
        window = np.s_[draw.top[i] : draw.top[i] + CROP, draw.left[i] : draw.left[i] + CROP]
        wanted = pixels[index][window].astype(np.float64) - mean[window]
        wanted = wanted[:, ::-1] if draw.mirror[i] else wanted
        wanted = (wanted + draw.shift[i]) / 1.1
        assert batch.images[i].permute(1, 2, 0).numpy() == pytest.approx(wanted, abs=1e-3)


def test_boxes_are_resized_and_mirrored_as_drawn(make, pixels):
    loader = make(area=0.3, colour_noise=0.0)
    augmentation = Augmentation(area=0.3, seed=1)
    everything = np.arange(50)
    draw = augmentation.draw(3, everything, everything, rule())
    crops = cut_boxes(pixels, draw.boxes, CROP)
    for index, image in by_picture(loader.epoch(3)).items():
        wanted = crops[index][:, ::-1] if draw.mirror[index] else crops[index]
        assert np.array_equal(image.permute(1, 2, 0).numpy(), wanted)


def test_crops_are_cut_by_several_threads_and_leave_none(make):
    before = threading.active_count()
    crops = list(make(batch=20).crops(1))
    assert [tuple(each.crops.shape) for each in crops] == [(20, CROP, CROP, 3)] * 2 + [
        (10, CROP, CROP, 3)
    ]
    assert sorted(np.concatenate([each.indices for each in crops])) == list(range(50))
    stream = make(batch=20).crops(1)
    assert (next(stream).crops == crops[0].crops).all()
    stream.close()
    del stream
    assert threading.active_count() == before


def test_balanced_sampling_shows_rare_classes_as_often_with_other_crops(make, pack):
    batches = list(make(sampling="balanced", batch=50).epoch(0))
    (batch,) = batches
    assert sorted(np.bincount(batch.labels.numpy())) == [16, 17, 17]
    same = np.flatnonzero(batch.indices == 49)
    assert len(same) >= 8
    assert len({batch.images[i].numpy().tobytes() for i in same}) == len(same)


def test_an_error_while_a_batch_is_made_arrives_at_its_step(make, pack, monkeypatch):
    loader = make(batch=10)
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
        loader_module, "prefetched", lambda items, ahead: asked.append(ahead) or iter(items)
    )
    list(make().epoch(0))
    assert asked == [2]


def test_what_cannot_be_loaded_is_refused(make, pack):
    with pytest.raises(SourceError, match="pictures has no training pictures"):
        make(np.arange(0))
    with pytest.raises(RecipeError, match="batch must be at least 1 picture; got 0"):
        make(batch=0)
    with pytest.raises(RecipeError, match='"shuffle" or "balanced"; got "random"'):
        make(sampling="random")
    other = Preprocessing(
        image_px=9, crop_px=9, fit="crop", order="RGB", mean=None, mean_at="crop", scale=None
    )
    with pytest.raises(SourceError, match=r"holds pictures of 8 pixels .* expects 9\. Pack"):
        TrainLoader(pack, np.arange(5), other, Augmentation(), batch=2, seed=0)
