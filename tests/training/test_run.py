"""Run folders: same question, other question, two processes, the journal."""

import json
import subprocess
import sys
import time

import pytest
import torch

from alexnet.errors import RunError
from alexnet.training import Checkpoint, find_run, open_run

ASKED = {"source": "a", "fingerprint": "f", "classes": ["x", "y"], "recipe": {"lr": 0.1, "seed": 1}}


def test_same_question_opens_again_and_another_is_refused_with_the_differences(tmp_path):
    with open_run(tmp_path / "run", ASKED):
        pass
    with open_run(tmp_path / "run", {**ASKED, "source": "elsewhere", "machine": "other"}):
        pass
    other = {**ASKED, "classes": ["x", "z"], "recipe": {"lr": 0.2, "seed": 1}}
    with (
        pytest.raises(RunError, match=r"classes: .*'y'.* now; lr: 0.1 then, 0.2 now"),
        open_run(tmp_path / "run", other),
    ):
        pass


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "holiday.txt").write_text("mine")
    words = r'holds other things \("holiday\.txt"\) and no run\. Choose a new or an empty folder'
    with pytest.raises(RunError, match=words), open_run(tmp_path, ASKED):
        pass
    assert (tmp_path / "holiday.txt").read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["holiday.txt"]  # not even a lock


def test_a_file_is_no_run(tmp_path):
    (tmp_path / "run").write_text("mine")
    words = r"run is a file; a run is a folder\. Choose another name with --run\."
    with pytest.raises(RunError, match=words), open_run(tmp_path / "run", ASKED):
        pass
    assert (tmp_path / "run").read_text() == "mine"


def test_journal_is_cut_back_to_the_checkpoint(tmp_path):
    with open_run(tmp_path / "run", ASKED) as run:
        run.write("epoch", {"epoch": 1})
        run.save(5, Checkpoint({"w": torch.zeros(1)}, {}))
        run.write("epoch", {"epoch": 2})
        with (run.folder / "journal.jsonl").open("a") as journal:
            journal.write('{"event": "ep')  # torn by a kill
        assert run.checkpoint() is not None
        assert [each["epoch"] for each in run.events("epoch")] == [1]


def test_find_run_gives_the_newest_with_the_same_question(tmp_path):
    for name, asked in (("a", ASKED), ("b", {**ASKED, "fingerprint": "g"})):
        with open_run(tmp_path / name, asked):
            pass
    assert find_run(tmp_path, ASKED) == tmp_path / "a"
    assert find_run(tmp_path, {**ASKED, "recipe": {}}) is None
    assert find_run(tmp_path / "nothing", ASKED) is None


def test_second_process_is_refused_and_a_killed_one_leaves_no_lock(tmp_path):
    code = (
        "import sys, json, time, pathlib; from alexnet.training import open_run\n"
        f"asked = json.loads({json.dumps(ASKED)!r})\n"
        f"with open_run(pathlib.Path({str(tmp_path / 'run')!r}), asked):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with (
        pytest.raises(RunError, match=rf"in use by process {process.pid} on "),
        open_run(tmp_path / "run", ASKED),
    ):
        pass
    process.kill()
    process.communicate()
    time.sleep(0.05)
    with open_run(tmp_path / "run", ASKED) as run:
        assert not run.finished
