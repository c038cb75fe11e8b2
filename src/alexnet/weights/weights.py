"""What a weights file holds, as a value, and the network that it makes."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import alexnet
from alexnet.errors import RecipeError, WeightsError
from alexnet.images import Preprocessing
from alexnet.models import (
    HeadedNetwork,
    Network,
    build_model,
    is_foreign,
    is_layer_file,
    needs_trust,
)
from alexnet.weights.header import digest_of

__all__ = ["Weights", "current_versions"]

_STRANGE = (
    *(RecipeError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError),
    RuntimeError,  # torch's own
)
"""What arguments of any kind raise: a stranger wrote them."""

_REMEDY = "The file was put together wrongly: use another, or train again."


def current_versions() -> dict[str, str]:
    """Return the versions that belong to a figure: of this package, torch and Python."""
    return {
        "alexnet": alexnet.__version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A trained network with all that is needed to use it: K classes, its preprocessing, its past.

    Args:
        model: the network's name, as `build_model` takes it, but for names of files.
        arguments: what `build_model` takes beside the name; plain values.
        state: every tensor of the network by its name, as `Network.state_dict()` gives them.
        classes: K names, in the order of the network's answers.
        preprocessing: the rule from a picture file to the numbers that the network takes.
        class_words: words for class names that are codes, such as n01443537; may be empty.
        recipe: the recipe as plain values, where one is known.
        results: what was measured on held-out pictures, as plain values, where it was.
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
        return digest_of(self.state)

    def network(self, *, copy: bool = True) -> Network:
        """Build the network, put the tensors in, and set it to answer (no dropout).

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
            # Nothing is taken before all is known to fit; other people's code may need numbers.
            with contextlib.nullcontext() if is_foreign(self.model) else torch.device("meta"):
                network = build_model(self.model, **self.arguments)
        except _STRANGE as error:
            raise WeightsError(
                f"The weights ask for a network that cannot be built here: {error} "
                "Use the version of alexnet that wrote them"
                f" ({self.versions.get('alexnet', 'unknown')})."
            ) from error
        self._check_fit(network)
        kinds = {name: each.dtype for name, each in network.state_dict().items()}
        own = {name: self.state[name].to("cpu", kind, copy=copy) for name, kind in kinds.items()}
        network.load_state_dict(own, assign=True)
        if isinstance(network, HeadedNetwork) and (flaw := network.classifier.flaw()):
            raise WeightsError(f"The head of the weights cannot be used: {flaw}. {_REMEDY}")
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.eval()

    def _check_model(self) -> None:
        """Refuse a model that would import code, or read files, of which weights alone speak."""
        if needs_trust(self.model):
            raise WeightsError(
                f'These weights are of the network "{self.model}", which is code outside of them '
                "that would be imported and run. If you trust it, name it in the same call: "
                f"--trust {self.model}"
            )
        if is_layer_file(self.model):
            raise WeightsError(
                f'These weights name the file "{self.model}" as their model and do not hold it. '
                "The file was put together wrongly."
            )

    def _check_fit(self, network: Network) -> None:
        """Hold the tensors against the network: same names, same shapes, K answers, same crop."""
        tensors = network.state_dict()
        wanted = {name: tuple(each.shape) for name, each in tensors.items()}
        held = {name: tuple(each.shape) for name, each in self.state.items()}
        who = f'the model "{self.model}"'
        plain = {name: each for name, each in self.arguments.items() if name != "files"}
        for name in wanted.keys() - held.keys():
            raise WeightsError(f'The weights lack the tensor "{name}" that {who} needs. {_REMEDY}')
        for name in held.keys() - wanted.keys():
            raise WeightsError(
                f'The weights hold a tensor "{name}" that {who} does not have. {_REMEDY}'
            )
        for name, shape in wanted.items():
            if held[name] != shape:
                raise WeightsError(
                    f'The tensor "{name}" has the shape {held[name]}, but {who} with '
                    f"{plain} needs {shape}. {_REMEDY}"
                )
        self._check_kinds(tensors)
        if network.classes != len(self.classes):
            raise WeightsError(
                f"The weights name {len(self.classes)} classes, but {who} answers for "
                f"{network.classes}. {_REMEDY}"
            )
        if network.crop_px != self.preprocessing.crop_px:
            raise WeightsError(
                f"The preprocessing cuts {self.preprocessing.crop_px} pixels, but {who} takes "
                f"{network.crop_px}. {_REMEDY}"
            )

    def _check_kinds(self, wanted: Mapping[str, Tensor]) -> None:
        """Refuse numbers that would have to be rounded to become those that the network has."""
        for name, tensor in wanted.items():
            held, needed = self.state[name].dtype, tensor.dtype
            kinds = [(each.is_floating_point, each.is_complex) for each in (held, needed)]
            if kinds[0] != kinds[1]:
                raise WeightsError(
                    f'The tensor "{name}" holds {held}, but the model "{self.model}" needs '
                    f"{needed}. {_REMEDY}"
                )
