"""Packs on a small web server of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures.web_folder import WebFolder

pytest.importorskip("aiohttp", reason="extra remote")
pytest.importorskip("fsspec", reason="extra remote")

from alexnet.data.packs import writer
from alexnet.data.packs.pack import Pack, open_pack
from alexnet.data.remote import store

SIDE = 8
SHARD_IMAGES = 10


@pytest.fixture(autouse=True)
def _quick(monkeypatch, tmp_path) -> None:
    """A cache of the test's own, and stores that are not waited for long."""
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "PATIENCE_S", 5.0)
    monkeypatch.setattr(store, "FIRST_PATIENCE_S", 0.3)
    monkeypatch.setattr(store, "_FIRST_WAIT_S", 0.02)


@pytest.fixture
def web(tmp_path) -> Iterator[WebFolder]:
    """A running server of an empty folder."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = WebFolder(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def write_tiny(monkeypatch, tiny_source) -> Callable[..., Pack]:
    """Writes a pack of 64 images in seven shards of ten."""
    monkeypatch.setattr(writer, "SHARD_BYTES", 3 * SIDE * SIDE * SHARD_IMAGES)

    def write(folder: Path, *, backward: bool = False, **options: object) -> Pack:
        source = tiny_source(64)
        if backward:
            source.files.reverse()
        return writer.write_pack(source, folder, image_px=SIDE, **options)

    return write


@pytest.fixture(params=["pixels", "jpeg"])
def packs(request, web, write_tiny) -> SimpleNamespace:
    """The same pack in its folder (`local`) and, through `open`, on the server."""
    local = write_tiny(web.folder / "pack", store=request.param)

    def open_remote(**options: object) -> Pack:
        return open_pack(f"{web.url}/pack", **options)

    return SimpleNamespace(local=local, open=open_remote, url=f"{web.url}/pack")
