"""Pictures finished on a device, by torch and by Triton: the bits of the one preprocessing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.images import Finisher, Preprocessing
from alexnet.images import device as finishing

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def kernels():
    pytest.importorskip("triton", reason="the kernel needs triton")
    from alexnet.kernels import triton_crops as triton_cutting

    return triton_cutting


@pytest.fixture(scope="module", params=["torch", "triton"])
def make(request):
    """Makes finishers of one form."""
    found = kernels() if request.param == "triton" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finishing, "kernels_of", lambda kind: found)
        yield lambda rule: Finisher(rule, DEVICE)


def rule_of(side, crop, mean, order, scaled, draw) -> Preprocessing:
    image = draw.uniform(0, 255, (side, side, 3)).astype(np.float32)
    return Preprocessing(
        image_px=side,
        crop_px=crop,
        mean={"none": None, "colour": image[0, 0]}.get(mean, image),
        mean_at="centre" if mean == "centre" else "crop",
        scale=draw.uniform(30, 80, 3).astype(np.float32) if scaled else None,
        order=order,
    )


def there(numbers) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(numbers)).to(DEVICE)


@settings(max_examples=60, deadline=None)
@given(
    crop=st.integers(1, 21),
    margin=st.integers(0, 5),
    count=st.integers(1, 5),
    mean=st.sampled_from(["none", "colour", "image", "centre"]),
    order=st.sampled_from(["RGB", "BGR"]),
    scaled=st.booleans(),
    shifted=st.booleans(),
    divide=st.sampled_from([1.0, 1.1]),
    seed=st.integers(0, 99),
)
def test_the_bits_are_those_of_the_one_preprocessing(
    make, crop, margin, count, mean, order, scaled, shifted, divide, seed
):
    draw = np.random.default_rng(seed)
    rule = rule_of(crop + margin, crop, mean, order, scaled, draw)
    pictures = draw.integers(0, 256, (7, crop + margin, crop + margin, 3), dtype=np.uint8)
    which = draw.integers(0, 7, count)
    top, left = draw.integers(0, margin + 1, (2, count))
    mirror = draw.random(count) < 0.5
    shift = draw.normal(0, 20, (count, 3)).astype(np.float32) if shifted else None
    crops = rule.cut(pictures[which], top, left, mirror)
    wanted = rule.to_tensor(crops, top, left, mirror, shift=shift, divide=divide)
    finisher = make(rule)
    places = there(np.stack([which, top, left, mirror]))
    options = {"shift": None if shift is None else there(shift), "divide": divide}
    for pixels, cut in ((pictures, True), (crops, False)):
        found = finisher.numbers(there(pixels), places, cut=cut, **options)
        assert found.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(found.cpu(), wanted)


def test_pictures_beyond_two_gigabytes_are_found(make):
    """Their bytes are mapped but never touched, all but the last picture's."""
    side, count = 1024, 800
    pictures = np.zeros((count, side, side, 3), dtype=np.uint8)
    assert pictures.size > 2**31
    pictures[-1] = np.arange(side * 3).reshape(side, 3) % 251
    rule = Preprocessing(image_px=side, crop_px=8)
    places = np.array([[count - 1, 0], [1000, 0], [1010, 0], [0, 0]])
    found = make(rule).numbers(there(pictures), there(places), cut=True).cpu()
    wanted = pictures[-1, 1000:1008, 1010:1018].astype(np.float32)
    assert np.array_equal(found[0].permute(1, 2, 0).numpy(), wanted)
    assert not found[1].any()


def test_the_proof_passes_and_finds_what_is_spoilt(monkeypatch):
    cutting = kernels()
    assert finishing.wrong(cutting, DEVICE) is None
    run = cutting.run
    monkeypatch.setattr(cutting, "run", lambda *pixels, **options: run(*pixels, **options) + 1)
    assert "a batch differs by 1 " in (finishing.wrong(cutting, DEVICE) or "")


def test_the_form_is_said(make, request):
    said = make(Preprocessing(image_px=8, crop_px=6)).form
    assert said in ("torch's operators", "one kernel of Triton")
    assert Finisher(Preprocessing(image_px=8, crop_px=6), DEVICE, fused=False).form == (
        "torch's operators"
    )
