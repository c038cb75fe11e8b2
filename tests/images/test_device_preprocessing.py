"""Images cropped and normalized on a device, by torch and Triton: the bits of `Preprocessing`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.images import DevicePreprocessing, Preprocessing, device_preprocessing

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def kernels():
    pytest.importorskip("triton", reason="the kernel needs triton")
    from alexnet.kernels import triton_crops

    return triton_crops


@pytest.fixture(scope="module", params=["torch", "triton"])
def make(request):
    """Makes preprocessings of one implementation."""
    module = kernels() if request.param == "triton" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device_preprocessing, "device_kernels", lambda kind: module)
        yield lambda rule: DevicePreprocessing(rule, DEVICE)


def rule_of(side, crop, mean, order, scaled, rng) -> Preprocessing:
    image = rng.uniform(0, 255, (side, side, 3)).astype(np.float32)
    return Preprocessing(
        image_px=side,
        crop_px=crop,
        mean={"none": None, "color": image[0, 0]}.get(mean, image),
        mean_at="center" if mean == "center" else "crop",
        std=rng.uniform(30, 80, 3).astype(np.float32) if scaled else None,
        order=order,
    )


def there(numbers) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(numbers)).to(DEVICE)


@settings(max_examples=60, deadline=None)
@given(
    crop=st.integers(1, 21),
    margin=st.integers(0, 5),
    count=st.integers(1, 5),
    mean=st.sampled_from(["none", "color", "image", "center"]),
    order=st.sampled_from(["RGB", "BGR"]),
    scaled=st.booleans(),
    shifted=st.booleans(),
    divide=st.sampled_from([1.0, 1.1]),
    seed=st.integers(0, 99),
)
def test_device_preprocessing_gives_the_bits_of_preprocessing(
    make, crop, margin, count, mean, order, scaled, shifted, divide, seed
):
    rng = np.random.default_rng(seed)
    rule = rule_of(crop + margin, crop, mean, order, scaled, rng)
    images = rng.integers(0, 256, (7, crop + margin, crop + margin, 3), dtype=np.uint8)
    which = rng.integers(0, 7, count)
    top, left = rng.integers(0, margin + 1, (2, count))
    mirror = rng.random(count) < 0.5
    shift = rng.normal(0, 20, (count, 3)).astype(np.float32) if shifted else None
    crops = rule.crop(images[which], top, left, mirror)
    expected = rule.normalize(crops, top, left, mirror, shift=shift, divide=divide)
    preprocessing = make(rule)
    places = there(np.stack([which, top, left, mirror]))
    options = {"shift": None if shift is None else there(shift), "divide": divide}
    for pixels, whole in ((images, True), (crops, False)):
        batch = preprocessing.crop_and_normalize(there(pixels), places, crop=whole, **options)
        assert batch.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(batch.cpu(), expected)


def test_images_beyond_two_gigabytes_are_cropped(make):
    """Their bytes are mapped but never touched, all but the last image's."""
    side, count = 1024, 800
    images = np.zeros((count, side, side, 3), dtype=np.uint8)
    assert images.size > 2**31
    images[-1] = np.arange(side * 3).reshape(side, 3) % 251
    rule = Preprocessing(image_px=side, crop_px=8)
    places = np.array([[count - 1, 0], [1000, 0], [1010, 0], [0, 0]])
    preprocessing = make(rule)
    batch = preprocessing.crop_and_normalize(there(images), there(places), crop=True).cpu()
    expected = images[-1, 1000:1008, 1010:1018].astype(np.float32)
    assert np.array_equal(batch[0].permute(1, 2, 0).numpy(), expected)
    assert not batch[1].any()


def test_verification_passes_and_finds_a_wrong_kernel(monkeypatch):
    module = kernels()
    assert device_preprocessing.kernel_mismatch(module, DEVICE) is None
    right = module.crop_and_normalize
    monkeypatch.setattr(module, "crop_and_normalize", lambda *args, **kw: right(*args, **kw) + 1)
    mismatch = device_preprocessing.kernel_mismatch(module, DEVICE)
    assert "a batch differs by 1 " in (mismatch or "")


def test_the_implementation_is_named(make):
    rule = Preprocessing(image_px=8, crop_px=6)
    assert make(rule).implementation in ("torch's operators", "one kernel of Triton")
    plain = DevicePreprocessing(rule, DEVICE, fused=False)
    assert plain.implementation == "torch's operators"
