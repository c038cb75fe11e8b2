"""What a weights file holds, as a value, and the network that it makes."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

import alexnet
from alexnet.errors import RecipeError, WeightsError
from alexnet.images import Preprocessing
from alexnet.models import (
    HeadedNetwork,
    Network,
    build_model,
    is_external,
    is_layer_file,
    needs_trust,
)
from alexnet.text import format_count, format_setting
from alexnet.weights.header import tensor_digest

__all__ = ["Weights", "current_versions"]

_BUILD_ERRORS = (
    *(RecipeError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError),
    RuntimeError,  # torch's own
)
"""What building with untrusted arguments may raise."""

_REMEDY = "The file is inconsistent: use another, or train again."


def _listed(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={format_setting(value)}" for name, value in arguments.items())


def current_versions() -> dict[str, str]:
    """Return the versions that belong to a figure: of this package, torch and Python."""
    return {
        "alexnet": alexnet.__version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A trained network with all that is needed to use it, and how it was trained; K classes.

    Args:
        model: the network's name, as `build_model` takes it, but for names of files.
        arguments: what `build_model` takes beside the name; plain values.
        state: every tensor of the network by its name, as `Network.state_dict()` gives them.
        classes: K names, in the order of the network's outputs.
        preprocessing: the rule from an image file to the numbers that the network takes.
        class_words: readable names of classes whose names are codes, such as n01443537; may be
            empty.
        recipe: the recipe as plain values, where one is known.
        results: what was measured on held-out images, as plain values, where it was.
        versions: of the programs that wrote the file.
    """

    model: str
    arguments: dict[str, Any]
    state: dict[str, Tensor]
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    class_words: dict[str, str] = field(default_factory=dict[str, str])
    recipe: dict[str, Any] | None = None
    results: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=current_versions)

    @property
    def digest(self) -> str:
        """32 hex digits that change with any bit of the tensors."""
        return tensor_digest(self.state)

    def network(self, *, copy: bool = True) -> Network:
        """Build the network, load the tensors, and set it to evaluation mode (no dropout).

        Args:
            copy: False: the network takes these tensors as they are, and what changes one changes
                the other.

        Returns:
            A network on the CPU, convolutions laid out channels last as in training.

        Raises:
            WeightsError: model or arguments are unknown here, or the tensors do not fit them.
        """
        self._check_model()
        try:
            # On the meta device no memory is taken before all is known to fit; an external module
            # may compute with its tensors while it is built.
            with contextlib.nullcontext() if is_external(self.model) else torch.device("meta"):
                network = build_model(self.model, **self.arguments)
        except _BUILD_ERRORS as error:
            raise WeightsError(
                f"The weights ask for a network that cannot be built here: {error} "
                "Use the version of alexnet that wrote them"
                f" ({self.versions.get('alexnet', 'unknown')})."
            ) from error
        self._check_fit(network)
        dtypes = {name: tensor.dtype for name, tensor in network.state_dict().items()}
        own = {name: self.state[name].to("cpu", dtype, copy=copy) for name, dtype in dtypes.items()}
        network.load_state_dict(own, assign=True)
        if isinstance(network, HeadedNetwork) and (problem := network.classifier.find_problem()):
            raise WeightsError(f"The head of the weights cannot be used: {problem}. {_REMEDY}")
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.eval()

    def resized(self, *, image_px: int, crop_px: int) -> Weights:
        """Return the same tensors for images of another size.

        Convolutions slide over maps of any size, so weights whose fully connected layers see maps
        of a fixed size (adaptive or global pooling before them) take any image that is large
        enough. A mean image is resized with them. Results are left out: they were measured at the
        old size.

        Args:
            image_px: S, side of the stored image.
            crop_px: c, side of the crop that the network takes, at most `image_px`.

        Returns:
            Weights that share these tensors; these weights themselves where the size is theirs.

        Raises:
            RecipeError: sides that cannot work, or a layer that fixes the size.
            WeightsError: the tensors do not fit their own network.
        """
        rule = self.preprocessing
        if (image_px, crop_px) == (rule.image_px, rule.crop_px):
            return self
        mean = _resized_mean(rule.mean, image_px)
        rule = replace(rule, image_px=image_px, crop_px=crop_px, mean=mean)
        arguments = {**self.arguments, "image_px": image_px, "crop_px": crop_px}
        resized = replace(self, arguments=arguments, preprocessing=rule, results=None)
        self.network(copy=False)  # so that what follows is about the size alone
        resized._check_size(self.preprocessing.crop_px)
        return resized

    def _check_size(self, own_px: int) -> None:
        """Raise where a layer needs the size that the weights were made for, `own_px`."""
        crop_px = self.preprocessing.crop_px
        try:
            with contextlib.nullcontext() if is_external(self.model) else torch.device("meta"):
                network = build_model(self.model, **self.arguments)
        except RecipeError:
            raise
        except _BUILD_ERRORS as error:
            raise RecipeError(
                f"These weights do not take crops of {crop_px} pixels: {error}"
            ) from error
        remedy = f"Use them at their own {own_px} pixels, or weights of a model for any size."
        for name, tensor in network.state_dict().items():
            stored = self.state.get(name)
            if stored is None or stored.shape != tensor.shape:
                layer = name.rpartition(".")[0] or name
                raise RecipeError(
                    f'These weights take crops of {own_px} pixels alone: the layer "{layer}" of '
                    f'the model "{self.model}" has another number of weights for {crop_px}. '
                    f"{remedy}"
                )
        try:
            with torch.inference_mode():
                self.network(copy=False)(torch.zeros(1, 3, crop_px, crop_px))
        except _BUILD_ERRORS as error:
            raise RecipeError(
                f"These weights take crops of {own_px} pixels and not of {crop_px}: {error} "
                f"{remedy}"
            ) from error

    def _check_model(self) -> None:
        """Raise for a model that would import code, or read files, which only the weights name."""
        if needs_trust(self.model):
            raise WeightsError(
                f'These weights are of the network "{self.model}", which is code outside of them '
                "that would be imported and run. If you trust it, name it in the same call: "
                f"--trust {self.model}"
            )
        if is_layer_file(self.model):
            raise WeightsError(
                f'These weights name the file "{self.model}" as their model and do not hold it. '
                "The file is inconsistent: use another."
            )

    def _check_fit(self, network: Network) -> None:
        """Compare the tensors with the network: same names, same shapes, K classes, same crop."""
        tensors = network.state_dict()
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        stored = {name: tuple(tensor.shape) for name, tensor in self.state.items()}
        who = f'the model "{self.model}"'
        arguments = {name: value for name, value in self.arguments.items() if name != "files"}
        for name in shapes.keys() - stored.keys():
            raise WeightsError(f'The weights lack the tensor "{name}" that {who} needs. {_REMEDY}')
        for name in stored.keys() - shapes.keys():
            raise WeightsError(
                f'The weights hold a tensor "{name}" that {who} does not have. {_REMEDY}'
            )
        for name, shape in shapes.items():
            if stored[name] != shape:
                raise WeightsError(
                    f'The tensor "{name}" has the shape {stored[name]}, but {who} with '
                    f"{_listed(arguments)} needs {shape}. {_REMEDY}"
                )
        self._check_dtypes(tensors)
        if network.classes != len(self.classes):
            raise WeightsError(
                f"The weights name {format_count(len(self.classes), 'class', 'classes')}, but "
                f"{who} has {format_count(network.classes, 'output')}. {_REMEDY}"
            )
        if network.crop_px != self.preprocessing.crop_px:
            raise WeightsError(
                f"The preprocessing cuts {self.preprocessing.crop_px} pixels, but {who} takes "
                f"{network.crop_px}. {_REMEDY}"
            )

    def _check_dtypes(self, tensors: Mapping[str, Tensor]) -> None:
        """Raise for tensors that would have to be rounded to the network's dtypes."""
        for name, tensor in tensors.items():
            stored, needed = self.state[name].dtype, tensor.dtype
            if (stored.is_floating_point, stored.is_complex) != (
                needed.is_floating_point,
                needed.is_complex,
            ):
                raise WeightsError(
                    f'The tensor "{name}" holds {stored}, but the model "{self.model}" needs '
                    f"{needed}. {_REMEDY}"
                )


def _resized_mean(mean: NDArray[np.float32] | None, side: int) -> NDArray[np.float32] | None:
    """Return a mean image (S, S, 3) for images of another side; a mean color as it is."""
    if mean is None or mean.ndim != 3:
        return mean
    planes = torch.from_numpy(mean).permute(2, 0, 1)[None]
    other = functional.interpolate(planes, (side, side), mode="bilinear", antialias=True)
    return np.ascontiguousarray(other[0].permute(1, 2, 0).numpy())
