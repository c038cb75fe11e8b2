"""Named recipes: each a function that says what to expect, none more than a `Recipe` value."""

from alexnet.recipes.cifar import cifar, cifar_program
from alexnet.recipes.digits import digits
from alexnet.recipes.finetuning import finetuning
from alexnet.recipes.named import RECIPES, choose_recipe
from alexnet.recipes.paper import paper
from alexnet.recipes.program import program
from alexnet.recipes.small import small

__all__ = [
    "RECIPES",
    "choose_recipe",
    "cifar",
    "cifar_program",
    "digits",
    "finetuning",
    "paper",
    "program",
    "small",
]
