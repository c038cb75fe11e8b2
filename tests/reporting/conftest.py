"""Report data made of nothing, and a Chromium that is driven through its own pipe."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from alexnet.evaluation import compute_metrics
from alexnet.recipe import Recipe
from alexnet.records import Epoch
from alexnet.reporting import ReportData

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

# Chromium looks for its pipe at the descriptors 3 and 4; the two must not lie there before.
_MOVED = """
import os, sys
for given, wanted in zip(sys.argv[1:3], (3, 4)):
    os.dup2(int(given), wanted)
os.execv(sys.argv[3], sys.argv[3:])
"""


def make_epoch(epoch: int, **changes: Any) -> Epoch:
    return Epoch(
        **{
            "epoch": epoch,
            "step": 10 * epoch,
            "lr": 0.01,
            "train_loss": 2.0 / epoch,
            "train_error": 0.5 / epoch,
            "val_loss": 2.1 / epoch,
            "val_error": 0.6 / epoch,
            "val_top5_error": 0.1 / epoch,
            "images_per_s": 1000.0 + epoch,
            "seconds": 1.5,
            "best": True,
            **changes,
        }
    )


def make_image(item: int, side: int) -> NDArray[np.uint8]:
    """An image that no other item has: a gradient in a color of its own."""
    slope = np.linspace(0, 1, side)
    color = np.random.default_rng(item).integers(60, 256, 3)
    return (slope[:, None, None] * slope[None, :, None] * color).astype(np.uint8)


def make_report_data(
    n: int = 40,
    k: int = 4,
    *,
    classes: Sequence[str] | None = None,
    accuracy: float = 0.75,
    side: int = 16,
    seed: int = 0,
    **changes: Any,
) -> ReportData:
    """N predictions among K classes, about `accuracy` of them correct, and the rest."""
    draw = np.random.default_rng(seed)
    classes = classes or [f"class {i}" for i in range(k)]
    k = len(classes)
    labels = np.arange(n, dtype=np.int64) % k
    others = (labels + draw.integers(1, max(k, 2), n)) % k
    predicted = np.where(draw.random(n) < accuracy, labels, others)
    probabilities = draw.random((n, k)).astype(np.float32) + 0.05
    probabilities[np.arange(n), predicted] += draw.random(n).astype(np.float32) * 3 * k / 4 + 1
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    values: dict[str, Any] = {
        "title": "ants and bees",
        "command": "alexnet train bees --recipe small",
        "split": "test",
        "recipe": Recipe().to_json(),
        "epochs": [make_epoch(e) for e in range(1, 6)],
        "results": compute_metrics(probabilities, labels, classes, crops=1),
        "paths": [f"{classes[label]}/{i:05}.png" for i, label in enumerate(labels)],
        "labels": labels,
        "probabilities": probabilities,
        "classes": classes,
        "image": lambda item: make_image(item, side),
        "filters": draw.normal(size=(8, 3, 5, 5)).astype(np.float32),
        "facts": {"machine": "two cores", "training time": "12 s", "torch": "2.13"},
        "preprocessing": {"resize_mode": "the central square"},
        "split_sizes": {"train": 300, "test": n},
        "skipped": [("class 0/torn.jpg", "it is cut off")],
        "notes": ["A sentence worth reading."],
    }
    return ReportData(**(values | changes))


@pytest.fixture(scope="session")
def report_data_of() -> Callable[..., ReportData]:
    return make_report_data


@pytest.fixture(scope="session")
def epoch_of() -> Callable[..., Epoch]:
    return make_epoch


class Browser:
    """A tab of a Chromium; DevTools commands over file descriptors 3 and 4, a NUL after each."""

    def __init__(self, out: RawIOBase, inp: BufferedReader) -> None:
        self.out, self.inp, self.unread = out, inp, b""
        self.numbers = itertools.count(1)
        self.session: str | None = None
        self.messages: list[str] = []  # errors of the page and its console
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.out.write(json.dumps(message).encode() + b"\0")
        while (reply := self._next()).get("id") != number:
            self._note(reply)
        assert "error" not in reply, reply
        return reply["result"]

    def open(self, page: Path, *, width: int = 1200, height: int = 900, scheme: str = "light"):
        """Load a page from disk in a window of that size; forget older messages."""
        self.messages.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])
        self.call("Page.navigate", url=page.as_uri())
        while (event := self._next()).get("method") != "Page.loadEventFired":
            self._note(event)

    def evaluate(self, script: str) -> Any:
        """Return what an expression is worth in the page; a promise is awaited."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element, as a hand does."""
        found = json.dumps(selector)
        self.evaluate(f"document.querySelector({found}).scrollIntoView({{behavior: 'instant'}})")
        box = self.evaluate(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
            f"(document.querySelector({found}).getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=box[0],
                y=box[1],
                button="left",
                clickCount=1,
            )

    def shot(self, path: Path) -> None:
        """Photograph the whole page, as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {**size, "scale": 1}
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(found["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.unread:
            data = self.inp.read1(1 << 20)
            assert data, "Chromium has gone"
            self.unread += data
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        kind, facts = event.get("method"), event.get("params", {})
        if kind in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.messages.append(json.dumps(facts))
        if kind == "Network.requestWillBeSent":
            url = facts["request"]["url"]
            if not url.startswith(("data:", "file:")):
                self.messages.append(f"requested {url}")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Generator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here to open the page in")
    (commands, send), (receive, replies) = os.pipe(), os.pipe()
    theirs = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (commands, replies)]
    flags = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--remote-debugging-pipe", f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"),
    )
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", _MOVED, *map(str, theirs), CHROMIUM, *flags, "about:blank"],
        pass_fds=theirs,
        stderr=subprocess.DEVNULL,
    )
    for each in (commands, replies, *theirs):
        os.close(each)
    with os.fdopen(receive, "rb") as inp:
        with os.fdopen(send, "wb", buffering=0) as out:
            yield Browser(out, inp)
        process.wait(timeout=20)  # it ends with its pipe
