"""`alexnet cache`: the packs in the cache, and their removal."""

from __future__ import annotations

from alexnet.records import CacheReport

__all__ = ["cache"]


def cache(*, clear: str | None = None) -> CacheReport:
    """List the packs that trainings left in the cache folder, or remove some.

    The folder is the one that ALEXNET_CACHE names, else alexnet in the user's cache.

    Args:
        clear: name of a pack to remove, or all.

    Returns:
        The packs, last used first, and what was removed.

    Raises:
        SourceError: there is no such pack, or it is being written.
    """
    from alexnet.data import cached_packs, clear_cache, packs_folder

    removed = [] if clear is None else clear_cache(clear)
    return CacheReport(folder=str(packs_folder()), packs=cached_packs(), removed=removed)
