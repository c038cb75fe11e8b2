"""How a trial of a search is trained: a run folder of its own, on the pack that all share."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alexnet.build import Packing, prepare
from alexnet.cli.evidence import epoch_of
from alexnet.cli.session import Manner, conduct
from alexnet.data import Pack
from alexnet.devices import Device
from alexnet.files import read_json
from alexnet.recipe import Recipe
from alexnet.records import Epoch
from alexnet.training import Run

__all__ = ["Trials"]

_SAY_THE_SAME = ("alexnet.cli.session", "alexnet.data.splits")  # once for the study is enough


@dataclass(frozen=True)
class Trials:
    """Trains recipes, one after the other; what `alexnet.search` calls a `TrainTrial`."""

    source: Path
    pack: Pack
    device: Device
    packing: Packing
    save_every: float | str

    def __call__(
        self, recipe: Recipe, folder: Path, on_epoch: Callable[[Epoch], None]
    ) -> tuple[list[Epoch], float]:
        """Train in a run folder, or go on there; return its epochs and what they took, in s.

        Nothing is measured but the validation after each epoch: the test split is not looked at.
        """
        command = ("alexnet", "train", str(self.source), "--recipe", str(folder / "run.json"))
        if not (folder / "run.json").is_file():  # a worker that was killed as it began left a lock
            shutil.rmtree(folder, ignore_errors=True)
        with _quiet():
            conduct(
                lambda: prepare(self.pack, recipe, device=self.device, packing=self.packing),
                self.source,
                folder,
                save_every=self.save_every,
                manner=Manner(on_epoch=on_epoch, measured=False, command=command),
            )
        seconds = float(read_json(folder / "results.json")["seconds"])
        return [epoch_of(each) for each in Run(folder, {}).events("epoch")], seconds


@contextmanager
def _quiet() -> Generator[None]:
    """Leave out what every trial would say again."""
    with contextlib.ExitStack() as stack:
        for name in _SAY_THE_SAME:
            logger = logging.getLogger(name)
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.ERROR)
        yield
