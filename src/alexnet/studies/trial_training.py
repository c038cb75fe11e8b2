"""The training of a trial: a run folder, without evaluation on the test split and without page."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from alexnet.data import Pack
from alexnet.devices import Device
from alexnet.recipe import Recipe
from alexnet.records import Epoch
from alexnet.runs import FitOptions, Packing, fit, open_run, prepare, preparing, run_config
from alexnet.training import SaveEvery, stop_on_signals
from alexnet.urls import shown_place

__all__ = ["TrialTraining"]

_REPETITIVE = ("alexnet.runs.session", "alexnet.data.loading.splits")  # log the same every trial


@dataclass(frozen=True)
class TrialTraining:
    """Trains recipes, one after the other; a `TrainTrial`.

    Args:
        source: the images, as the user named them.
        pack: the images.
        device: to train on.
        packing: how the source was packed.
        save_every: minutes between two checkpoints, or a text with "steps".
    """

    source: Path
    pack: Pack
    device: Device
    packing: Packing
    save_every: float | str

    def __call__(self, recipe: Recipe, folder: Path) -> Generator[Epoch]:
        """Train in a run folder, or continue there; yield its epochs, also those done before."""
        command = (
            "alexnet",
            "train",
            shown_place(self.source),
            "--recipe",
            str(folder / "run.json"),
        )
        if not (folder / "run.json").is_file():  # a worker that was killed as it began left a lock
            shutil.rmtree(folder, ignore_errors=True)
        options = FitOptions(save_every=SaveEvery.parse(self.save_every), measured=False)
        with _errors_only(), stop_on_signals() as stop:
            with preparing(stop):
                job = prepare(self.pack, recipe, device=self.device, packing=self.packing)
            with open_run(folder, run_config(job, self.source, command)) as run:
                yield from run.epochs()
                yield from fit(job, run, stop, options)


@contextmanager
def _errors_only() -> Generator[None]:
    """Silence what every trial would log again."""
    with ExitStack() as stack:
        for name in _REPETITIVE:
            logger = logging.getLogger(name)
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.ERROR)
        yield
