"""A worker as a process of its own: `python -m alexnet.studies.worker_process`.

It reads one line of JSON from its standard input, a `WorkerConfig`, and stops when that ends: the
process that started it wants no more of it, or is gone.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from alexnet.errors import AlexNetError
from alexnet.studies.worker_pool import WorkerConfig

__all__ = ["main"]


def main() -> int:
    """Run trials until the study is done; return the exit code of the error, if there is one."""
    if sys.platform != "win32":  # a terminal's Ctrl-C goes to the parent alone, which ends stdin
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    config = WorkerConfig(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_stop_when_stdin_ends, daemon=True).start()
    try:
        _work(config)
    except AlexNetError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _work(config: WorkerConfig) -> None:
    from alexnet.data import open_source
    from alexnet.devices import choose_device
    from alexnet.runs import Packing, prepare
    from alexnet.studies.config import StudyConfig
    from alexnet.studies.study import open_study
    from alexnet.studies.trial_training import TrialTraining
    from alexnet.studies.trial_worker import TrialWorker
    from alexnet.training import stop_on_signals
    from alexnet.trust import trusting

    deadline = None if config.minutes is None else time.monotonic() + 60 * config.minutes
    with stop_on_signals() as stop, trusting(config.trusted):
        folder, source = Path(config.folder), Path(config.source)
        study_config = StudyConfig.from_json(config.study, config.folder)
        packing = Packing(cache=config.cache, unreadable=config.unreadable)  # type: ignore[arg-type]
        # The form was measured before there were workers: side by side they would slow each other.
        own = choose_device(config.precision, config.threads, exact_convolutions=True)  # type: ignore[arg-type]
        device = dataclasses.replace(own, convolutions=config.convolutions, reason="as measured")
        with stop.at_once():
            images = open_source(
                source,
                class_depth=config.class_depth,
                join_classes=config.join_classes,
                name_encoding=config.name_encoding,
                cache_gb=config.cache_gb,
            )
            job = prepare(images, study_config.recipe, device=device, packing=packing)
        train = TrialTraining(source, job.pack, device, packing, config.save_every)
        with open_study(folder, study_config, config.storage) as study:
            TrialWorker(study, train, stop, deadline).work()


def _stop_when_stdin_ends() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
