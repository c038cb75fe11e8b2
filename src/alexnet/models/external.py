"""External models: any torch module that a function makes, named "package.module:function".

The module keeps its own layers and names; layers are read by the names of `named_modules`.
Importing the function runs its author's code, so only a name that the user gave in the same call is
imported (`alexnet.trust`). "timm:NAME" is a network of that package, by a name that it knows.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from alexnet.errors import AlexNetError, RecipeError, did_you_mean
from alexnet.models.builder import Options, sizes
from alexnet.models.network import Network
from alexnet.nn import Dropout
from alexnet.trust import is_trusted

__all__ = ["ExternalNetwork", "build_external", "is_external", "needs_trust"]

_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_TIMM = re.compile(r"timm:(\w[\w.\-]*)", re.ASCII)
_WITHOUT_FEATURES = (nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, Dropout)
"""Layers that change no feature: dropout and changes of shape."""


def is_external(model: str) -> bool:
    """Whether a model's name is a reference to a function, or to a network of timm."""
    return bool(_TIMM.fullmatch(model) or _REFERENCE.fullmatch(model))


def needs_trust(model: str) -> bool:
    """Whether building this model would import code that the user has not named."""
    return is_external(model) and not _TIMM.fullmatch(model) and not is_trusted(model)


class ExternalNetwork(Network):
    """A torch module as a network: its layers, parameters and buffers under its own names.

    Args:
        body: from (N, 3, c, c) to logits (N, K).
        model: its reference.
        arguments: plain values; `build_model(model, **arguments)` makes it again.

    Raises:
        RecipeError: the module does not return (N, K), or has no parameters.
    """

    _wrapped: nn.Module

    def __init__(self, body: nn.Module, *, model: str, arguments: dict[str, Any]) -> None:
        super().__init__(OrderedDict(), model=model, arguments=arguments, weight_decay={})
        # Not as a child: everything is shared with it, so that names stay the module's own.
        object.__setattr__(self, "_wrapped", body)
        for shared in ("_modules", "_parameters", "_buffers", "_non_persistent_buffers_set"):
            object.__setattr__(self, shared, getattr(body, shared))
        self.order = self._trace_order()

    @property
    def wrapped(self) -> nn.Module:
        """The module itself."""
        return self._wrapped

    @property
    def features_layer(self) -> str:
        """Name of the last layer before `head`: the input of the classifier."""
        hidden = self.order[: self.order.index(self.head)]
        return next(
            (n for n in reversed(hidden) if not isinstance(self._leaf(n), _WITHOUT_FEATURES)),
            self.head,
        )

    @property
    def scores_layer(self) -> str:
        """Name of the last layer that ran, whose output are the logits as a rule."""
        return self.order[-1]

    @property
    def head(self) -> str:
        """Name of the last layer with weights."""
        return [n for n in self.order if any(True for _ in self._leaf(n).parameters())][-1]

    def get_submodule(self, target: str) -> nn.Module:
        """Return a layer by its name, also where the network has an attribute of that name."""
        return self._wrapped.get_submodule(target) if target else self

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Return logits (N, K) for images (N, 3, c, c).

        Raises:
            RecipeError: images of another shape, or an output that is not (N, K).
        """
        self._check(input)
        self._wrapped.training = self.training
        logits: object = self._wrapped(input)
        if not isinstance(logits, Tensor) or logits.shape != (len(input), self.classes):
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise RecipeError(
                f"{self.model} must return logits of shape ({len(input)}, {self.classes}) for "
                f"{len(input)} images, one for each class; got {got}. Let the function take "
                "`classes` and return logits alone."
            )
        return logits

    def stages(self, x: Tensor) -> dict[str, Tensor]:
        """Return the output of every layer without layers inside, in order of running.

        A layer that runs several times gives its last output.
        """
        return self._record_outputs(x, {name: self._leaf(name) for name in self._leaves()})

    def stage(self, x: Tensor, name: str) -> Tensor:
        """Return the output of one layer, by any name of `named_modules`; the whole network runs.

        Raises:
            RecipeError: no such layer (the nearest names are given), one that never ran or does not
                give a tensor, or images of another shape.
        """
        return self.outputs(x, [name])[name]

    def outputs(self, x: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Return the outputs of some layers, as `stage` does; the network runs once."""
        named = self._named()
        for name in names:
            if name not in named:
                raise RecipeError(
                    f'{self.model} has no layer "{name}".{did_you_mean(name, named)} '
                    f"Layers: {', '.join(named)}."
                )
        outputs = self._record_outputs(x, {name: named[name] for name in names})
        for name in names:
            if name not in outputs:
                raise RecipeError(
                    f'The layer "{name}" of {self.model} did not run, or gives no tensor, so there '
                    f"is nothing to read. Layers that ran: {', '.join(self.order)}."
                )
        return outputs

    def _record_outputs(self, x: Tensor, layers: dict[str, nn.Module]) -> dict[str, Tensor]:
        """Run the network and return the outputs of these layers, in order of running."""
        outputs: dict[str, Tensor] = {}

        def record(name: str) -> Callable[[nn.Module, Any, object], None]:
            def hook(module: nn.Module, inputs: Any, output: object) -> None:
                if isinstance(output, Tensor):
                    outputs.pop(name, None)  # so that the order is that of the last run
                    outputs[name] = output.clone()  # a later layer may work in place

            return hook

        handles = [layer.register_forward_hook(record(name)) for name, layer in layers.items()]
        try:
            self(x)
        finally:
            for handle in handles:
                handle.remove()
        return outputs

    def _leaves(self) -> list[str]:
        return [name for name, module in self._named().items() if not any(module.children())]

    def _named(self) -> dict[str, nn.Module]:
        modules = cast("Iterator[tuple[str, nn.Module]]", super().named_modules())
        return {name: module for name, module in modules if name}

    def _leaf(self, name: str) -> nn.Module:
        return self._wrapped.get_submodule(name)

    def _trace_order(self) -> tuple[str, ...]:
        """Run once on zeros, and return the layers in the order in which they ran."""
        if next(self.parameters(), None) is None:
            raise RecipeError(f"{self.model} has no parameters, so there is nothing to train.")
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                order = tuple(self.stages(torch.zeros(2, 3, self.crop_px, self.crop_px)))
        except AlexNetError:
            raise
        except Exception as error:
            raise RecipeError(
                f"{self.model} does not take crops of {self.crop_px} pixels: "
                f"{_describe(error)}. Choose another --crop-px, or correct the function."
            ) from error
        finally:
            self.train(was_training)
        if not any(any(True for _ in self._leaf(name).parameters()) for name in order):
            raise RecipeError(f"No layer of {self.model} with parameters ran.")
        return order


