"""Where weights lie: a file, the best ones of a run folder, or those that come with the package."""

from __future__ import annotations

from pathlib import Path

from alexnet.errors import WeightsError, did_you_mean
from alexnet.files import cache_folder, require_usable_path
from alexnet.weights.catalogue import published_name
from alexnet.weights.other_formats import what_it_is

__all__ = [
    "BUNDLED",
    "DEFAULT_WEIGHTS",
    "FOLDER",
    "RUN_WEIGHTS",
    "bundled_file",
    "made_file",
    "weights_file",
]

DEFAULT_WEIGHTS = "small-200"
"""The bundled weights that are used where none are named."""

BUNDLED = {DEFAULT_WEIGHTS: "200 classes of ImageNet at 64 pixels, from animals to food and tools"}
"""Names of the bundled weights, and what they classify."""

FOLDER = Path(__file__).with_name("data")
"""Where the bundled weights lie."""

RUN_WEIGHTS = "weights.safetensors"
"""The best weights in a run folder."""


def bundled_file(name: str = DEFAULT_WEIGHTS) -> Path | None:
    """Return the file of bundled weights; None where there are none of this name.

    Raises:
        WeightsError: this copy of the package lacks them.
    """
    if name not in BUNDLED:
        return None
    file = FOLDER / f"{name}.safetensors"
    if not file.is_file():
        raise WeightsError(
            f'The weights "{name}" come with the package, and this copy of it lacks them ({file} '
            "is not there). Name a weights file or the folder of a run, or install alexnet again."
        )
    return file


def weights_file(path: Path) -> Path:
    """Return the file that `path` means: itself, a run folder's, or weights known by this name.

    Raises:
        WeightsError: there is none.
    """
    require_usable_path(path, WeightsError)
    if path.is_dir():
        if not (path / RUN_WEIGHTS).is_file():
            if (what := _folder_kind(path)) is not None:
                raise WeightsError(what)
            raise WeightsError(
                f"The folder {path} holds no {RUN_WEIGHTS}. Name a weights file, or the folder of "
                "a run that has finished its first epoch."
            )
        return path / RUN_WEIGHTS
    if path.is_file():
        return path
    if (bundled := bundled_file(str(path))) is not None:
        return bundled
    if (name := published_name(path)) is not None:
        return _published_file(name)
    if path.exists():
        raise WeightsError(f"{path} is a pipe or a device. Copy it into a file, and name that.")
    raise WeightsError(
        f"There is no weights file or run folder {path}.{_near(path)} "
        "Name a .safetensors file or the folder of a run."
    )


def made_file(name: str, folder: Path | None = None) -> Path:
    """Return where the weights file of published weights lies, or will.

    Args:
        name: one of the catalogue's, or timm/NAME.
        folder: where they were put; None: "weights" in the cache folder.
    """
    file = f"{name.replace('/', '--')}.safetensors"
    return (folder or cache_folder() / "weights") / file


def _published_file(name: str) -> Path:
    file = made_file(name)
    if not file.is_file():
        raise WeightsError(
            f'The weights "{name}" are published and not here yet. Get them: '
            f"alexnet weights get {name}"
        )
    return file


def _folder_kind(path: Path) -> str | None:
    try:
        return what_it_is(path)
    except OSError:
        return None


def _near(path: Path) -> str:
    """Suggest names of the same folder that are spelled alike."""
    try:
        return did_you_mean(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return ""
