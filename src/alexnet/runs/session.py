"""One call of a training on an open run folder: begin or go on, journal, checkpoints, measuring."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Protocol

from alexnet.data import write_skipped_csv, write_split_csv
from alexnet.devices import Device, Precision, convolving, return_freed_memory
from alexnet.distributed import alone, world
from alexnet.errors import Diverged, Interrupted
from alexnet.models import describe_convolutions
from alexnet.nn import describe_normalization
from alexnet.progress import track
from alexnet.records import Epoch
from alexnet.reporting import redraw_report
from alexnet.runs.advice import command_of, with_commands, worth_saying
from alexnet.runs.config import resume_device
from alexnet.runs.fitted_start import begin_fitted
from alexnet.runs.folder import Run
from alexnet.runs.job import Job, as_begun, diagnose, snapshot
from alexnet.runs.results import write_results
from alexnet.runs.together import (
    AnyParallel,
    begin_as_first,
    from_first_process,
    require_same_images,
    share_training,
)
from alexnet.text import format_arithmetic, format_bytes, format_count
from alexnet.training import (
    SaveDue,
    SaveEvery,
    Shares,
    StepDone,
    StopRequest,
    is_stalled,
    stalled_error,
    train_epochs,
)

__all__ = ["FitOptions", "fit", "format_epoch", "preparing"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How a run is trained; shapes nothing of what it comes to.

    Args:
        save_every: time between two checkpoints.
        precision: as asked for; "auto" goes on with the one that the run began with.
        threads: likewise; None: as many as the run began with.
        exact_convolutions: whether torch's were asked for; else the form that the run began with.
        measured: whether the best weights are measured again at the end, and a page is drawn.
        png: whether the page's figures are written as PNG files, too.
        parallel: how several processes share it; "auto" takes the way that the run began with, else
            the one with the least to send.
    """

    save_every: SaveEvery = field(default_factory=lambda: SaveEvery(minutes=10))
    precision: Precision = "auto"
    threads: int | None = None
    exact_convolutions: bool = False
    measured: bool = True
    png: bool = False
    parallel: AnyParallel = "auto"


@contextmanager
def preparing(stop: StopRequest) -> Generator[None]:
    """End the block at once where somebody asks to stop: no step was made.

    Raises:
        Interrupted: somebody asked.
    """
    try:
        with stop.at_once():
            yield
    except Interrupted as error:
        raise Interrupted(f"{error} No step was made; the same command goes on.") from None


class Finish(Protocol):
    """Ends a run whose training came to its end: final weights, figures, page."""

    def __call__(self, job: Job, run: Run, *, measured: bool, png: bool) -> None: ...


def fit(
    job: Job,
    run: Run,
    stop: StopRequest,
    options: FitOptions | None = None,
    *,
    finish: Finish = write_results,
) -> Generator[Epoch]:
    """Train an open run to its end, or go on with it; yield each epoch when it is written down.

    After the last one the best weights are measured and the report is written. Whoever leaves
    earlier leaves a run that can be gone on with. A run that is finished yields nothing.

    Args:
        job: no step of it was made yet.
        run: its folder.
        stop: looked at after each step.
        options: how, where it is not the usual way.
        finish: what is done after the last epoch.

    Raises:
        Interrupted: somebody asked to stop; a checkpoint is saved.
        Diverged: the loss is not finite or does not fall; says why and what to do.
    """
    options = options or FitOptions()
    if run.finished:
        _log.info(
            "The run in %s is finished. To train again, name another folder, or start again "
            "with --restart.",
            run.folder,
        )
        if options.png and (run.folder / "report").is_dir():
            redraw_report(run.folder, png=True)
        return
    job = as_begun(job, run.folder / "split.csv")
    job.training.device = resume_device(
        run.config,
        job.training.device,
        precision=options.precision,
        threads=options.threads,
        exact_convolutions=options.exact_convolutions,
    )
    require_same_images(job)
    processes = share_training(job, run, options.parallel)
    _begin(job, run, processes)
    try:
        yield from _train(job, run, stop, options)
        # Measuring takes memory of its own: what only a further step would need goes before it.
        run.saver.release()
        training, first = job.training, world().first
        training.stepper.release()
        _return_memory(job)
        with stop.at_once(together=True), training.entire():
            with alone():
                if first:
                    finish(job, run, measured=options.measured, png=options.png)
            world().from_first()
    except Interrupted as error:
        run.saver.wait()
        raise Interrupted(f"{error} The same command continues the run.") from None
    except Diverged as error:
        run.saver.wait()
        explained = _explain(error, job, run) if options.measured else error
        run.write("diverged", {"sentence": str(explained)})
        raise explained from None


