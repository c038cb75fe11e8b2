"""A small run of `benchmarks/threads.py`: reading functions from four threads and from asyncio."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
QUICK = ("predict", "describe-weights", "open_source", "load_weights", "export-safetensors")


@pytest.fixture(scope="module")
def program():
    sys.path.insert(0, str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("threads", BENCHMARKS / "threads.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["threads"] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def functions(program, tmp_path_factory):
    pytest.importorskip("google.protobuf", reason="files of Caffe need protobuf")
    found = program.calls(program.make_files(tmp_path_factory.mktemp("threads")))
    return {name: found[name] for name in QUICK}


@pytest.mark.parametrize("loop", [False, True], ids=["threads", "asyncio"])
def test_calls_from_several_threads_are_as_calls_from_one(program, functions, loop, tmp_path):
    program.stress(functions, tmp_path / "first", threads=1, each=len(functions))
    before = program.process_state()
    tally = program.stress(functions, tmp_path / "all", threads=4, each=5, loop=loop)
    assert (tally.calls, dict(tally.failures)) == (20, {})
    assert program.process_state() == before


def test_a_call_that_differs_or_raises_is_a_failure(program, tmp_path):
    numbers = iter(range(100))

    def fail(folder):
        raise KeyError("x")

    tally = program.stress({"count": lambda _: next(numbers)}, tmp_path / "a", threads=2, each=3)
    assert sum(tally.failures.values()) == 6
    tally = program.stress({"fail": fail}, tmp_path / "b", threads=2, each=3)
    assert sum(tally.failures.values()) == 1, "alike in all, and named once"
