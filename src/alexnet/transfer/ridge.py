"""Ridge regression on pooled features: the answer for a few dozen images of each class.

Legend: n rows, m rows that were held out, D features, K classes, P penalties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alexnet.evaluation import best_temperature
from alexnet.models import Block, Head, make_head
from alexnet.training import class_weights

__all__ = ["PENALTIES", "LinearFit", "choose_penalty", "fit_ridge", "ridge_head"]

PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""What is tried, over the mean squared length of the centered rows."""


@dataclass(frozen=True)
class LinearFit:
    """Logits for features x: weight @ (x - shift) + bias."""

    weight: NDArray[np.float32]  # (K, D)
    bias: NDArray[np.float32]  # (K,)
    shift: NDArray[np.float32]  # (D,)

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return (m, K) for (m, D)."""
        return (features - self.shift) @ self.weight.T.astype(np.float64) + self.bias


def fit_ridge(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    penalties: Sequence[float] = PENALTIES,
) -> list[LinearFit]:
    """Fit labels of +1 and -1 by least squares with each penalty; classes weigh the same.

    Solved in whichever is smaller, rows or features (the dual or the primal problem).

    Args:
        features: (n, D); several rows may be views of one image.
        labels: (n,) classes 0..K-1.
        classes: K.
        penalties: P numbers above 0.

    Returns:
        P fits.
    """
    weights = torch.from_numpy(class_weights(labels, classes)[labels]).double()[:, None]
    x = torch.from_numpy(features).double()
    y = 2.0 * torch.nn.functional.one_hot(torch.from_numpy(labels), classes).double() - 1
    shift, bias = (weights * x).mean(dim=0), (weights * y).mean(dim=0)
    x, y = (x - shift) * weights.sqrt(), (y - bias) * weights.sqrt()
    scale = float(x.square().sum() / len(x))
    solve = _solve_dual if len(x) <= x.shape[1] else _solve_primal
    return [
        LinearFit(_array(weight), _array(bias), _array(shift))
        for weight in solve(x, y, [penalty * scale for penalty in penalties])
    ]


def _solve_dual(x: Tensor, y: Tensor, penalties: Sequence[float]) -> list[Tensor]:
    gram = x @ x.T
    return [(x.T @ _solve(gram, penalty, y)).T for penalty in penalties]


def _solve_primal(x: Tensor, y: Tensor, penalties: Sequence[float]) -> list[Tensor]:
    gram, target = x.T @ x, x.T @ y
    return [_solve(gram, penalty, target).T for penalty in penalties]


def _solve(gram: Tensor, penalty: float, target: Tensor) -> Tensor:
    penalized = gram + penalty * torch.eye(len(gram), dtype=gram.dtype)
    factor = cast("Tensor", torch.linalg.cholesky(penalized))
    return torch.cholesky_solve(target, factor)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.float().numpy())


def choose_penalty(
    logits: Sequence[NDArray[np.float64]], labels: NDArray[np.int64]
) -> tuple[int, float]:
    """Return which penalty has the smallest log loss on rows that were held out.

    The loss changes with every row, where accuracy counts a few of them: on 200 images accuracy
    jumps between penalties.

    Args:
        logits: P times (m, K).
        labels: (m,).

    Returns:
        Its position, and its temperature.
    """
    calibrated = [best_temperature(each, labels) for each in logits]
    best = min(range(len(calibrated)), key=lambda i: calibrated[i][1])
    return best, calibrated[best][0]


def ridge_head(
    fit: LinearFit, blocks: Sequence[Block], *, temperature: float, chosen: dict[str, float]
) -> Head:
    """Return a fit as the head of a network.

    Args:
        fit: on features of these blocks.
        blocks: see `PooledFeatures`.
        temperature: that its logits are divided by.
        chosen: what was chosen for it, for people.
    """
    classes, features = fit.weight.shape
    head = make_head(
        {
            "kind": "ridge",
            "layer": ",".join(dict.fromkeys(block.layer for block in blocks)),
            "features": features,
            "classes": classes,
            "blocks": [str(block) for block in blocks],
            "chosen": {**chosen, "temperature": temperature},
        }
    )
    tensors = {
        "weight": fit.weight / temperature,
        "bias": fit.bias / temperature,
        "shift": fit.shift,
        "scale": np.ones(features),
    }
    state = {name: torch.from_numpy(np.asarray(each, np.float32)) for name, each in tensors.items()}
    head.load_state_dict(state, assign=True)
    return head.eval()
