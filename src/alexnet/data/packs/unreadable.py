"""What is done about images that cannot be read: skip and name them, fail, or quarantine."""

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

__all__ = ["UnreadableMode", "UnreadablePolicy"]

UnreadableMode = Literal["skip", "fail", "quarantine"]

MAX_SHARE = 0.05
"""A larger share of unreadable images is taken for a mistake in the source."""

_MAX_NAMED = 5


class NamedFiles(Protocol):
    """What a policy needs of a source."""

    @property
    def where(self) -> Path:
        """The source as it was named."""
        ...

    @property
    def paths(self) -> Sequence[str]:
        """Relative path of each image."""
        ...

    def read(self, index: int) -> bytes:
        """Return the bytes of an image file."""
        ...


@dataclass(frozen=True)
class UnreadablePolicy:
    """How to treat unreadable images; naming a quarantine folder chooses to quarantine.

    Raises:
        RecipeError: an unknown choice, or quarantine without a folder or against `fail`.
    """

    mode: UnreadableMode = "skip"
    quarantine: Path | None = None  # copies go here

    def __post_init__(self) -> None:
        if self.mode not in get_args(UnreadableMode):
            choices = '"skip", "fail" or "quarantine"'
            raise RecipeError(f'unreadable must be {choices}; got "{self.mode}".')
        if self.mode == "quarantine" and self.quarantine is None:
            raise RecipeError('unreadable is "quarantine" and no folder is named for the copies.')
        if self.mode == "fail" and self.quarantine is not None:
            raise RecipeError('unreadable is "fail": nothing goes to a quarantine. Leave one out.')

    def handle(self, source: NamedFiles | Pack, failures: Sequence[tuple[int, str]]) -> None:
        """Treat some unreadable images: index in the source and reason.

        Raises:
            SourceError: the choice is to fail; the first image is named.
        """
        if not failures or isinstance(source, Pack):  # what is packed was read before
            return
        if self.mode == "fail":
            index, reason = failures[0]
            raise SourceError(
                f"{source.where}: {source.paths[index]} cannot be read: {reason}. Mend or remove "
                "it, or leave such images out with --unreadable skip."
            )
        if self.quarantine is not None:
            for index, _ in failures:
                with contextlib.suppress(SourceError):  # a file that vanished leaves nothing
                    _copy_to(self.quarantine, source.paths[index], source.read(index))

    def check_share(self, source: NamedFiles, skipped: Sequence[tuple[int, str]]) -> None:
        """Compare the unreadable images so far with the share that a sound source may have.

        Raises:
            SourceError: more than 5 % are unreadable and the choice is to skip them.
        """
        total = len(source.paths)
        if self.quarantine is not None or len(skipped) <= MAX_SHARE * total:
            return
        named = [f"{source.paths[index]} ({why})" for index, why in skipped[:_MAX_NAMED]]
        named += ["..."] if len(skipped) > _MAX_NAMED else []
        raise SourceError(
            f"{source.where}: {len(skipped):,} of {total:,} images cannot be read, more than "
            f"{MAX_SHARE:.0%}: {'; '.join(named)}. Mend or remove them, or copy them aside and go "
            "on with --quarantine FOLDER."
        )


def _copy_to(folder: Path, path: str, data: bytes) -> None:
    """Copy a file under its own relative path; a different file of that name gets a number."""
    parts = [_portable(part) for part in PurePosixPath(path).parts if part not in ("/", "..", ".")]
    first = folder.joinpath(*parts)
    target, number = first, 2
    while target.exists():
        if target.is_file() and target.read_bytes() == data:
            return
        target = first.with_name(f"{first.stem}-{number}{first.suffix}")
        number += 1
    replace_file(target, lambda file: file.write(data))


def _portable(part: str) -> str:
    """Replace what Windows reads as a drive, a separator or a wildcard."""
    return re.sub(r'[\x00-\x1f<>:"\\|?*]', "_", part)[-200:]
