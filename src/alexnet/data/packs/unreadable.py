"""What is done about pictures that cannot be read: named and left out, an error, or set aside."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol, get_args

from alexnet.data.packs.pack import Pack
from alexnet.errors import RecipeError, SourceError
from alexnet.files import replace_file

__all__ = ["Unreadable", "UnreadablePolicy"]

Unreadable = Literal["skip", "fail", "quarantine"]

SHARE = 0.05
"""More unreadable pictures than this share are taken for a mistake in the source."""

_LISTED = 5


class NamedFiles(Protocol):
    """What is needed of a source."""

    @property
    def where(self) -> Path:
        """The source as it was named."""
        ...

    @property
    def paths(self) -> Sequence[str]:
        """Relative path of each picture."""
        ...

    def read(self, index: int) -> bytes:
        """Return the bytes of a picture file."""
        ...


@dataclass(frozen=True)
class UnreadablePolicy:
    """How to treat unreadable pictures; naming a quarantine folder chooses to quarantine.

    Raises:
        RecipeError: an unknown choice, or quarantine without a folder or against `fail`.
    """

    how: Unreadable = "skip"
    quarantine: Path | None = None  # copies go here

    def __post_init__(self) -> None:
        if self.how not in get_args(Unreadable):
            choices = '"skip", "fail" or "quarantine"'
            raise RecipeError(f'unreadable must be {choices}; got "{self.how}".')
        if self.how == "quarantine" and self.quarantine is None:
            raise RecipeError('unreadable is "quarantine" and no folder is named for the copies.')
        if self.how == "fail" and self.quarantine is not None:
            raise RecipeError('unreadable is "fail": nothing goes to a quarantine. Leave one out.')

    def take(self, source: NamedFiles | Pack, failures: Sequence[tuple[int, str]]) -> None:
        """Treat some unreadable pictures as they are met: index in the source and reason.

        Raises:
            SourceError: the choice is to fail; the first picture is named.
        """
        if not failures or isinstance(source, Pack):  # what is packed was read before
            return
        if self.how == "fail":
            index, reason = failures[0]
            raise SourceError(
                f"{source.where}: {source.paths[index]} cannot be read: {reason}. Mend or remove "
                "it, or leave such pictures out with --unreadable skip."
            )
        if self.quarantine is not None:
            for index, _ in failures:
                with contextlib.suppress(SourceError):  # a file that vanished leaves nothing
                    _set_aside(self.quarantine, source.paths[index], source.read(index))

    def check_share(self, source: NamedFiles, skipped: Sequence[tuple[int, str]]) -> None:
        """Hold the unreadable pictures so far against the number that a sound source may have.

        Raises:
            SourceError: more than 5 % are unreadable and the choice is to skip them.
        """
        total = len(source.paths)
        if self.quarantine is not None or len(skipped) <= SHARE * total:
            return
        first = "; ".join(f"{source.paths[index]} ({why})" for index, why in skipped[:_LISTED])
        raise SourceError(
            f"{source.where}: {len(skipped):,} of {total:,} pictures cannot be read, more than "
            f"{SHARE:.0%}: {first}{'; ...' if len(skipped) > _LISTED else ''}. Mend or remove "
            "them, or copy them aside and go on with --quarantine FOLDER."
        )


def _set_aside(folder: Path, path: str, data: bytes) -> None:
    """Copy a file under its own relative path; a different file of that name gets a number."""
    parts = [_harmless(part) for part in PurePosixPath(path).parts if part not in ("/", "..", ".")]
    wanted = folder.joinpath(*parts)
    target, number = wanted, 2
    while target.exists():
        if target.is_file() and target.read_bytes() == data:
            return
        target = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        number += 1
    replace_file(target, lambda file: file.write(data))


def _harmless(part: str) -> str:
    """Replace what some system reads as a drive, a separator or an end."""
    return re.sub(r'[\x00-\x1f<>:"\\|?*]', "_", part)[-200:]
