from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from alexnet.commands.cache import cache
from alexnet.data import load_pack, open_source
from alexnet.errors import SourceError


@pytest.fixture(autouse=True)
def packs(tmp_path, monkeypatch):
    """A cache with two packs of one source; returns their names."""
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    for name in ("ant", "bee"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(2):
            pixels = np.full((8, 8, 3), 40 * i, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{i}.png")
    source = open_source(tmp_path / "images")
    return [load_pack(source, image_px=side, workers=1).folder.name for side in (8, 9)]


def test_cache_lists_what_is_there(packs, tmp_path):
    report = cache()
    assert {each.name for each in report.packs} == set(packs)
    assert report.folder == str(tmp_path / "cache" / "packs")
    assert report.removed == []
    found = json.loads(json.dumps(report.to_json()))
    assert found["packs"][0]["source"] == str(tmp_path / "images")


def test_cache_clears_one_or_all(packs):
    report = cache(clear=packs[0])
    assert [each.name for each in report.removed] == [packs[0]]
    assert [each.name for each in report.packs] == [packs[1]]
    assert cache(clear="all").packs == []


def test_cache_clears_nothing_else(packs):
    with pytest.raises(SourceError, match=r'has no pack "\.\./\.\."'):
        cache(clear="../..")
    assert len(cache().packs) == 2
