"""A worker as a process of its own: each epoch of its trials takes a while, and is written down.

python work_slowly.py FOLDER STORAGE PAUSE_S HEARTBEAT_S [NAME_OF_SHARED_FOLDER]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from formula import error_of, make_epoch, make_plan  # beside this file

from alexnet.search import Worker, open_study
from alexnet.training import StopRequest

folder, storage, pause, heartbeat = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]


def train(recipe, place, on_epoch):
    """Write a line for each epoch, and go on behind those that are there: a run in small."""
    place.mkdir(parents=True, exist_ok=True)
    journal = place / "epochs.txt"
    done = journal.read_text().split() if journal.exists() else []
    epochs = [make_epoch(i + 1, float(error)) for i, error in enumerate(done)]
    for number in range(len(done) + 1, recipe.epochs + 1):
        time.sleep(float(pause))
        epochs.append(make_epoch(number, error_of(recipe) + 0.05 / number))
        with journal.open("a") as file:
            file.write(f"{epochs[-1].val_error}\n")
        on_epoch(epochs[-1])
    return epochs, 0.1


options = {"heartbeat_s": int(heartbeat), "grace_s": 2 * int(heartbeat)}
with open_study(folder, make_plan(), storage, **options) as study:
    Worker(study, train, StopRequest()).work()
