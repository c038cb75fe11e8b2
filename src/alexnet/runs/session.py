"""One call of `train` or `finetune` on an open run folder: begin or continue, measure, report."""

from __future__ import annotations

import dataclasses
import logging
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alexnet.data import write_skipped_csv, write_split_csv
from alexnet.devices import Device, Precision, peak_memory_mb
from alexnet.errors import Diverged, Interrupted
from alexnet.files import read_json, write_json
from alexnet.nn import normalisation_in
from alexnet.progress import track
from alexnet.records import Epoch, Results, TrainReport
from alexnet.reporting import write_report
from alexnet.runs.evidence import run_evidence
from alexnet.runs.folder import Run, find_run, is_free, open_run
from alexnet.runs.identity import RUNS, dated_name, kept_device, machine_facts, new_folder
from alexnet.runs.job import Job, examine, final_results, snapshot
from alexnet.runs.saver import SaveEvery
from alexnet.text import bytes_in_words, counted
from alexnet.training import StopRequest, is_stuck, stop_on_signals, stuck_error, train_epochs
from alexnet.weights import Weights, load_weights, save_weights

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Manner", "conduct"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Manner:
    """What differs where a training is one of many, as a trial of a search is.

    Args:
        on_epoch: told each epoch when it is written down; what it raises ends the call, and the
            run stays as it is.
        measured: whether the best weights are measured again at the end, and a page is drawn.
        command: what makes the run again; None: what this process was called with.
        also_asked: facts that `run.json` holds beside the usual ones.
    """

    on_epoch: Callable[[Epoch], None] | None = None
    measured: bool = True
    command: Sequence[str] | None = None
    also_asked: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])


def conduct(
    make: Callable[[], Job],
    source: Path,
    folder: Path | None,
    *,
    save_every: float | str = 10.0,
    anew: bool = False,
    precision: Precision = "auto",
    threads: int | None = None,
    manner: Manner | None = None,
) -> TrainReport:
    """Prepare a job, open its run folder, train it to the end or go on with it, and measure it.

    Args:
        make: prepares the job; a signal ends it at once.
        source: as the user named it.
        folder: the run folder; None: the one where the same was asked before, else a new one.
        save_every: time between two checkpoints, as `SaveEvery.parse` reads it.
        anew: begin at the beginning, in a new folder or in place of the run that is moved aside.
        precision: as asked for; "auto" goes on with the one that the run began with.
        threads: likewise; None: as many as the run began with.
        manner: what differs; None: nothing.
    """
    every, manner = SaveEvery.parse(save_every), manner or Manner()
    with stop_on_signals() as stop:
        try:
            with stop.at_once():
                job = make()
        except Interrupted as error:
            raise Interrupted(f"{error} No step was made; the same command goes on.") from None
        asked = _asked(source, job, manner)
        place = folder or _default_folder(source, job, asked, anew=anew)
        with open_run(place, asked, anew=anew) as run:
            if not run.finished:
                job.training.device = kept_device(
                    run.asked, job.training.device, precision=precision, threads=threads
                )
            return _Session(run, job, stop, every, manner).run()


