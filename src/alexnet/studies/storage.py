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

__all__ = ["close_storage", "is_address", "open_storage", "optuna_quiet", "shown_address", "turn"]

_PAUSE_S = 0.002


@contextmanager
def turn(folder: Path, name: str) -> Generator[None]:
    """Hold `folder/name` while the block runs; wait as long as another process holds it.

    Raises:
        RunError: the disk refuses.
    """
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(folder, name=name, error=_BusyError))
                break
            except _BusyError as busy:
                if busy.__cause__ is not None:  # the disk refuses: waiting would not help
                    raise RunError(str(busy)) from busy
                time.sleep(_PAUSE_S)
        yield


class _BusyError(AlexNetError):
    """Another process has its turn."""


_HEARTBEAT_S, _GRACE_S = 15, 60  # a worker on another machine that is silent for so long has died
_POSTGRES = ("postgresql://", "postgres://", "postgresql+psycopg://")

GiveBack = Callable[["Study", "FrozenTrial"], None]


def is_address(storage: str) -> bool:
    """Whether a storage is the address of a server and no file."""
    return "://" in storage


def shown_address(storage: str) -> str:
    """Return a storage as it may be shown: without a password."""
    scheme, mark, rest = storage.partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}{mark}{user.partition(':')[0]}{at}{place}" if mark else storage


@contextmanager
def optuna_quiet() -> Generator[None]:
    """Keep Optuna's own log lines and its notes on new parts of it off the screen meanwhile.

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
    give_back: GiveBack,
    *,
    heartbeat_s: int = _HEARTBEAT_S,
    grace_s: int = _GRACE_S,
) -> BaseStorage:
    """Open a journal file, made where missing, or the database at an address.

    Args:
        storage: a path, or postgresql://USER@HOST/DATABASE.
        give_back: called for each trial of a server whose worker is silent for too long.
        heartbeat_s: seconds between two signs of life that a worker gives to a server.
        grace_s: seconds of silence after which a worker is taken for dead.

    Raises:
        RecipeError: an address of another kind, or psycopg is not installed.
        RunError: the server cannot be reached, or the file is no journal.
    """
    if not is_address(storage):
        return _journal(Path(storage))
    if not storage.startswith(_POSTGRES):
        raise RecipeError(
            f"The storage {shown_address(storage)} is no PostgreSQL address. Name a file, or "
            "postgresql://USER@HOST/DATABASE."
        )
    return _postgres(storage, give_back, heartbeat_s, grace_s)


def close_storage(storage: BaseStorage) -> None:
    """Let the connections of a server go; a journal has none."""
    from optuna.storages import RDBStorage

    storage.remove_session()
    if isinstance(storage, RDBStorage):
        storage.engine.dispose()


def _postgres(storage: str, give_back: GiveBack, heartbeat_s: int, grace_s: int) -> BaseStorage:
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
                engine_kwargs={"pool_pre_ping": True},  # a server that was restarted is met again
                heartbeat_interval=heartbeat_s,
                grace_period=grace_s,
                heartbeat_stale_trial_callback=give_back,
            )
        except (SQLAlchemyError, StorageInternalError) as error:
            # Two workers that make the tables at the same moment: the second finds them made.
            if attempt < 2 and "already exists" in str(error):
                time.sleep(0.2)
                continue
            reason = str(error).partition("\n")[0]
            raise RunError(
                f"The storage {shown_address(storage)} cannot be used: {reason} Start the server, "
                "make the database (createdb), or name another storage."
            ) from error
    raise AssertionError("unreachable")


def _journal(path: Path) -> BaseStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.storages.journal._file import BaseJournalFileLock

    class Lock(BaseJournalFileLock):
        """A lock that the system lets go when its owner dies, and a journal without torn lines.

        Optuna's own locks are files, which a killed worker leaves behind for half a minute; and the
        line that it was writing would make the journal unreadable for ever.
        """

        def __init__(self) -> None:
            self._held = ExitStack()

        def acquire(self) -> bool:
            self._held.enter_context(turn(path.parent, f"{path.name}.turn"))
            _cut_torn_line(path)
            return True

        def release(self) -> None:
            self._held.close()

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(path), lock_obj=Lock()))
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"The storage {path} cannot be used ({error}). Name another with --storage."
        ) from error


def _cut_torn_line(path: Path) -> None:
    """Cut off what a killed worker had begun to write."""
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        if not size:
            return
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return
        at = max(0, size - (1 << 20))
        file.seek(at)
        file.truncate(at + file.read().rfind(b"\n") + 1)
