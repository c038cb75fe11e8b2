from .executor import Executor, LocalExecutor, ShardTask, TaskOutcome
from .fields import FieldBytes, pack_fields, unpack_fields
from .jobs import ShardJob, parts_beside, run_shards
from .open_cluster import open_cluster

__all__ = [
    "Executor",
    "FieldBytes",
    "LocalExecutor",
    "ShardJob",
    "ShardTask",
    "TaskOutcome",
    "open_cluster",
    "pack_fields",
    "parts_beside",
    "run_shards",
    "unpack_fields",
]
