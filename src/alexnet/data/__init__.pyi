from .checks.check import check_source
from .checks.exclusions import ExclusionList, exclude_listed, read_exclusion_list
from .loading.alike_features import (
    AlikeFeatures,
    find_alike_features,
    relative_distances,
)
from .loading.augmentation import Augmentation, AugmentationParams
from .loading.batch import Batch, prefetch
from .loading.counter_random import normals, permutation, uniforms
from .loading.folds import stratified_group_folds
from .loading.groups import burst_groups, merge_pairs
from .loading.loader import TrainLoader
from .loading.splits import (
    SplitAssignment,
    assign_splits,
    draw_splits,
    read_split_csv,
    write_skipped_csv,
    write_split_csv,
)
from .loading.statistics import (
    ColorPCA,
    channel_mean,
    channel_std,
    color_pca,
    mean_image,
)
from .packs.cache import (
    CacheMode,
    cached_packs,
    clear_cache,
    load_pack,
    packs_folder,
)
from .packs.pack import Pack, is_pack, open_pack
from .packs.unreadable import UnreadableMode, UnreadablePolicy
from .packs.writer import write_pack
from .sources.archive import list_archive
from .sources.folder import FileListing, list_folder
from .sources.names import (
    SPLITS,
    alike_key,
    looks_like_image,
    natural_key,
    normalize_name,
)
from .sources.nested import list_files
from .sources.parallel_decoding import ImageFiles, decode_files
from .sources.sidecars import image_mask
from .sources.source import Source, open_source
from .sources.validation import unreadable_source

__all__ = [
    "SPLITS",
    "AlikeFeatures",
    "Augmentation",
    "AugmentationParams",
    "Batch",
    "CacheMode",
    "ColorPCA",
    "ExclusionList",
    "FileListing",
    "ImageFiles",
    "Pack",
    "Source",
    "SplitAssignment",
    "TrainLoader",
    "UnreadableMode",
    "UnreadablePolicy",
    "alike_key",
    "assign_splits",
    "burst_groups",
    "cached_packs",
    "channel_mean",
    "channel_std",
    "check_source",
    "clear_cache",
    "color_pca",
    "decode_files",
    "draw_splits",
    "exclude_listed",
    "find_alike_features",
    "image_mask",
    "is_pack",
    "list_archive",
    "list_files",
    "list_folder",
    "load_pack",
    "looks_like_image",
    "mean_image",
    "merge_pairs",
    "natural_key",
    "normalize_name",
    "normals",
    "open_pack",
    "open_source",
    "packs_folder",
    "permutation",
    "prefetch",
    "read_exclusion_list",
    "read_split_csv",
    "relative_distances",
    "stratified_group_folds",
    "uniforms",
    "unreadable_source",
    "write_pack",
    "write_skipped_csv",
    "write_split_csv",
]