def _begin(job: Job, run: Run, processes: dict[str, Any] | None) -> None:
    """Load the newest checkpoint, or write down where the images went."""
    checkpoint = from_first_process(run.checkpoint(), job.training)
    if checkpoint is not None:
        job.training.restore(checkpoint)
        _log.info("Continuing %s after step %d.", run.folder, job.training.state.step)
    elif world().first:
        write_split_csv(run.folder / "split.csv", job.pack, job.splits)
        write_skipped_csv(run.folder / "skipped.csv", job.pack.skipped)
    device, form = job.training.device, job.training.stepper.form
    normalization, feeding = describe_normalization(job.network, device.kind), job.loader.open()
    with job.training.entire():
        convolutions = _describe_convolutions(job)
    begin = {"step": job.training.state.step, "form": form, "device": device.to_json()}
    arithmetic = {"convolutions": convolutions, "normalization": normalization}
    begin |= {"processes": processes} if processes else {}
    run.write("begin", {**begin, **arithmetic, "feeding": feeding})
    if checkpoint is None:
        for sentence in job.warnings:
            _log.warning("%s", sentence)
            run.write("warning", {"about": "splits", "sentence": sentence})
    more = [f"{name}: {how}" for name, how in arithmetic.items() if how]
    more += [feeding, form] if device.kind != "cpu" else []
    _log.info("%s", "; ".join([_format_device(device), *more]))
    if processes:
        _log.info("%s", _format_processes(processes))
    sizes = {name: len(each) for name, each in job.splits.items() if len(each)}
    _log.info("%s; run folder %s", _format_sizes(sizes), run.folder)


def _describe_convolutions(job: Job) -> str | None:
    device = job.training.device
    form = device.convolutions if device.precision == "fp32" else "torch"
    return describe_convolutions(job.network, form)


def _train(job: Job, run: Run, stop: StopRequest, options: FitOptions) -> Generator[Epoch]:
    """Train with the progress shown; write down, save and yield each epoch."""
    state = job.training.state
    watch = _Watch(job, run) if options.measured and world().first else None
    saving = _Saving(job, run)
    with track(f"training {job.recipe.model}", job.recipe.epochs * len(job.train)) as advance:
        advance(state.epoch * len(job.train) + state.seen)
        if not run.continued and job.start is not None and job.start.fits_last_layer:
            convolutions = job.training.device.convolutions
            at_once = stop.at_once(" before the first step", together=True)
            with at_once, convolving(convolutions), job.training.entire():
                best = begin_as_first(job, partial(begin_fitted, job, run))
            saving.save(best=best)
        _return_memory(job)
        try:
            for event in train_epochs(job.training, options.save_every, stop):
                match event:
                    case StepDone():
                        run.saver.check()
                        saving.log_size()
                        advance(event.images, note=_format_step(event, job))
                    case SaveDue():
                        saving.save()
                    case Shares():
                        run.write("processes", {"epoch": state.epoch + 1, **asdict(event)})
                    case Epoch():
                        saving.write_epoch(event)
                        yield event
                        _require_progress(event, job, run)
                        with job.training.entire():  # symptoms may be looked for in its layers
                            if watch is not None:
                                watch.look_at(event)
        except Interrupted:
            run.write("stopped", {"step": state.step})
            saving.save()
            run.saver.wait()
            raise


def _return_memory(job: Job) -> None:
    """Give back what was freed, where a part of the training begins that takes other blocks."""
    if job.training.stepper.in_backward:  # so many parameters that it is worth the time
        return_freed_memory()


