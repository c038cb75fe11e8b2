from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Unpack

import pytest

from alexnet.errors import Interrupted, SourceError
from alexnet.progress import track
from alexnet.recipe import RecipeChanges
from alexnet.records import Prediction


def look(image: str) -> Prediction:
    """Look at an image."""
    logging.getLogger("alexnet.somewhere").info("Looking at %s.", image)
    logging.getLogger("alexnet.somewhere").warning("It is dark.")
    with track("looking", 1) as advance:
        advance()
    return Prediction(path=image, classes=["cat"], probabilities=[float("nan")])


def test_results_go_to_stdout_and_logs_to_stderr(alexnet, make_verb):
    make_verb(look)
    said = alexnet("look", "cat.png")
    assert (said.code, said.out) == (0, "cat.png\n")
    assert said.err == "Looking at cat.png.\nwarning: It is dark.\n"


def test_quiet_keeps_warnings(alexnet, make_verb):
    make_verb(look)
    assert alexnet("look", "cat.png", "--quiet").err == "warning: It is dark.\n"
    assert alexnet("look", "cat.png").err.startswith("Looking")  # and holds for one call alone


@pytest.mark.parametrize("words", [("look", "a.png", "--json"), ("--json", "look", "a.png")])
def test_json_is_one_object_on_one_line(alexnet, make_verb, words):
    make_verb(look)
    said = alexnet(*words)
    assert said.out.count("\n") == 1
    assert json.loads(said.out) == {
        "path": "a.png",
        "classes": ["cat"],
        "probabilities": [None],
        "rejected": False,
        "error": None,
    }


def test_lines_are_not_folded_off_a_terminal(alexnet, make_verb):
    make_verb(look)
    assert alexnet("look", "a" * 500).out == "a" * 500 + "\n"


def test_names_that_are_no_unicode_are_escaped(alexnet, make_verb):
    def name_it(
        image: str,
    ) -> Prediction:  # logs nothing: a worker of pytest cannot pass such names on
        """Name an image."""
        return Prediction(path=image)

    make_verb(name_it)
    name = os.fsdecode(b"caf\xe9.png")
    assert alexnet("name_it", name).out == "caf\\udce9.png\n"
    assert json.loads(alexnet("name_it", name, "--json").out)["path"] == name


@pytest.mark.parametrize(
    ("error", "code", "label"), [(SourceError, 2, "error: "), (Interrupted, 3, "")]
)
def test_errors_are_a_sentence(alexnet, make_verb, error, code, label):
    def fail() -> None:
        """Fail."""
        raise error("There is no folder [cats]. Name another.")

    make_verb(fail)
    said = alexnet("fail", "--json")
    assert (said.code, said.out) == (code, "")
    assert said.err == f"{label}There is no folder [cats]. Name another.\n"
    said = alexnet("fail", "--debug")
    assert "Traceback" in said.err
    assert said.err.endswith(f"\n{label}There is no folder [cats]. Name another.\n")


def test_other_exceptions_are_bugs(alexnet, make_verb):
    def crash() -> None:
        """Crash."""
        raise KeyError("conv9")

    make_verb(crash)
    said = alexnet("crash")
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        "error: This is a bug in alexnet: KeyError: 'conv9'. "
        "Call it again with --debug to see where, and send us what it prints.\n"
    )
    said = alexnet("crash", "--debug")
    assert 'raise KeyError("conv9")' in said.err
    assert said.err.endswith("in alexnet: KeyError: 'conv9'.\n")


def test_ctrl_c_is_quiet(alexnet, make_verb):
    def wait() -> None:
        """Wait."""
        raise KeyboardInterrupt

    make_verb(wait)
    said = alexnet("wait")
    assert (said.code, said.out, said.err) == (130, "", "")


@pytest.mark.parametrize("change", ["", 'm._run = lambda words: print("[]" * 9999) or 0'])
def test_a_closed_pipe_is_quiet(change):
    reader, writer = os.pipe()
    os.close(reader)
    text = f"import alexnet.cli.main as m\n{change}\nraise SystemExit(m.main(['train', '--help']))"
    with os.fdopen(writer, "w") as stdout:
        done = subprocess.run(
            [sys.executable, "-c", text],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (1, "")


def test_flags_follow_from_the_signature(alexnet, make_verb):
    found = {}

    def learn(
        source: Path | str,
        *,
        also: tuple[Path | str, ...] = (),
        head_lr: float = 1.0,
        **changes: Unpack[RecipeChanges],
    ) -> None:
        """Learn."""
        found.update(changes, source=str(source), also=list(map(str, also)), head_lr=head_lr)

    make_verb(learn)
    words = "--also a photos --also b --head-lr 0.5 --milestones 8 9 --no-flip --weight-decay none"
    words += " --batch-size 32"
    said = alexnet("learn", *words.split(), "--layer-lr", "a=1", "--layer-lr", "b@2=0.1")
    assert (said.code, said.err) == (0, "")
    assert found == {
        "source": "photos",
        "also": ["a", "b"],
        "head_lr": 0.5,
        "milestones": (8, 9),
        "flip": False,
        "weight_decay": None,
        "batch_size": 32,
        "layer_lr": ("a=1", "b@2=0.1"),
    }
    shown = alexnet("learn", "--help").out
    assert shown.index("Parameters") < shown.index("Recipe") < shown.index("Global")
    assert "Share of the last step kept." in shown


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_lists_the_verbs_in_order(alexnet, words):
    said = alexnet(*words)
    assert (said.code, said.err) == (0, "")
    places = [said.out.index(f"│ {verb} ") for verb in ("train", "evaluate", "predict", "demo")]
    assert places == sorted(places)
    assert "--install-completion" in said.out


def test_help_of_a_verb_is_its_docstring(alexnet):
    text = " ".join(alexnet("train", "--help").out.split())
    assert "The same call again continues a run that was stopped" in text
    assert "runs/<date>-<source>-<model>" in text
    assert "Returns:" not in text


def test_version(alexnet):
    from alexnet import __version__

    assert alexnet("--version").out == f"alexnet {__version__}\n"


def test_completion_can_be_installed(alexnet, tmp_path, monkeypatch):
    for home in ("HOME", "USERPROFILE"):  # whose start-up files it writes to
        monkeypatch.setenv(home, str(tmp_path))
    said = alexnet("--install-completion", "--shell", "bash", "--output", tmp_path / "completion")
    assert said.code == 0
    assert "reject-below" in (tmp_path / "completion").read_text()


def test_a_lone_dash_is_no_option(alexnet, make_verb):
    found = []

    def take(
        place: Path | str,
        *more: Path | str,
        name: str = "",
        also: tuple[Path | str, ...] = (),
    ) -> None:
        """Take."""
        found.append([*map(str, (place, *more)), name])

    make_verb(take)
    assert alexnet("take", "-", "a", "-", "--name", "-").code == 0
    assert found == [["-", "a", "-", "-"]]
    assert 'take has no option "-x".' in alexnet("take", "-", "-x").err
