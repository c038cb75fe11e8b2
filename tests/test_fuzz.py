"""A small run of `benchmarks/fuzz.py`, and what it takes for a finding."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[1] / "benchmarks" / "fuzz.py"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bounds memory as Linux does")


@pytest.fixture(scope="module")
def fuzz():
    spec = importlib.util.spec_from_file_location("fuzz", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def worker(fuzz):
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    pytest.importorskip("google.protobuf", reason="files of Caffe need protobuf")
    found = fuzz.worker_of(made=True)
    yield found
    found.stop()


def test_damaged_files_of_every_kind_are_results_or_sentences(fuzz, worker):
    tallies, found = fuzz.run(worker, fuzz.cases(fuzz.KINDS, 0, 320), seed=8, keep=None)
    assert found == []
    assert tallies.keys() == set(fuzz.KINDS)
    assert "| all | 320 |" in list(fuzz.table(tallies))[-1]
    counts = sum((each.outcomes for each in tallies.values()), Counter())
    assert counts["read"] > 60
    assert counts["sentence"] > 120


READY = "import json, os, sys, time\nprint(json.dumps({'ready': True}), flush=True)\n"
ANSWERS = {
    "a signal": ("sys.stdin.readline(); os.abort()", "died of signal 6"),
    "an end": ("sys.stdin.readline(); sys.exit(7)", "ended with 7"),
    "no answer": ("time.sleep(60)", "no answer within 0.5 s, or 60 s of work"),
}


@pytest.mark.parametrize(("program", "words"), ANSWERS.values(), ids=ANSWERS)
def test_a_reader_that_dies_or_hangs_is_a_finding_and_starts_again(fuzz, program, words, capsys):
    worker = fuzz.Worker([sys.executable, "-c", READY + program], timeout_s=0.5)
    try:
        tallies, found = fuzz.run(worker, iter([("png", 1), ("png", 17)]), seed=5, keep=None)
    finally:
        worker.stop()
    assert [each["finding"] for each in found] == [words, words]
    assert tallies["png"].outcomes == {"finding": 2}
    assert f"png, --seed 5 --case 17: {words}" in capsys.readouterr().out


GOOD = {"outcome": "read", "said": "", "noise": "", "peak_mb": 3.0, "seconds": 0.1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"outcome": "sentence", "said": "It is damaged."}, None),
        ({"outcome": "raised", "said": "KeyError: 'x'"}, "raised KeyError: 'x'"),
        ({"outcome": "refused an original"}, "refused an original"),
        ({"noise": "TIFFReadDirectory"}, "written to the screen: 'TIFFReadDirectory'"),
        ({"peak_mb": 3000.0}, "3,000 MB of memory"),
        ({"seconds": 40.0}, "40 s of one processor"),
    ],
)
def test_what_is_taken_for_a_finding(fuzz, change, words):
    assert fuzz.finding({**GOOD, **change}) == words


def test_a_case_is_the_same_whenever_it_is_asked_for(worker):
    case = {"kind": "zip", "seed": 3, "case": 7}
    first = worker.ask(case)
    other = worker.ask({**case, "seed": 4})
    assert first["digest"] == worker.ask(case)["digest"] != other["digest"]


def test_kinds_come_in_turns_and_keep_their_numbers(fuzz):
    every = list(fuzz.cases(fuzz.KINDS, 0, 40))
    assert [number for _, number in every] == list(range(40))
    assert list(fuzz.cases(["tar"], 0, 2)) == [each for each in every if each[0] == "tar"][:2]
