"""The beginning of a fine-tuning: its new last layer fitted, and measured before the first step."""

from __future__ import annotations

import logging

from alexnet.runs.folder import Run
from alexnet.runs.job import Job
from alexnet.transfer.last_layer import fit_last_layer

__all__ = ["begin_fitted"]

_log = logging.getLogger(__name__)


def begin_fitted(job: Job, run: Run) -> bool:
    """Fit the last layer of a network that has made no step yet, and limit its rate.

    It is validated, so that a training that makes it worse ends with the fitted layer alone.

    Args:
        job: its start says that the last layer can be fitted.
        run: gets a line `fitted` in the journal.

    Returns:
        Whether the network is the best so far: yes, where there are validation images.
    """
    training, recipe = job.training, job.recipe
    fitted = fit_last_layer(
        job.network,
        job.preprocessing,
        job.pack,
        job.train,
        balanced=recipe.class_weights == "auto",
        seed=recipe.seed,
    )
    head = job.network.head
    training.optimizer.limit_lr({head: fitted.lr_limit})
    line = {"layer": head, "images": fitted.images, "lr_limit": fitted.lr_limit}
    said = f"{head} was fitted by logistic regression on {fitted.images:,} images"
    if recipe.lr > fitted.lr_limit:
        said += f"; its inputs are large, so that its rate is at most {fitted.lr_limit:.2g}"
    best = False
    if training.validator is not None:
        validation = training.validator.validate()
        best = training.observe(0, validation)
        line |= {"val_loss": validation.loss, "val_error": validation.error}
        said += f": val loss {validation.loss:.4f}, val error {validation.error:.2%}"
    run.write("fitted", line)
    _log.info("%s", said)
    return best
