"""From a pack to batches: splits, order, crops, augmentation, statistics, prefetching."""
