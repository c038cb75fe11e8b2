"""The verbs know no parser; what cyclopts needs to know of them is put together in `cli`."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Unpack

import pytest

import alexnet
from alexnet.cli.commands import VERBS
from alexnet.cli.parser import build_app
from alexnet.cli.signature import as_command, command_of
from alexnet.errors import RecipeError
from alexnet.recipe import WITH_WEIGHTS, RecipeChanges, recipe_help

COMMANDS = Path(alexnet.__file__).parent / "commands"


def flags_of(verb: str) -> set[str]:
    """Every flag of a verb, as the command line has them."""
    arguments = build_app([verb])[verb].assemble_argument_collection()
    return {name for each in arguments for name in each.names if name.startswith("--")}


def test_importing_the_verbs_loads_no_parser_and_no_torch():
    modules = [f"alexnet.commands.{path.stem}" for path in sorted(COMMANDS.glob("*.py"))]
    code = f"import sys\nfor name in {modules}: __import__(name)\n"
    code += "print(*{'cyclopts', 'torch', 'numpy'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("verb", VERBS)
def test_no_flag_is_short_for_two_options_of_torchrun(verb):
    run = pytest.importorskip("torch.distributed.run")
    options = run.get_args_parser()._option_string_actions
    names = [each.removeprefix("--") for each in options if each.startswith("--")]
    spellings = {f"--{each.replace('-', '_')}" for each in names}
    spellings |= {f"--{each.replace('_', '-')}" for each in names}
    for flag in flags_of(verb) - spellings:
        assert sum(each.startswith(flag) for each in spellings) < 2, flag


def test_every_field_of_the_recipe_is_a_flag_of_train_with_its_help(alexnet):
    assert {f"--{name.replace('_', '-')}" for name in recipe_help()} <= flags_of("train")
    text = " ".join(alexnet("train", "--help").out.replace("│", " ").split())
    assert all(sentence in text for sentence in recipe_help().values())


def test_a_command_calls_its_verb_and_has_its_signature():
    def look(
        image: Path | str, *more: Path | str, depth: int = 1, **changes: Unpack[RecipeChanges]
    ):
        """Look at an image."""
        return image, more, depth, changes

    command = as_command(look)
    assert command("a", "b", depth=2, lr=0.5) == ("a", ("b",), 2, {"lr": 0.5})
    assert inspect.signature(command) == inspect.signature(look)
    assert command.__doc__ == "Look at an image."
    assert look.__annotations__["image"] == "Path | str"  # the verb itself is left as it is


def test_paths_are_called_so_in_help(alexnet):
    text = alexnet("evaluate", "--help").out
    assert "PATH" in text
    assert "STR" not in text


def test_a_verb_is_the_function_of_its_name():
    assert command_of("train").__wrapped__ is alexnet.train


REFUSED = {
    "model": "mlp",
    "activation": "relu",
    "dropout": 0.5,
    "initialization": "he",
    "resize_mode": "pad",
    "mean": "none",
    "normalize": True,
    "lr": 0.1,
}


def test_the_help_of_fine_tuning_shows_no_flag_that_it_refuses(alexnet):
    assert REFUSED.keys() == {*WITH_WEIGHTS, "lr"}
    shown = alexnet("finetune", "--help").out
    for name in recipe_help():
        flag = f" --{name.replace('_', '-')} "
        assert (flag in shown) == (name not in REFUSED), name


@pytest.mark.parametrize("name", REFUSED)
def test_a_flag_that_is_not_shown_is_refused_with_a_sentence(bundled, images, name):
    sentence = "lr is two rates" if name == "lr" else f"{name} cannot be chosen here"
    with pytest.raises(RecipeError, match=sentence):
        alexnet.finetune(bundled, images, cache="none", **{name: REFUSED[name]})


def test_a_size_is_refused_where_a_layer_of_the_weights_fixes_it(bundled, images):
    with pytest.raises(RecipeError, match='crops of 24 pixels alone: the layer "fc6" of the model'):
        alexnet.finetune(bundled, images, cache="none", image_px=64)