class _Session:
    """One call of `train` on an open run folder."""

    def __init__(
        self, run: Run, job: Job, stop: StopRequest, every: SaveEvery, manner: Manner
    ) -> None:
        self.folder, self.job, self.stop, self.every = run, job, stop, every
        self.manner = manner
        self.saved_at = time.monotonic()
        self.told = False  # how large a checkpoint is
        self.form = ""  # of the step, as the journal has it

    def run(self) -> TrainReport:
        """Continue or begin, train to the end, measure, report."""
        if self.folder.finished:
            _log.info(
                "The run in %s is finished. To train again, name another folder, or start anew "
                "with --anew.",
                self.folder.folder,
            )
            return self._report(continued=True, already_finished=True)
        continued = self._begin()
        try:
            self._train()
            with self.stop.at_once():
                self._finish()
        except Interrupted as error:
            self.folder.saver.wait()
            raise Interrupted(f"{error} The same command continues the run.") from None
        except Diverged as error:
            self.folder.saver.wait()
            explained = self._explained(error) if self.manner.measured else error
            self.folder.write("diverged", {"sentence": str(explained)})
            raise explained from None
        return self._report(continued=continued, already_finished=False)

    def _begin(self) -> bool:
        """Load the newest checkpoint, or write down where the pictures went."""
        run, job = self.folder, self.job
        checkpoint = run.checkpoint()
        if checkpoint is None:
            write_split_csv(run.folder / "split.csv", job.pack, job.splits)
            write_skipped_csv(run.folder / "skipped.csv", job.pack.skipped)
        else:
            job.training.restore(checkpoint)
            _log.info("Continuing %s after step %d.", run.folder, job.training.state.step)
        device = job.training.device
        form, feeding = normalisation_in(job.network, device.kind), job.loader.open()
        self.form = job.training.stepper.form
        begin = {"step": job.training.state.step, "form": self.form, "device": device.to_json()}
        run.write("begin", {**begin, "normalisation": form, "feeding": feeding})
        also = [f"normalisation: {form}"] if form else []
        also += [feeding, self.form] if device.kind != "cpu" else []
        _log.info("%s", "; ".join([_device_in_words(device), *also]))
        sizes = {name: len(each) for name, each in job.splits.items() if len(each)}
        _log.info("%s; run folder %s", _sizes_in_words(sizes), run.folder)
        return checkpoint is not None

    def _train(self) -> None:
        """Train to the end; each epoch is taken in as it is done."""
        job, state = self.job, self.job.training.state
        total = job.recipe.epochs * len(job.train)
        with track(f"training {job.recipe.model}", total) as advance:
            advance(state.epoch * len(job.train) + state.seen)
            epochs = train_epochs(
                job.training,
                save=self._save,
                save_due=self._save_due,
                stop=self.stop,
                on_step=_reporter(job, advance),
            )
            for epoch in epochs:
                self._take(epoch)

    def _take(self, epoch: Epoch) -> None:
        """Write an epoch into the journal, save, say it, and stop where the run is stuck."""
        if self.form != self.job.training.stepper.form:  # a graph was given up, and that was logged
            self.form = self.job.training.stepper.form
            self.folder.write("form", {"step": epoch.step, "form": self.form})
        self.folder.write("epoch", epoch.to_json())
        self._save(best=epoch.best)
        if self.manner.on_epoch is not None:
            self.manner.on_epoch(epoch)
        _log.info("%s", _epoch_in_words(epoch, self.job.recipe.epochs))
        entropy = self.job.label_entropy
        if self.job.recipe.loss == "softmax" and is_stuck(
            epoch, entropy, len(self.job.pack.classes)
        ):
            raise stuck_error(epoch, entropy, examine(self.job))

    def _save(self, *, best: bool = False) -> None:
        """Save in the background; before stopping also wait until all is on the disk."""
        training, state = self.job.training, self.job.training.state
        started = time.perf_counter()
        if self.stop:
            self.folder.write("stopped", {"step": state.step})
        weights = self._write_weights if best else None
        self.folder.save(state.step, training.checkpoint(), weights)
        if self.stop:
            self.folder.saver.wait()
        took = time.perf_counter() - started
        state.saving_seconds += took
        state.all_seconds += took
        self.saved_at = time.monotonic()

    def _save_due(self) -> bool:
        self.folder.saver.check()
        self._tell_size()
        since = time.monotonic() - self.saved_at
        return self.every.is_due(self.job.training.state.step, since)

    def _tell_size(self) -> None:
        """Say once how large a checkpoint is and how long it took."""
        run = self.folder
        if not self.told and run.checkpoint_bytes is not None and run.saver.writing_s is not None:
            self.told = True
            _log.info(
                "A checkpoint takes %s, written beside the training in %.2f s.",
                bytes_in_words(run.checkpoint_bytes),
                run.saver.writing_s,
            )

    def _write_weights(self, path: Path, tensors: Mapping[str, Tensor]) -> None:
        own = "network."
        state = {
            name.removeprefix(own): each for name, each in tensors.items() if name.startswith(own)
        }
        save_weights(path, snapshot(self.job, state))

    def _finish(self) -> None:
        """Measure the best weights on the held-out split and write results and page."""
        run, job = self.folder, self.job
        run.saver.wait()
        weights = load_weights(run.weights)
        measured = final_results(job, weights) if self.manner.measured else None
        results = measured[0].to_json() if measured else None
        save_weights(run.weights, dataclasses.replace(weights, results=results))
        saving = {
            "checkpoint_bytes": run.checkpoint_bytes,
            "saving_seconds": job.training.state.saving_seconds,
        }
        split = job.held_out if measured else None
        why = job.training.schedule.plan.finished
        run.write("end", {"why": why, "split": split, **saving})
        facts = {
            "split": split,
            "results": results,
            "ended": why,
            "best_epoch": job.training.schedule.plan.best_epoch,
            "seconds": job.training.state.all_seconds,
            "peak_memory_mb": peak_memory_mb(),
        }
        if measured:
            self._draw(weights, *measured, facts)
        write_json(run.folder / "results.json", facts)

    def _draw(
        self,
        weights: Weights,
        results: Results,
        probabilities: NDArray[np.float32],
        facts: dict[str, Any],
    ) -> None:
        """Write the page for people; without its drawing library the run is whole all the same."""
        evidence = run_evidence(
            self.folder,
            self.job,
            weights,
            results=results,
            probabilities=probabilities,
            facts=facts,
        )
        write_report(self.folder.folder, evidence)

    def _report(self, *, continued: bool, already_finished: bool) -> TrainReport:
        """Read back what the run came to."""
        run = self.folder
        facts = read_json(run.folder / "results.json")
        epochs = run.events("epoch")
        page = run.folder / "report" / "index.html"
        return TrainReport(
            run=str(run.folder),
            weights=str(run.weights),
            report=str(page) if page.is_file() else None,
            continued=continued,
            already_finished=already_finished,
            ended=facts["ended"],
            split=facts["split"],
            results=Results.from_json(facts["results"]) if facts["results"] else None,
            epochs=len(epochs),
            best_epoch=facts["best_epoch"],
            seconds=facts["seconds"],
            images_per_s=statistics.median(each["images_per_s"] for each in epochs),
            peak_memory_mb=facts["peak_memory_mb"],
            skipped=len(self.job.pack.skipped),
        )

    def _explained(self, error: Diverged) -> Diverged:
        """Add to a loss that is not finite what to do about it."""
        if "finite" not in str(error):
            return error
        lr = self.job.recipe.lr
        kept = f"The best weights so far are kept in {self.folder.weights}. "
        return Diverged(
            f"{error} The rate is the likeliest cause. "
            + (kept if self.folder.weights.is_file() else "")
            + f"Try: --lr {lr / 10:g} --anew, which moves this run aside."
        )


