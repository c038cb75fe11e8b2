#!/usr/bin/env bash
# A program that has used Ray once has another `print` for good, and can't pickle the one that it had.
#
# Expected: what a library does to a process ends with its shutdown; `print` is Python's, and pickle
#   writes it as builtins.print, as it does everywhere.
# Instead: as soon as a task has printed a line, the driver's builtins.print is a function of Ray (for its
#   progress bars), and it stays so after ray.shutdown(). Whatever holds Python's own print, such as
#   a default argument or a table of functions, raises PicklingError from then on ("not the same object
#   as builtins.print"): in multiprocessing, in joblib, in tests that run later in the same process.
#   RAY_TQDM_PATCH_PRINT=0 keeps it from that.
# Why here: packing, features and predictions may be computed by Ray from within a user's own program,
#   which must be the same afterwards. The variable is set before the cluster is opened.
# Versions: ray 2.60.0; 2026-12-01
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet ray==2.60.0 || exit 2

cat >driver.py <<'PYTHON'
import builtins
import logging
import pickle
import sys
import time

plain = print
pickle.dumps(plain)

import ray

ray.init(num_cpus=1, include_dashboard=False, logging_level=logging.ERROR)


@ray.remote
def task():
    print("a line of a task")
    return 1


ray.get(task.remote())
for _ in range(100):  # until the line has come
    if builtins.print is not plain:
        break
    time.sleep(0.1)
ray.shutdown()
try:
    pickle.dumps(plain)
    pickled = True
except pickle.PicklingError as error:
    pickled = False
    sys.stdout.write(f"    {error}\n")
own = builtins.print is plain
sys.stdout.write(f"  after ray.shutdown(): print is Python's own: {own}; it is pickled: {pickled}\n")
sys.exit(0 if own == pickled == (sys.argv[1] == "kept") else "changed")
PYTHON
export RAY_USAGE_STATS_ENABLED=0 HOME=$folder
echo "as it comes"
venv/bin/python driver.py replaced 2>/dev/null
echo "with RAY_TQDM_PATCH_PRINT=0"
RAY_TQDM_PATCH_PRINT=0 venv/bin/python driver.py kept 2>/dev/null
