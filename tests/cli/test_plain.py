from __future__ import annotations

import shlex

import pytest

from alexnet.cli.call import DASH
from alexnet.cli.parser import parse_words
from alexnet.cli.plain import plain_call
from alexnet.errors import RecipeError

PLAIN = [
    "predict a.jpg",
    "predict net.safetensors a.jpg 'b c.png' ../d",
    "predict a.jpg --top 3",
    "predict --top 12 a.jpg b.jpg --json",
    "predict --crops 10 --quiet a.jpg",
    "predict a.jpg --csv out.csv",
    "predict a.jpg --csv -",
    "predict -",
    "predict w.safetensors - b.jpg --debug",
    "predict",
    "features photos --out f.npz",
    "features w photos --out f.parquet --layer fc7 --crops 5 --json",
    "features --out f.npz photos",
]
"""That are taken without the parser."""

OTHER = [
    "",
    "--version",
    "predict --help",
    "predict -h",
    "predict a.jpg --tpo 3",
    "predict a.jpg --top",
    "predict a.jpg --top three",
    "predict a.jpg --top -1",
    "predict a.jpg --top 3 --top 4",
    "predict a.jpg --top=3",
    "predict a.jpg --crops 3",
    "predict a.jpg --also b.safetensors",
    "predict a.jpg --precision bf16",
    "predict -- -a.jpg",
    "predict --no-json a.jpg",
    "predict a.jpg --json --json",
    "predict a.jpg --csv --json",
    "predict ''",
    "--json predict a.jpg",
    "features photos",
    "features a b c --out f.npz",
    "features photos --out f.npz --head svm",
    "evaluate w photos",
    "train photos",
]
"""That the parser looks at."""


def words_of(line: str) -> list[str]:
    return [DASH if word == "-" else word for word in shlex.split(line)]


@pytest.mark.parametrize("line", PLAIN)
def test_a_plain_line_is_what_the_parser_makes_of_it(line):
    plain, parsed = plain_call(words_of(line)), parse_words(words_of(line))
    assert plain is not None
    assert plain.function.__name__ == parsed.function.__name__
    assert plain.arguments.args == parsed.arguments.args
    assert plain.arguments.kwargs == parsed.arguments.kwargs
    types = [[type(each) for each in call.arguments.args] for call in (plain, parsed)]
    assert types[0] == types[1]
    assert plain.options == parsed.options


@pytest.mark.parametrize("line", OTHER)
def test_anything_else_is_left_to_the_parser(line):
    assert plain_call(words_of(line)) is None


def test_the_parser_says_what_is_wrong(alexnet):
    said = alexnet("predict", "a.jpg", "--top", "three")
    assert said.code == 2
    assert '--top must be a whole number; got "three"' in said.err
    with pytest.raises(RecipeError, match='no option "--tpo"'):
        parse_words(["predict", "a.jpg", "--tpo", "3"])
