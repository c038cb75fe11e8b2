from .checks.check import check_source
from .checks.exclusions import Exclusion, leave_out, read_exclusion
from .loading.augmentation import Augmentation, Draw
from .loading.batch import Batch, prefetched
from .loading.decoding import Readable, decoded
from .loading.loader import TrainLoader
from .loading.sampling import normals, permutation, uniforms
from .loading.splits import (
    assign_splits,
    read_split_csv,
    write_skipped_csv,
    write_split_csv,
)
from .loading.statistics import (
    PrincipalColours,
    channel_deviation,
    channel_mean,
    mean_image,
    principal_colours,
)
from .packs.cache import (
    Cache,
    cached_packs,
    clear_cache,
    pack_of,
    packs_folder,
)
from .packs.pack import Pack, is_pack, open_pack
from .packs.unreadable import Unreadable, UnreadablePolicy
from .packs.writer import write_pack
from .sources.archive import list_archive
from .sources.errors import nothing_readable
from .sources.folder import Listing, list_folder
from .sources.names import SPLITS, looks_like_picture, natural_key
from .sources.source import Source, open_source

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
