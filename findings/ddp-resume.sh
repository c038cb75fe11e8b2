#!/usr/bin/env bash
# Training of three processes by DistributedDataParallel does not come back bit for bit from a checkpoint.
#
# Expected: with the same seeds, images and machine a training that goes on from exact weights does what
#   the uninterrupted one does; on processors, with gloo and one thread, every operator gives the same bits.
# Instead: from three processes on the weights differ. After the first backward pass DDP puts gradients
#   into other buckets, by the order in which they came; a ring adds a number's parts in an order that
#   depends on its place in the bucket. The first step after a checkpoint has the first buckets again, the
#   same step of the uninterrupted training had the second ones. With two processes a + b is b + a, so
#   tests with two see nothing. With find_unused_parameters=True, where nothing is unused, the
#   buckets stay as they are, and the bits are the same.
# Why here: a run that was killed goes on to the same bits, also in several processes.
# Versions: torch 2.13.0 (CPU), numpy 2.4.6; 2026-12-01
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
install="venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet"
$install torch==2.13.0 || exit 2
$install numpy==2.4.6 || exit 2

export TORCH_CPP_LOG_LEVEL=ERROR
cat >ranks.py <<'PYTHON'
import hashlib
import sys
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from torch import multiprocessing, nn

STEPS, BREAK = 6, 3


def network():
    """Return a plain chain of layers, whose gradients fill more than one bucket."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(64, 700), nn.ReLU(), nn.Linear(700, 700), nn.ReLU(), nn.Linear(700, 10)
    )


def work(rank, folder, ranks, broken_off, unused):
    store = f"file://{folder}/store-{broken_off}-{unused}"
    first = 0
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=ranks)
    torch.set_num_threads(1)
    plain = network()
    saved = Path(folder, f"saved-{unused}.pt")
    if broken_off:
        first = BREAK
        plain.load_state_dict(torch.load(saved))
    parallel = nn.parallel.DistributedDataParallel(
        plain, find_unused_parameters=unused, bucket_cap_mb=1
    )
    optimizer = torch.optim.SGD(parallel.parameters(), lr=0.1)  # its state is the weights alone
    for step in range(first, STEPS):
        images = torch.randn(8, 64, generator=torch.Generator().manual_seed(100 * step + rank))
        labels = torch.arange(8) % 10
        optimizer.zero_grad()
        nn.functional.cross_entropy(parallel(images), labels).backward()
        optimizer.step()
        if step + 1 == BREAK and rank == 0 and not broken_off:
            torch.save(plain.state_dict(), saved)
    if rank == 0:
        digest = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in plain.parameters()))
        Path(folder, f"digest-{broken_off}-{unused}").write_text(digest.hexdigest()[:12])
    dist.barrier()
    dist.destroy_process_group()


def digests(folder, ranks, unused):
    for broken_off in (False, True):
        multiprocessing.spawn(work, (folder, ranks, broken_off, unused), nprocs=ranks)
    return [Path(folder, f"digest-{each}-{unused}").read_text() for each in (False, True)]


if __name__ == "__main__":
    equal = {}
    for ranks in (2, 3):
        for unused in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                whole, continued = digests(folder, ranks, unused)
            equal[ranks, unused] = whole == continued
            kept = "kept" if unused else "made again after the first step"
            said = "the same bits" if whole == continued else "other bits"
            print(f"  {ranks} processes, buckets {kept}: {said} after a checkpoint")
    differing = [ranks for ranks, same in equal.items() if not same]
    sys.exit(0 if differing == [(3, False)] else f"changed: other bits for {differing}")
PYTHON
venv/bin/python -W ignore ranks.py