def _asked(source: Path, job: Job, manner: Manner) -> dict[str, Any]:
    """Return what `run.json` holds."""
    return {
        "source": str(source),
        "fingerprint": job.pack.fingerprint,
        "classes": list(job.pack.classes),
        "start": job.origin,
        "recipe": job.recipe.to_json(),
        "files": job.network.arguments.get("files"),
        "command": _command() if manner.command is None else list(manner.command),
        **machine_facts(job.training.device),
        **manner.also_asked,
    }


def _command() -> list[str]:
    """Return what makes this run again: the words after `alexnet`, or the program that called."""
    called = Path(sys.argv[0])
    if called.stem == "alexnet" or called.parent.name == "alexnet":
        return ["alexnet", *sys.argv[1:]]
    return sys.orig_argv


def _default_folder(source: Path, job: Job, asked: dict[str, Any], *, anew: bool) -> Path:
    """Return the folder of the same run where there is one, else a new one with date and name."""
    found = None if anew else find_run(RUNS, asked)
    return found or new_folder(dated_name(source, job.recipe.model), is_free)


def _reporter(job: Job, advance: Callable[..., None]) -> Callable[[int, float], None]:
    """Return the loop's listener: it moves the bar and writes the loss beside it."""
    state = job.training.state

    def on_step(pictures: int, loss: float) -> None:
        note = f"epoch {state.epoch + 1}/{job.recipe.epochs}"
        advance(pictures, note=f"{note}  loss {loss:.3f}" if loss else note)

    return on_step


def _epoch_in_words(epoch: Epoch, epochs: int) -> str:
    parts = [
        f"epoch {epoch.epoch:>3}/{epochs}",
        f"loss {epoch.train_loss:.4f}",
        f"train error {epoch.train_error:.2%}",
    ]
    if epoch.val_error is not None and epoch.val_loss is not None:
        parts += [f"val loss {epoch.val_loss:.4f}", f"val error {epoch.val_error:.2%}"]
        parts += ["best"] if epoch.best else []
    parts += [f"rate {epoch.lr:g}", f"{epoch.images_per_s:,.0f} images/s", f"{epoch.seconds:.0f} s"]
    return "  ".join(parts)


def _device_in_words(device: Device) -> str:
    threads = counted(device.threads, "thread")
    return f"{device.processor}: {device.precision}, {threads} ({device.reason})"


def _sizes_in_words(sizes: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sizes.items()) + " pictures"
