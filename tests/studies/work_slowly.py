"""A worker as a process of its own: its trials write a line for each epoch, and wait to be let on.

    python work_slowly.py FOLDER STORAGE HEARTBEAT_S GO

Behind the first epoch of each trial it waits until the file GO is there.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from formula import error_of, make_epoch, make_plan  # beside this file

from alexnet.studies import Worker, open_study
from alexnet.training import StopRequest

folder, storage, heartbeat, go = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])


def train(recipe, place, on_epoch):
    """Write a line for each epoch, and go on behind those that are there: a run in small."""
    place.mkdir(parents=True, exist_ok=True)
    journal = place / "epochs.txt"
    done = journal.read_text().split() if journal.exists() else []
    epochs = [make_epoch(i + 1, float(error)) for i, error in enumerate(done)]
    for number in range(len(done) + 1, recipe.epochs + 1):
        while number > 1 and not go.exists():
            time.sleep(0.02)
        epochs.append(make_epoch(number, error_of(recipe) + 0.05 / number))
        with journal.open("a") as file:
            file.write(f"{epochs[-1].val_error}\n")
        on_epoch(epochs[-1])
    return epochs, 0.1


options = {"heartbeat_s": int(heartbeat), "grace_s": 2 * int(heartbeat)}
with open_study(folder, make_plan(), storage, **options) as study:
    Worker(study, train, StopRequest()).work()