class _Watch:
    """Says of a training that goes on what is wrong with it, each thing once."""

    def __init__(self, job: Job, run: Run) -> None:
        self._job, self._run = job, run
        self._epochs = run.epochs()
        self._said = {line.get("about") for line in run.events("warning")}

    def look_at(self, epoch: Epoch) -> None:
        """Take an epoch in, and log and write down what is new."""
        self._epochs.append(epoch)
        run = self._run
        for about, text in worth_saying(self._job, run.config, run.folder, self._epochs):
            if about not in self._said:
                self._said.add(about)
                _log.warning("%s", text)
                run.write("warning", {"about": about, "sentence": text})


class _Saving:
    """Writes the epochs of a training into its run folder, and its checkpoints."""

    def __init__(self, job: Job, run: Run) -> None:
        self._job, self._run = job, run
        self._form = job.training.stepper.form
        self._size_logged = False

    def write_epoch(self, epoch: Epoch) -> None:
        """Write an epoch into the journal, and save."""
        form = self._job.training.stepper.form
        if form != self._form:  # a graph was given up, and that was logged
            self._form = form
            self._run.write("form", {"step": epoch.step, "form": form})
        self._run.write("epoch", epoch.to_json())
        self.save(best=epoch.best)

    def save(self, *, best: bool = False) -> None:
        """Save a checkpoint in the background, and the weights where they are the best so far."""
        training, state = self._job.training, self._job.training.state
        started = time.perf_counter()
        weights = snapshot(self._job, {}) if best else None
        checkpoint = training.checkpoint()
        written = self._run.save(state.step, checkpoint, weights)
        if checkpoint.held:
            training.stepper.hold(written)
        took = time.perf_counter() - started
        state.saving_seconds += took
        state.all_seconds += took

    def log_size(self) -> None:
        """Say once how large a checkpoint is and how long it took."""
        size, writing_s = self._run.checkpoint_bytes, self._run.saver.writing_s
        if not self._size_logged and size is not None and writing_s is not None:
            self._size_logged = True
            _log.info(
                "A checkpoint takes %s, written beside the training in %.2f s.",
                format_bytes(size),
                writing_s,
            )


def _require_progress(epoch: Epoch, job: Job, run: Run) -> None:
    """Raise Diverged where the training is stalled, with what can be measured of the causes."""
    entropy = job.label_entropy
    if job.recipe.loss == "softmax" and is_stalled(epoch, entropy, len(job.pack.classes)):
        with job.training.entire():
            causes = with_commands(diagnose(job), run.config, run.folder)
        raise stalled_error(epoch, entropy, causes)


def _explain(error: Diverged, job: Job, run: Run) -> Diverged:
    """Add to a loss that is not finite what to do about it."""
    if "finite" not in str(error):
        return error
    tenth = {"--lr": f"{job.recipe.lr / 10:g}"}
    kept = f"The best weights so far are kept in {run.weights}. "
    return Diverged(
        f"{error} The rate is the likeliest cause. "
        + (kept if run.weights.is_file() else "")
        + f"Try a tenth of it: {command_of(run.config, run.folder, tenth)}"
    )


def format_epoch(epoch: Epoch, epochs: int) -> str:
    """Return a line for people: the figures of an epoch, of so many."""
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


def _format_step(step: StepDone, job: Job) -> str:
    note = f"epoch {job.training.state.epoch + 1}/{job.recipe.epochs}"
    return f"{note}  loss {step.mean_loss:.3f}" if step.mean_loss else note


def _format_device(device: Device) -> str:
    threads = format_count(device.threads, "thread")
    arithmetic = format_arithmetic(device.precision, device.convolutions)
    return f"{device.processor}: {arithmetic}, {threads} ({device.reason})"


def _format_processes(processes: dict[str, Any]) -> str:
    count, way, why = processes["count"], processes["parallel"], processes["why"]
    return f"{count} processes, each batch shared by --parallel {way}: {why}"


def _format_sizes(sizes: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sizes.items()) + " images"
