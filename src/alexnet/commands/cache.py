"""`alexnet cache`: the packs and graphs in the cache, and their removal."""

from __future__ import annotations

from alexnet.records import CacheReport

__all__ = ["cache"]


def cache(*, clear: str | None = None) -> CacheReport:
    """List the packs and graphs in the cache folder, or remove some.

    Packs are what trainings left; graphs predict a few images sooner than torch is loaded. The
    folder is the one that ALEXNET_CACHE names, else alexnet in the user's cache.

    Args:
        clear: name of a pack or of graphs to remove, or all.

    Returns:
        The packs and graphs, last used first, and what was removed.

    Raises:
        SourceError: there is nothing of this name, or it is being written.
    """
    from alexnet.data import cached_packs, clear_cache, packs_folder
    from alexnet.evaluation.graph_cache import cached_graphs, clear_graphs

    graph_names = [graph.name for graph in cached_graphs()]
    removed = [] if clear in (None, *graph_names) else clear_cache(clear)
    removed_graphs = [] if clear is None else clear_graphs(clear)
    return CacheReport(
        folder=str(packs_folder()),
        packs=cached_packs(),
        removed=removed,
        graphs=cached_graphs(),
        removed_graphs=removed_graphs,
    )
