"""Opening a cluster: Ray's, at an address or on this machine."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from alexnet.cluster.executor import Executor
from alexnet.errors import AlexNetError

__all__ = ["open_cluster"]

_MISSING = (
    '--cluster needs Ray: pip install "alexnet[cluster]", or leave it out: one process does it.'
)


@contextmanager
def open_cluster(cluster: str | Executor) -> Generator[Executor]:
    """Connect to a Ray cluster, or start one, for the time of the block.

    Args:
        cluster: "auto": the cluster that the variable RAY_ADDRESS names, else one of this machine
            alone, which ends with the block; or an address, such as 10.0.0.1:6379; or an executor,
            which is taken as it is.

    Raises:
        AlexNetError: Ray is not installed.
        RunError: nothing answers at the address.
    """
    if not isinstance(cluster, str):
        yield cluster
        return
    try:
        import ray  # noqa: F401  # pyright: ignore
    except ImportError:
        raise AlexNetError(_MISSING) from None
    from alexnet.cluster.ray_executor import ray_cluster

    with ray_cluster(cluster) as executor:
        yield executor
