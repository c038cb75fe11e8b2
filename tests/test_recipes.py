"""Named recipes: the constants of the paper and of the program, and how one is chosen."""

import json

import pytest

from alexnet.errors import RecipeError
from alexnet.models import MODELS, build_model
from alexnet.recipe import Recipe
from alexnet.recipes import RECIPES, choose_recipe, paper, program
from alexnet.training import PaperMomentum, Schedule


def test_paper_is_section_five():
    recipe = paper()
    assert (recipe.batch_size, recipe.momentum, recipe.weight_decay, recipe.lr) == (
        128,
        0.9,
        0.0005,
        0.01,
    )
    assert (recipe.schedule, recipe.max_lr_drops, recipe.lr_factor) == ("plateau", 3, 0.1)
    assert (recipe.bias_lr_ratio, recipe.bias_weight_decay) == (1.0, True)
    assert (recipe.color_jitter_form, recipe.color_jitter, recipe.crop_group) == ("paper", 0.1, 1)


def test_program_follows_the_logged_epochs():
    recipe = program()
    schedule = Schedule(recipe, 1)
    rates = {epoch: schedule.rates(epoch) for epoch in (0, 24, 25, 50, 51, 78, 79, 90)}
    assert [rates[e].weights for e in (0, 24, 25, 50, 51, 78, 79, 90)] == pytest.approx(
        [0.01, 0.01, 0.001, 0.001, 0.0001, 0.0001, 0.00001, 0.00001]
    )
    assert {rate.biases for rate in rates.values()} == {0.02}
    network = build_model("mlp", classes=3)
    with pytest.raises(RecipeError, match='layer "conv1"'):
        PaperMomentum(network, recipe)
    assert recipe.layer_lr == ("conv1@67=0.1", "conv1@72=0")
    assert recipe.color_jitter_until == 67


@pytest.mark.parametrize("name", RECIPES)
def test_each_names_a_model_that_exists_and_says_what_to_expect(name):
    recipe = RECIPES[name]()
    assert recipe.model in MODELS
    assert len(RECIPES[name].__doc__ or "") > 60


@pytest.mark.parametrize(
    ("model", "like"),
    [
        ("alexnet", "paper"),
        ("alexnet_program", "program"),
        ("cifar_11pct", "cifar"),
        ("mlp", "small"),
    ],
)
def test_a_model_alone_chooses_its_recipe(model, like):
    chosen = choose_recipe(None, {"model": model})
    assert chosen.model == model
    assert chosen.schedule == RECIPES[like]().schedule
    assert choose_recipe(None, {}).model == "alexnet_small"


def test_a_file_is_a_recipe_also_inside_run_json(tmp_path):
    recipe = Recipe(lr=0.123, milestones=(1, 2), layer_lr=("conv1=0.5",))
    path = tmp_path / "best.json"
    for content in (recipe.to_json(), {"recipe": recipe.to_json(), "source": "x"}):
        path.write_text(json.dumps(content))
        assert choose_recipe(str(path), {}) == recipe
    assert choose_recipe(str(path), {"lr": 0.5}).lr == 0.5


def test_settings_that_exclude_each_other_are_sentences():
    with pytest.raises(RecipeError, match="mean image cannot follow it"):
        Recipe(random_resized_crop=0.5)
    with pytest.raises(RecipeError, match="label_smoothing belongs to the softmax loss"):
        Recipe(label_smoothing=0.1, loss="squared")


def test_mistakes_are_sentences(tmp_path):
    with pytest.raises(RecipeError, match='no recipe "papper". Did you mean "paper"'):
        choose_recipe("papper", {})
    with pytest.raises(RecipeError, match=r"There is no recipe file .*none\.json\. Name"):
        choose_recipe(str(tmp_path / "none.json"), {})
    path = tmp_path / "bad.json"
    path.write_text('{"learning_rate": 1}')
    with pytest.raises(RecipeError, match=r'bad\.json: A recipe has no field "learning_rate"'):
        choose_recipe(str(path), {})
    path.write_text("[1]")
    with pytest.raises(RecipeError, match="holds no recipe"):
        choose_recipe(str(path), {})
