"""Where a study is kept: a journal file, or a PostgreSQL server that many machines reach."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alexnet.errors import AlexNetError, RecipeError, RunError
from alexnet.locks import locked

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

__all__ = [
    "close_storage",
    "exclusive_lock",
    "is_url",
    "open_storage",
    "quiet_optuna",
    "redact_url",
]

_RETRY_S = 0.002


@contextmanager
def exclusive_lock(folder: Path, name: str) -> Generator[None]:
    """Hold the lock `folder/name` in the block; wait while another process holds it.

    Raises:
        RunError: the disk refuses.
    """
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(folder, name=name, error=_BusyError))
                break
            except _BusyError as busy:
                if busy.__cause__ is not None:  # the disk failed: waiting does not help
                    raise RunError(str(busy)) from busy
                time.sleep(_RETRY_S)
        yield


class _BusyError(AlexNetError):
    """Another process holds the lock."""


_HEARTBEAT_S, _GRACE_S = 15, 60  # a worker on another machine is taken for dead after the latter
_POSTGRES = ("postgresql://", "postgres://", "postgresql+psycopg://")

RequeueTrial = Callable[["Study", "FrozenTrial"], None]


def is_url(storage: str) -> bool:
    """Whether a storage is the URL of a server rather than a file."""
    return "://" in storage


def redact_url(storage: str) -> str:
    """Return a storage without its password, to be shown."""
    scheme, mark, rest = storage.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}{mark}{user.partition(':')[0]}{at}{host}" if mark else storage


@contextmanager
def quiet_optuna() -> Generator[None]:
    """Silence Optuna's own log lines and its warnings of experimental parts in the block.

    Raises:
        RecipeError: Optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise RecipeError('A search needs Optuna: pip install "alexnet[search]".') from None
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def open_storage(
    storage: str,
    requeue: RequeueTrial,
    *,
    heartbeat_s: int = _HEARTBEAT_S,
    grace_s: int = _GRACE_S,
) -> BaseStorage:
    """Open a journal file, created where missing, or the database at a URL.

    Args:
        storage: a path, or postgresql://USER@HOST/DATABASE.
        requeue: Optuna's callback for each trial of a server whose worker sends no heartbeat.
        heartbeat_s: seconds between two heartbeats of a worker to a server.
        grace_s: seconds without a heartbeat after which a worker is taken for dead.

    Raises:
        RecipeError: a URL of another scheme, or psycopg is not installed.
        RunError: the server cannot be reached, or the file is no journal.
    """
    if not is_url(storage):
        return _journal(Path(storage))
    if not storage.startswith(_POSTGRES):
        raise RecipeError(
            f"The storage {redact_url(storage)} is no PostgreSQL URL. Name a file, or "
            "postgresql://USER@HOST/DATABASE."
        )
    return _postgres(storage, requeue, heartbeat_s, grace_s)


def close_storage(storage: BaseStorage) -> None:
    """Close the connections to a server; a journal has none."""
    from optuna.storages import RDBStorage

    storage.remove_session()
    if isinstance(storage, RDBStorage):
        storage.engine.dispose()


def _postgres(storage: str, requeue: RequeueTrial, heartbeat_s: int, grace_s: int) -> BaseStorage:
    try:
        import psycopg  # noqa: F401  # pyright: ignore[reportUnusedImport, reportMissingImports]
    except ImportError:
        raise RecipeError('PostgreSQL needs psycopg: pip install "alexnet[search]".') from None
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    logging.getLogger("alembic").setLevel(logging.WARNING)
    rest = storage.partition("://")[2]
    for attempt in range(3):
        try:
            return RDBStorage(
                f"postgresql+psycopg://{rest}",
                engine_kwargs={"pool_pre_ping": True},  # reconnects to a restarted server
                heartbeat_interval=heartbeat_s,
                grace_period=grace_s,
                heartbeat_stale_trial_callback=requeue,
            )
        except (SQLAlchemyError, StorageInternalError) as error:
            # Two workers may create the tables at the same moment (Optuna 5.0 does not lock them).
            if attempt < 2 and "already exists" in str(error):
                time.sleep(0.2)
                continue
            reason = str(error).partition("\n")[0]
            raise RunError(
                f"The storage {redact_url(storage)} cannot be used: {reason} Start the server, "
                "make the database (createdb), or name another storage."
            ) from error
    raise AssertionError("unreachable")


def _journal(path: Path) -> BaseStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.storages.journal._file import BaseJournalFileLock

    class Lock(BaseJournalFileLock):
        """A lock that the system releases when its owner dies, and a journal without torn lines.

        The locks of Optuna 5.0 are files, which a killed worker leaves behind for half a minute;
        and the line that it was writing would make the journal unreadable for ever.
        """

        def __init__(self) -> None:
            self._stack = ExitStack()

        def acquire(self) -> bool:
            self._stack.enter_context(exclusive_lock(path.parent, f"{path.name}.lock"))
            _truncate_torn_line(path)
            return True

        def release(self) -> None:
            self._stack.close()

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(path), lock_obj=Lock()))
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"The storage {path} cannot be used ({error}). Name another with --storage."
        ) from error


def _truncate_torn_line(path: Path) -> None:
    """Remove the last line where a killed worker left it unfinished."""
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        if not size:
            return
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return
        start = max(0, size - (1 << 20))  # no line of Optuna's is that long
        file.seek(start)
        file.truncate(start + file.read().rfind(b"\n") + 1)