def build_external(reference: str, options: Options) -> ExternalNetwork:
    """Import a function and make its network.

    The function is called with `classes=K` or `num_classes=K`, whichever it takes, else with
    nothing. Initial weights are the function's own, drawn after torch's generator was set to the
    seed; the generator is put back.

    Args:
        reference: "package.module:function", or "timm:NAME".
        options: classes, sizes (256 and 224 where none is given) and seed.

    Raises:
        RecipeError: the user did not name it, it cannot be imported, or makes no network.
    """
    if options.activation is not None or options.dropout is not None:
        raise RecipeError(f"{reference} has activations and dropout of its own. Leave both out.")
    if options.initialization != "model":
        raise RecipeError(
            f"{reference} draws its initial weights itself. Leave initialization out."
        )
    if options.classes < 1:
        raise RecipeError(f"{reference} needs at least one class; got {options.classes}.")
    image_px, crop_px = sizes(options, 256, 224)
    make = _timm_function(reference) if _TIMM.fullmatch(reference) else _import_function(reference)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        body = _call(make, reference, options.classes)
        arguments = {
            "classes": options.classes,
            "activation": None,
            "dropout": None,
            "image_px": image_px,
            "crop_px": crop_px,
        }
        return ExternalNetwork(body, model=reference, arguments=arguments)


def _import_function(reference: str) -> Callable[..., object]:
    if not is_trusted(reference):
        raise RecipeError(
            f"{reference} is code that would be imported and run, and you did not name it in this "
            f"call. If you trust it, add --trust {reference}"
        )
    module, _, name = reference.partition(":")
    try:
        with _working_folder():
            function: object = importlib.import_module(module)
        for part in name.split("."):
            function = getattr(function, part)
    except Exception as error:
        raise RecipeError(
            f"{reference} cannot be imported: {_describe(error)}. Name it as "
            "package.module:function, with the package installed or in this folder."
        ) from error
    if not callable(function):
        raise RecipeError(f"{reference} is not a function but {type(function).__name__}.")
    return function


def _timm_function(reference: str) -> Callable[..., object]:
    try:
        timm: Any = importlib.import_module("timm")
    except ImportError:
        raise RecipeError(f"{reference} needs timm: pip install timm") from None
    name = reference.partition(":")[2]

    def make(num_classes: int) -> object:
        return timm.create_model(name, pretrained=False, num_classes=num_classes)

    return make


def _call(make: Callable[..., object], reference: str, classes: int) -> nn.Module:
    try:
        parameters = inspect.signature(make).parameters
        takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        if "classes" in parameters:
            body = make(classes=classes)
        elif "num_classes" in parameters or takes_any:
            body = make(num_classes=classes)
        else:
            body = make()
    except Exception as error:
        raise RecipeError(
            f"{reference} could not make a network: {_describe(error)}. --debug shows where."
        ) from error
    if not isinstance(body, nn.Module):
        raise RecipeError(f"{reference} must return a torch module; got {type(body).__name__}.")
    return body


@contextmanager
def _working_folder() -> Generator[None]:
    """Let modules be found in the working folder too, as `python -m` does."""
    folder = str(Path.cwd())
    sys.path.append(folder)
    try:
        yield
    finally:
        if folder in sys.path:  # the last one is ours; an earlier one stood there before
            sys.path.reverse()
            sys.path.remove(folder)
            sys.path.reverse()


def _describe(error: Exception) -> str:
    text = " ".join(str(error).split())[:300].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
