"""Run folders: same config, other config, two processes, the journal, a disk that fails."""

import errno
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from alexnet.errors import RunError
from alexnet.images import Preprocessing
from alexnet.models import build_model
from alexnet.runs import find_run, is_free, open_run
from alexnet.training import Checkpoint
from alexnet.weights import Weights, load_weights, save_weights

RECIPE = {"lr": 0.1, "seed": 1}
CONFIG = {"source": "a", "fingerprint": "f", "classes": ["x", "y"], "recipe": RECIPE}
NETWORK = build_model("mlp", classes=2, image_px=4, crop_px=4)


RULE = Preprocessing(
    image_px=4,
    crop_px=4,
    resize_mode="crop",
    order="RGB",
    mean=None,
    mean_at="crop",
    std=None,
)
WEIGHTS = Weights(
    model="mlp",
    arguments=NETWORK.arguments,
    state={},
    classes=("x", "y"),
    preprocessing=RULE,
)


def tensors_of(number):
    """Tensors of a network, filled with a number."""
    return {name: torch.full_like(each, number) for name, each in NETWORK.state_dict().items()}


def save(run, step, *, best=False):
    """Write an epoch and a checkpoint of this number."""
    run.write("epoch", {"epoch": step})
    network = {f"network.{name}": each for name, each in tensors_of(float(step)).items()}
    tensors = {"w": torch.full((3,), float(step)), **network}
    run.save(step, Checkpoint(tensors, {"step": step}), WEIGHTS if best else None)
    run.saver.wait()


def number_of(weights: Path) -> float:
    return float(next(iter(load_weights(weights).state.values())).flatten()[0])


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in (folder / "checkpoints").iterdir())


def test_the_same_config_opens_again_and_another_is_an_error_with_the_differences(tmp_path):
    with open_run(tmp_path / "run", CONFIG):
        pass
    with open_run(tmp_path / "run", {**CONFIG, "source": "elsewhere", "machine": "other"}) as run:
        assert run.config == CONFIG
    other = {**CONFIG, "classes": ["x", "z"], "start": "9f", "recipe": {"lr": 0.2, "seed": 1}}
    words = r"classes: .*'y'.* now; start: None then, '9f' now; lr: 0.1 then, 0.2 now\. .*--restart"
    with pytest.raises(RunError, match=words), open_run(tmp_path / "run", other):
        pass


def test_restart_moves_the_old_run_aside_and_deletes_nothing(tmp_path, caplog):
    folder, other = tmp_path / "run", {**CONFIG, "recipe": {"lr": 0.2}}
    for n in (1, 2):
        with open_run(folder, CONFIG, restart=True) as run:
            run.write("epoch", {"epoch": n})
    with caplog.at_level(logging.INFO), open_run(folder, other, restart=True) as run:
        assert run.checkpoint() is None
        assert run.events("epoch") == []
    assert f"The run in {folder} was moved to {folder}.before-2." in caplog.text
    for n in (1, 2):
        text = (tmp_path / f"run.before-{n}" / "journal.jsonl").read_text()
        assert json.loads(text)["epoch"] == n
    assert json.loads((folder / "run.json").read_text())["recipe"] == {"lr": 0.2}


def test_restart_touches_no_folder_without_a_run_and_no_run_in_use(tmp_path):
    (tmp_path / "holiday.txt").write_text("mine")
    with (
        pytest.raises(RunError, match="holds other things .* and no run"),
        open_run(tmp_path, CONFIG, restart=True),
    ):
        pass
    with (
        open_run(tmp_path / "run", CONFIG),
        pytest.raises(RunError, match=f"in use by process {os.getpid()} on "),
        open_run(tmp_path / "run", CONFIG, restart=True),
    ):
        pass
    assert sorted(each.name for each in tmp_path.iterdir()) == ["holiday.txt", "run"]


def test_a_folder_with_other_things_is_an_error(tmp_path):
    (tmp_path / "holiday.txt").write_text("mine")
    words = r'holds other things \("holiday\.txt"\) and no run\. Choose a new or an empty folder'
    with pytest.raises(RunError, match=words), open_run(tmp_path, CONFIG):
        pass
    assert (tmp_path / "holiday.txt").read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["holiday.txt"]  # not even a lock


