"""Pictures as data: sources, checks, splits, packs, statistics, augmentation, batches."""

from alexnet.data.archive import list_archive
from alexnet.data.augmentation import Augmentation, Draw
from alexnet.data.batches import Batch
from alexnet.data.cache import Cache, pack_of
from alexnet.data.cache_entries import cached_packs, clear_cache, packs_folder
from alexnet.data.checking import check_source
from alexnet.data.decoding import Readable, decoded
from alexnet.data.exclusion import Exclusion, leave_out, read_exclusion
from alexnet.data.folder import list_folder
from alexnet.data.listing import Listing
from alexnet.data.loader import TrainLoader
from alexnet.data.names import SPLITS, looks_like_picture, natural_key
from alexnet.data.pack import Pack, is_pack, open_pack
from alexnet.data.packing import write_pack
from alexnet.data.prefetch import prefetched
from alexnet.data.randomness import normals, permutation, uniforms
from alexnet.data.refusals import nothing_readable
from alexnet.data.source import Source, open_source
from alexnet.data.split_csv import read_split_csv, write_skipped_csv, write_split_csv
from alexnet.data.splits import assign_splits
from alexnet.data.statistics import (
    PrincipalColours,
    channel_deviation,
    channel_mean,
    mean_image,
    principal_colours,
)
from alexnet.data.unreadable import Unreadable, UnreadablePolicy

__all__ = [
    "SPLITS",
    "Augmentation",
    "Batch",
    "Cache",
    "Draw",
    "Exclusion",
    "Listing",
    "Pack",
    "PrincipalColours",
    "Readable",
    "Source",
    "TrainLoader",
    "Unreadable",
    "UnreadablePolicy",
    "assign_splits",
    "cached_packs",
    "channel_deviation",
    "channel_mean",
    "check_source",
    "clear_cache",
    "decoded",
    "is_pack",
    "leave_out",
    "list_archive",
    "list_folder",
    "looks_like_picture",
    "mean_image",
    "natural_key",
    "normals",
    "nothing_readable",
    "open_pack",
    "open_source",
    "pack_of",
    "packs_folder",
    "permutation",
    "prefetched",
    "principal_colours",
    "read_exclusion",
    "read_split_csv",
    "uniforms",
    "write_pack",
    "write_skipped_csv",
    "write_split_csv",
]
