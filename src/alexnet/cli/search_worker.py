"""One worker of a search as a process: `python -m alexnet.cli.search_worker`.

It reads its order from standard input, one line of JSON, and stops when that ends: then whoever
started it has gone, or wants it to stop. A Ctrl-C, which reaches every process of a terminal, is
left to the one that started it: two requests would break the trial off.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from alexnet.cli.search_crew import Order
from alexnet.errors import AlexNetError

__all__ = ["main"]


def main() -> int:
    """Work until the study is done; return the exit code of the sentence, if there is one."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    order = Order(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_stop_when_alone, daemon=True).start()
    try:
        _work(order)
    except AlexNetError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _work(order: Order) -> None:
    from alexnet.build import Packing, prepare
    from alexnet.cli.search_trials import Trials
    from alexnet.data import open_source
    from alexnet.devices import choose_device
    from alexnet.search import Plan, Worker, open_study
    from alexnet.training import stop_on_signals
    from alexnet.trust import trusting

    deadline = None if order.minutes is None else time.monotonic() + 60 * order.minutes
    with stop_on_signals() as stop, trusting(order.trusted):
        folder, source = Path(order.folder), Path(order.source)
        plan = Plan.from_json(order.plan, order.folder)
        packing = Packing(cache=order.cache, unreadable=order.unreadable)  # type: ignore[arg-type]
        device = choose_device(order.precision, order.threads)  # type: ignore[arg-type]
        with stop.at_once():
            job = prepare(open_source(source), plan.recipe, device=device, packing=packing)
        trials = Trials(source, job.pack, device, packing, order.save_every)
        with open_study(folder, plan, order.storage) as study:
            Worker(study, trials, stop, deadline).work()


def _stop_when_alone() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