def test_a_file_is_no_run(tmp_path):
    (tmp_path / "run").write_text("mine")
    words = r"run is a file; a run is a folder\. Choose another name with --run-dir\."
    with pytest.raises(RunError, match=words), open_run(tmp_path / "run", CONFIG):
        pass
    assert (tmp_path / "run").read_text() == "mine"


def test_what_a_call_left_that_died_at_once_is_no_obstacle(tmp_path):
    (tmp_path / "lock").write_text('{"host": "here", "process": 1}')
    (tmp_path / ".run.json.abc.unfinished").write_text('{"half')
    assert is_free(tmp_path)
    assert is_free(tmp_path / "nothing")
    with open_run(tmp_path, CONFIG):
        pass
    assert not is_free(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["lock", "run.json"]


def test_journal_is_cut_back_to_the_checkpoint(tmp_path):
    with open_run(tmp_path / "run", CONFIG) as run:
        save(run, 1)
        run.write("epoch", {"epoch": 2})
        with (run.folder / "journal.jsonl").open("a") as journal:
            journal.write('{"event": "ep')  # torn by a kill
        assert run.checkpoint() is not None
        assert [each["epoch"] for each in run.events("epoch")] == [1]


def test_without_a_checkpoint_the_journal_begins_again(tmp_path):
    with open_run(tmp_path / "run", CONFIG) as run:
        run.write("begin", {})
        assert run.checkpoint() is None
        assert run.events("begin") == []


def test_the_newest_two_are_kept_with_the_best_weights_that_they_name(tmp_path):
    with open_run(tmp_path / "run", CONFIG) as run:
        for step, best in ((1, True), (2, True), (3, False), (4, False), (10, True)):
            save(run, step, best=best)
            kept = {1: [1], 2: [1, 2], 3: [2], 4: [2], 10: [2, 10]}[step]
            assert [n for n in names(run.folder) if n.startswith("best")] == [
                f"best-{each:09d}.safetensors" for each in kept
            ]
            assert number_of(run.weights) == kept[-1]
        assert [n for n in names(run.folder) if n.startswith("step")] == [
            "step-000000004.checkpoint",
            "step-000000010.checkpoint",
        ]
        assert (
            run.checkpoint_bytes
            == (run.folder / "checkpoints" / "step-000000010.checkpoint").stat().st_size
        )


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "no best", "short journal"])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_is_used(tmp_path, caplog, damage):
    with open_run(tmp_path / "run", CONFIG) as run:
        save(run, 1, best=True)
        save(run, 2)
        save(run, 3, best=True)
        path = run.folder / "checkpoints" / "step-000000003.checkpoint"
        content = bytearray(path.read_bytes())
        if damage == "no best":
            (run.folder / "checkpoints" / "best-000000003.safetensors").unlink()
            words = "lacks its best weights. There is no weights file"
        elif damage == "short journal":
            journal = run.folder / "journal.jsonl"
            journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:2]))
            words = "something was taken out"
        else:
            content[-5] ^= damage == "flip"
            cut = {"cut": len(content) // 2, "empty": 0}.get(damage, len(content))
            path.write_bytes(content[:cut])
            words = "step-000000003.checkpoint is damaged: its checksum does not fit"
        with caplog.at_level(logging.WARNING):
            found = run.checkpoint()
        assert found.state["step"] == 2
        assert words in caplog.text
        assert caplog.text.rstrip().endswith("The one before it is used.")
        assert number_of(run.weights) == 1
        assert [each["epoch"] for each in run.events("epoch")] == [1, 2]
        assert names(run.folder) == [
            *("best-000000001.safetensors", "step-000000002.checkpoint", "step-000000003.damaged"),
        ]
        save(run, 3, best=True)
        assert (run.checkpoint().state["step"], number_of(run.weights)) == (3, 3)


def test_best_weights_of_a_future_that_was_not_saved_are_taken_back(tmp_path):
    with open_run(tmp_path / "run", CONFIG) as run:
        save(run, 1)
        save_weights(run.weights, replace(WEIGHTS, state=tensors_of(1.0)))
        run.checkpoint()
        assert not run.weights.exists()


def test_none_whole_is_an_error_that_changes_nothing(tmp_path):
    with open_run(tmp_path / "run", CONFIG) as run:
        save(run, 1, best=True)
        (run.folder / "checkpoints" / "step-000000001.checkpoint").write_bytes(b"x")
        before = {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}
        words = r"None of the 1 checkpoints .* is whole.*is damaged.* start again with --restart"
        with pytest.raises(RunError, match=words):
            run.checkpoint()
        assert before == {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}


def test_where_links_cannot_be_the_weights_are_copied(tmp_path, monkeypatch):
    def no_link(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    with open_run(tmp_path / "run", CONFIG) as run:
        save(run, 1, best=True)
        assert number_of(run.weights) == 1


def history(folder: Path) -> None:
    """Three saves with two kinds of best weights."""
    with open_run(folder, CONFIG) as run:
        for step, best in ((1, True), (2, False), (3, True)):
            save(run, step, best=best)


def check_whole(folder: Path) -> int:
    """Go on with a run and return from where; everything has to belong together."""
    if not folder.exists():
        return 0
    with open_run(folder, CONFIG) as run:
        found = run.checkpoint()
        step = 0 if found is None else found.state["step"]
        assert [each["epoch"] for each in run.events("epoch")] == list(range(1, step + 1))
        assert not list(folder.rglob(".*"))
        if found is None:
            return 0
        assert found.tensors["w"].tolist() == [step] * 3
        best = {1: 1, 2: 1, 3: 3}[step]
        assert number_of(run.weights) == best
        save(run, 7, best=True)
        assert (run.checkpoint().state["step"], number_of(run.weights)) == (7, 7)
        return step


@pytest.fixture(scope="module")
def operations(faults, tmp_path_factory):
    count = faults.Count()
    with faults.watched_disk(count):
        history(tmp_path_factory.mktemp("counted") / "run")
    return count.names


@pytest.mark.parametrize("kind", ["full", "refusing"])
def test_whichever_operation_the_disk_refuses_an_older_state_is_whole(
    faults, operations, tmp_path, kind
):
    assert {"open", "write", "fsync", "replace", "link", "unlink"} <= set(operations)
    reached = []
    for n in range(len(operations)):
        folder = tmp_path / f"{n}" / "run"
        strike = faults.FullFrom(n) if kind == "full" else faults.FailAt(n)
        refusal = None
        with faults.watched_disk(strike):
            try:
                history(folder)
            except RunError as error:
                refusal = str(error)
        step = check_whole(folder)
        if refusal is None:  # a copy takes the place of a link; a lock is tried again, or not wiped
            assert strike.names[n] in ("link", "unlink", "truncate", "mkdir")
            assert step == 3
        else:
            assert "Could not write" in refusal
            assert {"full": "the disk is full", "refusing": "Input/output"}[kind] in refusal
            reached.append(step)
        shutil.rmtree(folder.parent, ignore_errors=True)
    assert set(reached) == {0, 1, 2, 3}
    assert reached == sorted(reached)


def test_find_run_gives_the_newest_with_the_same_config(tmp_path):
    for name, config in (("a", CONFIG), ("b", {**CONFIG, "fingerprint": "g"})):
        with open_run(tmp_path / name, config):
            pass
    assert find_run(tmp_path, CONFIG) == tmp_path / "a"
    assert find_run(tmp_path, {**CONFIG, "recipe": {}}) is None
    assert find_run(tmp_path / "nothing", CONFIG) is None


def test_a_second_process_is_an_error_and_a_killed_one_leaves_no_lock(tmp_path, caplog):
    code = (
        "import sys, json, time, pathlib; from alexnet.runs import open_run\n"
        f"config = json.loads({json.dumps(CONFIG)!r})\n"
        f"with open_run(pathlib.Path({str(tmp_path / 'run')!r}), config):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with (
        pytest.raises(RunError, match=rf"in use by process {process.pid} on "),
        open_run(tmp_path / "run", CONFIG),
    ):
        pass
    process.kill()
    process.communicate()
    time.sleep(0.05)
    with caplog.at_level(logging.INFO), open_run(tmp_path / "run", CONFIG) as run:
        assert not run.finished
    assert f"was left by process {process.pid} on " in caplog.text


def test_what_a_killed_call_left_in_a_finished_run_goes_when_it_is_opened(tmp_path):
    with open_run(tmp_path / "run", CONFIG):
        pass
    (tmp_path / "run" / "results.json").write_text("{}")
    left = tmp_path / "run" / "report" / ".index.html.1.unfinished"
    left.parent.mkdir()
    left.write_bytes(b"half")
    with open_run(tmp_path / "run", CONFIG) as run:
        assert run.finished
        assert not left.exists()
