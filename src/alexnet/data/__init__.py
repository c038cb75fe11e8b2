"""Labeled images as data: sources, checks, packs, splits, statistics, augmentation, batches."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
