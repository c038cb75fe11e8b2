#!/usr/bin/env bash
# gloo sums tensors in the order of their memory, whatever their strides say.
#
# Expected: all_reduce adds equal indices of the ranks' tensors and writes the sum into each, or it refuses
#   tensors that do not lie alike.
# Instead: the k-th number in memory is added to the k-th number in memory. Where one rank's tensor is
#   channels last and the other's is not, both hold sums of unlike weights afterwards. Of a column of
#   a matrix as many numbers are summed as the column has, but those that lie side by side from its first
#   one on: neighbors change that nobody passed, and the column is not summed. broadcast permutes a
#   tensor on a rank that keeps it channels last. No error, and shapes and types are right.
# Why here: networks are channels last where they compute and not where they are loaded, and a gradient from
#   torch.autograd.grad lies as its input did. Training in several processes has to bring gradients
#   into one flat buffer, in the order of indices, before it sums.
# Versions: torch 2.13.0 (CPU), numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
install="venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet"
$install torch==2.13.0 || exit 2
$install numpy==2.4.6 || exit 2

cat >ranks.py <<'PYTHON'
import sys
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from torch import multiprocessing


def tensors(rank):
    """Return what each rank passes: equal numbers on both."""
    weights = torch.arange(24.0).reshape(2, 3, 2, 2)
    channels_last = weights.contiguous(memory_format=torch.channels_last)
    matrix = torch.arange(12.0).reshape(3, 4)
    return {
        "weights, alike on both ranks": weights.clone(),
        "weights, channels last on both": channels_last.clone(),
        "weights, channels last on one": weights.clone() if rank else channels_last.clone(),
        "a column of a matrix": matrix[:, 1],
    }


def work(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    seen = {}
    for name, tensor in tensors(rank).items():
        expected = 2 * tensor.clone()
        dist.all_reduce(tensor)
        seen[f"all_reduce, {name}"] = int((tensor != expected).sum()), tensor.numel()
    weights = torch.arange(24.0).reshape(2, 3, 2, 2)
    received = weights.clone() if rank == 0 else torch.zeros(2, 3, 2, 2)
    if rank:
        received = received.contiguous(memory_format=torch.channels_last)
    dist.broadcast(received, src=0)
    seen["broadcast, channels last where it is received"] = (
        int((received != weights).sum()),
        received.numel(),
    )
    column_of = torch.arange(12.0).reshape(3, 4)
    dist.all_reduce(column_of[:, 1])
    beside = column_of[:, [0, 2, 3]] != torch.arange(12.0).reshape(3, 4)[:, [0, 2, 3]]
    seen["numbers beside that column that changed"] = int(beside.sum()), beside.numel()
    torch.save(seen, Path(folder, f"rank{rank}"))
    dist.destroy_process_group()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(work, (folder,), nprocs=2)
        first, second = (torch.load(Path(folder, f"rank{rank}")) for rank in (0, 1))
    wrong = {}
    for name, (count, numbers) in first.items():
        wrong[name] = max(count, second[name][0])
        print(f"  {name:50} {wrong[name]:2} of {numbers} numbers wrong")
    expected_zero = list(wrong)[:2]
    holds = all((count == 0) == (name in expected_zero) for name, count in wrong.items())
    sys.exit(0 if holds else "changed: gloo minds strides now, or refuses them")
PYTHON
echo "two ranks"
venv/bin/python -W ignore ranks.py
