"""Pictures as data: sources, splits, packs, statistics, augmentation, batches."""

from alexnet.data.augmentation import Augmentation, Draw
from alexnet.data.cache import Cache, pack_of
from alexnet.data.cache_entries import cached_packs, clear_cache, packs_folder
from alexnet.data.loader import Batch, TrainLoader
from alexnet.data.pack import Pack, is_pack, open_pack
from alexnet.data.packing import write_pack
from alexnet.data.randomness import normals, permutation, uniforms
from alexnet.data.statistics import (
    PrincipalColours,
    channel_deviation,
    channel_mean,
    mean_image,
    principal_colours,
)
from alexnet.data.unreadable import Unreadable
from alexnet.data.words import bytes_in_words

__all__ = [
    "Augmentation",
    "Batch",
    "Cache",
    "Draw",
    "Pack",
    "PrincipalColours",
    "TrainLoader",
    "Unreadable",
    "bytes_in_words",
    "cached_packs",
    "channel_deviation",
    "channel_mean",
    "clear_cache",
    "is_pack",
    "mean_image",
    "normals",
    "open_pack",
    "pack_of",
    "packs_folder",
    "permutation",
    "principal_colours",
    "uniforms",
    "write_pack",
]
