"""From a model name that a user types to the texts of a pair of layer files."""

from __future__ import annotations

from pathlib import Path

from alexnet.errors import RecipeError

__all__ = ["read_layer_files"]

_LARGEST = 1 << 20  # bytes


def read_layer_files(model: str) -> dict[str, str]:
    """Return the texts of a layer file and of the parameter file that belongs to it.

    Args:
        model: "FILE.cfg", whose parameters lie beside it (`layers-X.cfg` with
            `layer-params-X.cfg`, as in the program's own folders), or "FILE.cfg,PARAMETERS.cfg".

    Returns:
        "layers" and "parameters": what `build` takes.

    Raises:
        RecipeError: a file is missing, cannot be read or is no text.
    """
    first, comma, second = model.partition(",")
    layers = Path(first.strip())
    text = _read(layers)
    return {
        "layers": text,
        "parameters": _read(Path(second.strip()) if comma else _parameter_file(layers)),
    }


def _parameter_file(layers: Path) -> Path:
    """Return the parameter file that belongs to a layer file by its name."""
    name = layers.name
    parameters = layers.with_name(
        name.replace("layers", "layer-params", 1) if "layers" in name else f"layer-params-{name}"
    )
    if not parameters.is_file():
        raise RecipeError(
            f"The learning rates of {layers} should stand in {parameters}, which does not exist. "
            f"Name both files with a comma: --model {layers},PARAMETERS.cfg"
        )
    return parameters


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise RecipeError(
            f"Could not read the layer file {path}: {error.strerror or error}."
        ) from None
    if len(content) > _LARGEST:
        raise RecipeError(f"{path} is larger than 1 MiB, so it is no layer file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RecipeError(f"{path} is not a text file, so it is no layer file.") from None
