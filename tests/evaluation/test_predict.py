"""Images as each network wants them stored: from files and from packs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.data import load_pack, open_source
from alexnet.errors import RecipeError, SourceError
from alexnet.evaluation import average_members, stored_images
from alexnet.images import Preprocessing


def rule(image_px=8, resize_mode="crop", **options):
    return Preprocessing(
        image_px=image_px,
        crop_px=image_px,
        resize_mode=resize_mode,
        mean=None,
        std=None,
        **options,
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Seven images of two classes, the third of which is no image."""
    folder = tmp_path_factory.mktemp("images")
    for i in range(7):
        pixels = np.random.default_rng(i).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        path = folder / ("ant" if i < 4 else "bee") / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no image" if i == 2 else file.getvalue())
    return open_source(Path(folder))


def test_each_preprocessing_gets_its_own_images_of_one_reading(source, monkeypatch):
    reads = []
    read = type(source).read
    monkeypatch.setattr(type(source), "read", lambda self, i: reads.append(i) or read(self, i))
    rules = [rule(8), rule(6, "squash"), rule(8, order="BGR")]
    parts = list(stored_images(rules, source, np.arange(7), batch_size=3))
    assert sorted(reads) == list(range(7))
    assert [part.indices.tolist() for part in parts] == [[0, 1], [3, 4, 5], [6]]
    assert [index for part in parts for index, _ in part.failures] == [2]
    for part in parts:
        assert part.images[0] is part.images[2]
        for each, stored in zip(rules, part.images, strict=True):
            for index, image in zip(part.indices.tolist(), stored, strict=True):
                wanted = each.read(source.read(index), source.paths[index])
                assert np.array_equal(image, wanted)


@pytest.fixture
def pack(source, tmp_path):
    return load_pack(source, image_px=8, cache="none", quarantine=tmp_path)


def test_a_pack_gives_the_same_images_as_its_source(source, pack):
    from_files = list(stored_images([rule()], source, np.arange(7), batch_size=7))
    order = np.array([5, 0, 3, 1])
    parts = list(stored_images([rule(), rule()], pack, order, batch_size=3))
    assert [part.indices.tolist() for part in parts] == [[5, 0, 3], [1]]
    assert all(part.failures == [] for part in parts)
    for part in parts:
        assert len(part.images) == 2
        assert np.array_equal(part.images[0], from_files[0].images[0][part.indices])


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            rule(6),
            r"8 pixels \(crop\), and these weights take images of 6 \(crop\)\. Name ",
        ),
        (
            rule(8, "pad"),
            r"take images of 8 \(pad\)\. .* again with --image-px 8 --resize-mode pad",
        ),
    ],
)
def test_a_pack_of_another_size_or_resize_mode_is_an_error(pack, other, words):
    with pytest.raises(SourceError, match=words):
        next(stored_images([rule(), other], pack, np.arange(2)))


def test_an_average_of_no_networks_is_an_error():
    with pytest.raises(RecipeError, match="at least 0 and not all 0; got none"):
        average_members([], [])
