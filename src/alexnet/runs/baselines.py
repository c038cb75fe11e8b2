"""What a fine-tuning is held against: the same network from scratch, and a head on its features."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from alexnet.devices import Precision
from alexnet.errors import Diverged, RunError
from alexnet.files import read_json, write_json
from alexnet.records import Compared, Results, TrainReport
from alexnet.reporting import add_comparison
from alexnet.runs.finetune import scratch_recipe, with_first_weights
from alexnet.runs.job import Job, Packing, Start, final_results, prepare
from alexnet.runs.session import Manner, conduct
from alexnet.text import counted
from alexnet.transfer import teach_head
from alexnet.weights import Weights, load_weights, save_weights
from alexnet.weights.prefetch import FILE_NAME

__all__ = ["Comparison", "refuse_nothing_held_out"]

_log = logging.getLogger(__name__)

_KEPT = "comparison.json"
_FOLDER = "compared"


def refuse_nothing_held_out(job: Job) -> None:
    """Raise where no ways could be compared, before any is taken.

    Raises:
        RunError: no pictures are held out.
    """
    if job.held_out is None:
        raise RunError(
            "Nothing is held out, so there is nothing to compare on. Bring a folder val or test, "
            "or give --val-fraction above 0."
        )


@dataclass(frozen=True)
class Comparison:
    """What all ways have in common.

    Both other ways lie in the run's folder `compared`; `comparison.json` keeps the figures, the
    page shows them.

    Args:
        report: of the fine-tuning.
        job: its training, with the pictures and their split; some are held out.
        base: the weights that it began with.
        source: as the user named it.
        crops: views of each picture.
        precision: as the fine-tuning was asked for.
        threads: likewise.
    """

    report: TrainReport
    job: Job
    base: Weights
    source: Path
    crops: int
    precision: Precision
    threads: int | None

    @property
    def run(self) -> Path:
        """Folder of the fine-tuning."""
        return Path(self.report.run)

    def ways(self) -> list[Compared]:
        """Train from scratch and teach a head, and measure all three on the same held-out pictures.

        What is there already, of the same fine-tuning, is read back.
        """
        run, tuned = self.run, load_weights(Path(self.report.weights))
        asked = {"crops": self.crops, "weights": tuned.digest}
        if (run / _KEPT).is_file():
            kept = read_json(run / _KEPT)
            if kept["asked"] == asked:
                return [Compared.from_json(each) for each in kept["compared"]]
        compared = [
            self._from_scratch(),
            self._features_and_logistic(),
            Compared(
                name="fine-tuned",
                weights=self.report.weights,
                results=self._measured(tuned),
                seconds=self.report.seconds,
            ),
        ]
        values = [each.to_json() for each in compared]
        write_json(run / _KEPT, {"asked": asked, "compared": values})
        if self.report.report:
            add_comparison(run, values)
        return compared

    def _from_scratch(self) -> Compared:
        """Train the network with its first weights, in a run of its own that can be continued."""
        job = self.job
        recipe = scratch_recipe(Start(job.network, job.preprocessing, None), job.recipe)
        epochs = counted(recipe.epochs, "epoch")
        _log.info("Comparing: the same network from scratch, for %s.", epochs)

        def make() -> Job:
            start = with_first_weights(self.base, recipe, len(job.pack.classes))
            device = job.training.device
            return prepare(job.pack, recipe, device=device, packing=Packing(), start=start)

        folder, remark, seconds = self.run / _FOLDER / "from-scratch", None, 0.0
        try:
            seconds = conduct(
                make,
                self.source,
                folder,
                precision=self.precision,
                threads=self.threads,
                manner=Manner(measured=False),
            ).seconds
        except Diverged as error:
            remark = f"{str(error).partition('. ')[0].rstrip('.')}."
        weights, results = folder / FILE_NAME, None
        if weights.is_file():
            results = self._measured(load_weights(weights))
        return Compared(
            name="from scratch",
            weights=str(weights) if results else None,
            results=results,
            seconds=seconds,
            remark=remark,
        )

    def _features_and_logistic(self) -> Compared:
        _log.info("Comparing: a logistic head on the features.")
        job = self.job
        taught = teach_head(
            self.base,
            job.pack,
            job.train,
            kind="logistic",
            layer=None,
            device=job.training.device,
            precision="fp32",
            seed=job.recipe.seed,
        )
        results = self._measured(taught.weights)
        out = self.run / _FOLDER / "features-logistic.safetensors"
        save_weights(out, replace(taught.weights, results=results.to_json()))
        return Compared(
            name="features and logistic", weights=str(out), results=results, seconds=taught.seconds
        )

    def _measured(self, weights: Weights) -> Results:
        found = final_results(self.job, weights, self.crops)
        assert found is not None, "refused before"
        return found[0]
