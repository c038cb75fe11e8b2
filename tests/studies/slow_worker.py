"""A worker as a process of its own, whose trials write a line for each epoch, and wait.

    python slow_worker.py FOLDER STORAGE HEARTBEAT_S GO

Behind the first epoch of each trial it waits until the file GO exists.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from formula import error_of, make_config, make_epoch  # beside this file

from alexnet.studies import TrialWorker, open_study
from alexnet.training import StopRequest

folder, storage, heartbeat, go = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])


def train(recipe, place):
    """Write a line for each epoch, and continue behind those that are there, as a run does."""
    place.mkdir(parents=True, exist_ok=True)
    journal = place / "epochs.txt"
    done = journal.read_text().split() if journal.exists() else []
    yield from (make_epoch(i + 1, float(error)) for i, error in enumerate(done))
    for number in range(len(done) + 1, recipe.epochs + 1):
        while number > 1 and not go.exists():
            time.sleep(0.02)
        epoch = make_epoch(number, error_of(recipe) + 0.05 / number)
        with journal.open("a") as file:
            file.write(f"{epoch.val_error}\n")
        yield epoch


options = {"heartbeat_s": int(heartbeat), "grace_s": 2 * int(heartbeat)}
with open_study(folder, make_config(), storage, **options) as study:
    TrialWorker(study, train, StopRequest()).work()
